//! Requests and responses go through as they are, framing and hop-by-hop headers excepted.

use serde_json::json;
use sluicegate_tests::{Behaviour, Client, Options, Protocol, Proxy, RawUpstream, Request, Upstream, raw, wait_until};
use std::time::Duration;

fn passing(behaviour: Behaviour) -> (Proxy, Upstream) {
    let upstream = Upstream::with(behaviour);
    (Proxy::start(Options::new().upstream("shop", upstream.address())), upstream)
}

#[test]
fn hop_by_hop_headers_end_here_and_forwarding_headers_begin() {
    let (proxy, upstream) = passing(Behaviour::Echo);
    let request = Request::post("http://shop/a?b=c", "hello")
        .header("connection", "x-secret")
        .header("x-secret", "1")
        .header("keep-alive", "timeout=5")
        .header("x-kept", "2");
    assert_eq!(proxy.send(request).status, 200);
    let arrived = upstream.requests().pop().expect("it arrived");
    assert_eq!((arrived.target.as_str(), &arrived.body[..]), ("/a?b=c", &b"hello"[..]));
    assert_eq!(arrived.header("host").as_deref(), Some("shop"));
    assert_eq!(arrived.header("x-kept").as_deref(), Some("2"));
    assert_eq!((arrived.header("x-secret"), arrived.header("keep-alive")), (None, None));
    assert_eq!(arrived.header("x-forwarded-for").as_deref(), Some("127.0.0.1"));
    assert_eq!(arrived.header("via").as_deref(), Some("1.1 sluicegate"));
}

#[test]
fn connections_are_kept_on_both_sides() {
    let (proxy, upstream) = passing(Behaviour::text("ok"));
    let mut connection = proxy.connect();
    for _ in 0..20 {
        assert_eq!(connection.send(Request::get("http://shop/")).expect("an answer").status, 200);
    }
    assert!(connection.is_open());
    assert_eq!((upstream.arrived(), upstream.connections()), (20, 1));
}

#[test]
fn http2_with_prior_knowledge_is_served() {
    let (proxy, upstream) = passing(Behaviour::Echo);
    let mut client = Client::connect_with(proxy.address(), Protocol::Http2);
    let answer = client.send(Request::post("http://shop/h2", "body")).expect("an answer");
    assert_eq!(answer.json()["body"], json!("body"));
    assert_eq!(upstream.requests()[0].target, "/h2");
}

#[test]
fn a_refused_head_request_over_http2_is_answered_without_a_body() {
    let (proxy, _upstream) = passing(Behaviour::Echo);
    let many = |method: &str| {
        (0..101)
            .fold(Request::new(method, "http://shop/"), |request, number| request.header(&format!("x-{number}"), "1"))
    };
    let refused = ["GET", "HEAD"]
        .map(|method| Client::connect_with(proxy.address(), Protocol::Http2).send(many(method)).expect("an answer"));
    assert_eq!(refused.each_ref().map(|answer| answer.status), [431, 431]);
    assert_eq!(refused.each_ref().map(|answer| answer.body.is_empty()), [false, true]);
}

#[test]
fn what_a_service_says_in_http_1_0_goes_on_in_http_1_1() {
    let upstream = RawUpstream::answering("HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok".to_owned());
    let proxy = Proxy::start(Options::new().upstream("shop", upstream.address()));
    let answer = raw(proxy.address(), "GET / HTTP/1.1\r\nhost: shop\r\nconnection: close\r\n\r\n");
    let answer = String::from_utf8_lossy(&answer).into_owned();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.contains("via: 1.0 sluicegate\r\n"), "{answer:?}");
}

#[test]
fn a_content_length_beside_chunks_is_not_what_a_client_is_told() {
    for lengths in
        ["content-length: 3", "content-length: 100", "content-length: 1\r\ncontent-length: 2", "content-length: x"]
    {
        let head = format!("HTTP/1.1 200 OK\r\n{lengths}\r\ntransfer-encoding: chunked\r\n");
        let upstream = RawUpstream::answering(format!("{head}\r\nb\r\nhello world\r\n0\r\n\r\n"));
        let proxy = Proxy::start(Options::new().upstream("shop", upstream.address()));
        for protocol in [Protocol::Http1, Protocol::Http2] {
            let mut client = Client::connect_with(proxy.address(), protocol);
            let answer = client.send(Request::get("http://shop/")).expect("an answer");
            assert_eq!((answer.status, answer.text().as_str()), (200, "hello world"), "{lengths}");
            assert_eq!(answer.header("content-length"), None, "{lengths}");
        }
    }
}

#[test]
fn of_several_content_lengths_equal_ones_are_one_and_others_are_a_bad_gateway() {
    for (lengths, status) in [
        ("content-length: 5\r\ncontent-length: 5", 200),
        ("content-length: 5, 5", 200),
        ("content-length: 1\r\ncontent-length: 2", 502),
        ("content-length: x", 502),
    ] {
        let upstream = RawUpstream::answering(format!("HTTP/1.1 200 OK\r\n{lengths}\r\n\r\n"));
        let proxy = Proxy::start(Options::new().upstream("shop", upstream.address()));
        let answer = raw(proxy.address(), "HEAD / HTTP/1.1\r\nhost: shop\r\nconnection: close\r\n\r\n");
        let answer = String::from_utf8_lossy(&answer).into_owned();
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{lengths}: {answer:?}");
        assert_eq!(
            answer.matches("content-length: 5\r\n").count(),
            usize::from(status == 200),
            "{lengths}: {answer:?}"
        );
    }
}

#[test]
fn trailers_of_a_response_that_are_for_one_connection_do_not_break_it_for_a_client_of_http2() {
    let fields = "connection: x-a\r\nkeep-alive: timeout=5\r\nx-checksum: 42\r\n";
    let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    let upstream = RawUpstream::answering(format!("{head}2\r\nok\r\n0\r\n{fields}\r\n"));
    let proxy = Proxy::start(Options::new().upstream("shop", upstream.address()));
    let mut client = Client::connect_with(proxy.address(), Protocol::Http2);
    let answer = client.send(Request::get("http://shop/").header("te", "trailers")).expect("an answer");
    assert_eq!(answer.text(), "ok");
    let trailers: Vec<_> = answer.trailers.iter().flat_map(http::HeaderMap::keys).collect();
    assert_eq!(trailers, ["x-checksum"]);
}

#[test]
fn trailers_of_a_request_do_not_say_who_the_client_is() {
    let (proxy, upstream) = passing(Behaviour::Echo);
    let head = "POST / HTTP/1.1\r\nhost: shop\r\nte: trailers\r\ntransfer-encoding: chunked\r\nconnection: close\r\n";
    let announced = "trailer: x-forwarded-for, forwarded, cookie, x-checksum\r\n\r\n";
    let fields = "x-forwarded-for: 10.0.0.1\r\nforwarded: for=10.0.0.1\r\ncookie: a=1\r\nx-checksum: 42\r\n";
    let answer = raw(proxy.address(), format!("{head}{announced}2\r\nok\r\n0\r\n{fields}\r\n"));
    assert!(answer.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&answer));
    let arrived = upstream.requests().pop().expect("it arrived");
    let trailers: Vec<_> = arrived.trailers.iter().flat_map(http::HeaderMap::keys).collect();
    assert_eq!(arrived.body, "ok");
    assert_eq!(trailers, ["x-checksum"]);
}

#[test]
fn chunks_and_trailers_pass_as_they_come() {
    let chunks = ["one ", "two ", "three"].map(|text| bytes::Bytes::from_static(text.as_bytes())).to_vec();
    let trailers = vec![("x-checksum".to_owned(), "42".to_owned())];
    let (proxy, _upstream) = passing(Behaviour::Chunks { chunks, pause: Duration::from_millis(20), trailers });
    let answer = proxy.send(Request::get("http://shop/").header("te", "trailers"));
    assert_eq!(answer.text(), "one two three");
    let trailers = answer.trailers.expect("there are trailers");
    assert_eq!(trailers.get("x-checksum").map(http::HeaderValue::as_bytes), Some(&b"42"[..]));
}

#[test]
fn an_expectation_is_met_by_the_proxy() {
    let (proxy, upstream) = passing(Behaviour::Echo);
    let head =
        "POST / HTTP/1.1\r\nhost: shop\r\nexpect: 100-continue\r\ncontent-length: 2\r\nconnection: close\r\n\r\n";
    let answer = raw(proxy.address(), format!("{head}ok"));
    let text = String::from_utf8_lossy(&answer).into_owned();
    assert!(text.starts_with("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n"), "{text}");
    assert_eq!(upstream.requests()[0].header("expect"), None);
}

#[test]
fn an_unknown_service_is_404_and_an_unreachable_one_503() {
    let (proxy, _upstream) = passing(Behaviour::text("ok"));
    assert_eq!(proxy.get("http://nobody/").status, 404);
    let gone = Upstream::start();
    let address = gone.address();
    drop(gone);
    let proxy = Proxy::start(Options::new().upstream("shop", address));
    assert_eq!(proxy.get("http://shop/").status, 503);
}

#[test]
fn an_upgraded_connection_passes_bytes_both_ways() {
    let (proxy, _upstream) = passing(Behaviour::Upgrade);
    let head = "GET /chat HTTP/1.1\r\nhost: shop\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n";
    let answer = raw(proxy.address(), format!("{head}hello"));
    let text = String::from_utf8_lossy(&answer).into_owned();
    assert!(text.starts_with("HTTP/1.1 101 "), "{text}");
    assert!(text.ends_with("hello"), "{text}");
}

#[test]
fn a_drain_finishes_what_is_in_flight() {
    let (mut proxy, upstream) = passing(Behaviour::text("late").after(Duration::from_millis(700)));
    let mut connection = proxy.connect();
    let waiting = std::thread::spawn(move || connection.send(Request::get("http://shop/")));
    wait_until(Duration::from_secs(5), || upstream.arrived() == 1);
    proxy.terminate();
    let answer = waiting.join().expect("it does not panic").expect("an answer");
    assert_eq!((answer.status, answer.text().as_str()), (200, "late"));
    assert!(proxy.wait_for_end(Duration::from_secs(10)).success());
}

#[test]
fn every_request_leaves_one_record() {
    let (proxy, _upstream) = passing(Behaviour::text("ok"));
    proxy.send(Request::get("http://shop/seen?secret=1").header("user-agent", "a \"quoted\" one"));
    let log = proxy.wait_for_log("/seen", Duration::from_secs(5));
    let records = log.lines().filter(|line| line.contains("/seen")).count();
    assert_eq!(records, 1, "{log}");
    assert!(log.contains(r#""user_agent.original":"a \"quoted\" one""#) && !log.contains("secret=1"), "{log}");
}
