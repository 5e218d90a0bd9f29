//! What a rule does beside routing: faults, copies to a mirror, answers to browsers, headers of the response.

use sluicegate_tests::{Behaviour, Client, Options, Protocol, Proxy, Request, Upstream, sluice, wait_until};
use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::time::{Duration, Instant};

/// Long enough for whatever is on its way.
const SOON: Duration = Duration::from_secs(10);

/// A VirtualService for the host `shop` whose one rule goes to the service `stock`.
fn rule(fields: &str) -> String {
    format!(
        "
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata:
  name: shop
spec:
  hosts: [shop]
  http:
  - route: [{{destination: {{host: stock}}}}]
    {}
",
        fields.trim().replace('\n', "\n    ")
    )
}

fn shop(fields: &str, stock: &Upstream) -> Options {
    Options::new().manifest("shop.yaml", rule(fields)).upstream("stock", stock.address())
}

/// How many copies have ended so.
fn copies(proxy: &Proxy, result: &str) -> u64 {
    let name = format!("sluicegate_mirrors_total{{result=\"{result}\"}} ");
    let metrics = proxy.ask_admin("/metrics").text();
    metrics.lines().find_map(|line| line.strip_prefix(&name)?.parse().ok()).unwrap_or(0)
}

#[test]
fn an_aborted_request_reaches_no_service() {
    let stock = Upstream::start();
    let proxy = Proxy::start(shop("fault: {abort: {httpStatus: 418, percentage: {value: 100}}}", &stock));
    let answer = proxy.get("http://shop/");
    assert_eq!((answer.status, answer.text().as_str()), (418, "fault filter abort"));
    assert_eq!(stock.arrived(), 0);
}

#[test]
fn a_grpc_call_is_aborted_with_a_status_in_the_headers() {
    let stock = Upstream::start();
    let proxy = Proxy::start(shop("fault: {abort: {grpcStatus: UNAVAILABLE, percentage: {value: 100}}}", &stock));
    let mut client = Client::connect_with(proxy.address(), Protocol::Http2);
    let call = Request::post("http://shop/shop.Orders/Get", "\0\0\0\0\0").header("content-type", "application/grpc");
    let answer = client.send(call).expect("the proxy answers");
    assert_eq!((answer.status, answer.body.len(), answer.trailers.is_none()), (200, 0, true));
    assert_eq!(answer.header("grpc-status"), Some("14"));
    assert_eq!(answer.header("content-type"), Some("application/grpc"));
}

#[test]
fn a_share_of_the_requests_is_aborted() {
    let stock = Upstream::start();
    let proxy = Proxy::start(shop("fault: {abort: {httpStatus: 500, percentage: {value: 50}}}", &stock));
    let mut client = proxy.connect();
    let aborted = (0..200).filter(|_| client.send(Request::get("http://shop/")).expect("an answer").status == 500);
    let aborted = aborted.count();
    assert!((60..140).contains(&aborted), "{aborted} of 200");
    assert_eq!(stock.arrived(), 200 - aborted);
}

#[test]
fn a_delayed_request_is_sent_after_the_delay_and_within_a_shorter_timeout() {
    let stock = Upstream::start();
    let fault = "fault: {delay: {fixedDelay: 400ms, percentage: {value: 100}}}\ntimeout: 200ms";
    let proxy = Proxy::start(shop(fault, &stock));
    let started = Instant::now();
    assert_eq!(proxy.send(Request::post("http://shop/", "order")).status, 200);
    assert!(started.elapsed() >= Duration::from_millis(400), "{:?}", started.elapsed());
    assert_eq!(&stock.requests()[0].body[..], b"order");
}

#[test]
fn a_client_that_leaves_while_it_waits_ends_the_request() {
    let stock = Upstream::start();
    let proxy = Proxy::start(shop("fault: {delay: {fixedDelay: 60s, percentage: {value: 100}}}", &stock));
    let waiting = || proxy.ask_admin("/metrics").text().contains("http_server_active_requests 1\n");
    for request in
        ["GET / HTTP/1.1\r\nhost: shop\r\n\r\n", "POST / HTTP/1.1\r\nhost: shop\r\ncontent-length: 5\r\n\r\norder"]
    {
        let mut leaving = TcpStream::connect(proxy.address()).expect("it listens");
        leaving.write_all(request.as_bytes()).expect("it reads");
        wait_until(SOON, waiting);
        drop(leaving);
        wait_until(SOON, || !waiting());
    }
    assert_eq!(stock.arrived(), 0);
}

#[test]
fn a_mirror_gets_a_copy_with_the_edits_of_the_rule_and_a_shadow_of_the_host() {
    let (stock, audit) = (Upstream::with(Behaviour::text("stock")), Upstream::with(Behaviour::status(500)));
    let fields = "mirror: {host: audit}\nheaders: {request: {set: {x-rule: '1'}}}\nrewrite: {uri: /v2/}";
    let proxy = Proxy::start(shop(fields, &stock).upstream("audit", audit.address()));
    let answer = proxy.send(Request::post("http://shop:80/orders?page=2", "order"));
    assert_eq!((answer.status, answer.text().as_str()), (200, "stock"));
    wait_until(SOON, || audit.requests().len() == 1);
    let (copy, original) = (audit.requests().remove(0), stock.requests().remove(0));
    assert_eq!((copy.method.as_str(), copy.target.as_str()), ("POST", "/v2/orders?page=2"));
    assert_eq!((&copy.body[..], copy.header("x-rule").as_deref()), (&b"order"[..], Some("1")));
    assert_eq!(copy.header("host").as_deref(), Some("shop-shadow:80"));
    assert_eq!(original.header("host").as_deref(), Some("shop:80"));
    assert_eq!(copy.header("x-request-id"), original.header("x-request-id"));
    wait_until(SOON, || copies(&proxy, "answered") == 1);
}

#[test]
fn a_body_that_streams_is_copied_whole() {
    let (stock, audit) = (Upstream::start(), Upstream::start());
    let proxy = Proxy::start(shop("mirror: {host: audit}", &stock).upstream("audit", audit.address()));
    let body: Vec<u8> = (0..200_u32 << 10).map(|byte| byte.to_le_bytes()[0]).collect();
    assert_eq!(proxy.send(Request::post("http://shop/", body.clone())).status, 200);
    wait_until(SOON, || audit.requests().len() == 1);
    let copy = audit.requests().remove(0);
    assert!(copy.complete && copy.body[..] == body[..], "{} bytes", copy.body.len());
}

#[test]
fn a_mirror_that_is_dead_or_unknown_changes_nothing() {
    let stock = Upstream::start();
    let fields = "mirrors: [{destination: {host: dead}}, {destination: {host: nowhere}}]";
    let dead = TcpListener::bind(("127.0.0.1", 0)).and_then(|listener| listener.local_addr()).expect("a port is free");
    let proxy = Proxy::start(shop(fields, &stock).upstream("dead", dead));
    for _ in 0..3 {
        assert_eq!(proxy.send(Request::post("http://shop/", "order")).status, 200);
    }
    assert_eq!(stock.arrived(), 3);
    wait_until(SOON, || copies(&proxy, "failed") == 3 && copies(&proxy, "no_service") == 3);
}

#[test]
fn a_mirror_that_never_reads_neither_delays_nor_fails_a_large_upload() {
    let stock = Upstream::start();
    // Connections are made by the kernel, and nobody takes them.
    let silent = TcpListener::bind(("127.0.0.1", 0)).expect("a port is free");
    let address = silent.local_addr().expect("it has an address");
    let proxy = Proxy::start(shop("mirror: {host: audit}", &stock).upstream("audit", address));
    let body = vec![b'x'; 24 << 20];
    let started = Instant::now();
    assert_eq!(proxy.send(Request::post("http://shop/", body.clone())).status, 200);
    assert!(started.elapsed() < SOON, "{:?}", started.elapsed());
    assert_eq!(stock.requests()[0].body.len(), body.len());
    wait_until(SOON, || copies(&proxy, "too_slow") == 1);
}

#[test]
fn a_slow_mirror_does_not_hold_the_answer_back() {
    let (stock, audit) = (Upstream::start(), Upstream::with(Behaviour::text("late").after(Duration::from_secs(2))));
    let proxy = Proxy::start(shop("mirror: {host: audit}", &stock).upstream("audit", audit.address()));
    let started = Instant::now();
    assert_eq!(proxy.get("http://shop/").status, 200);
    assert!(started.elapsed() < Duration::from_secs(1), "{:?}", started.elapsed());
    wait_until(SOON, || copies(&proxy, "answered") == 1);
}

const CORS: &str = "corsPolicy: {allowOrigins: [{exact: 'https://a'}], allowMethods: [POST, GET], maxAge: 24h}";

#[test]
fn a_preflight_is_answered_and_the_response_to_a_browser_names_its_origin() {
    let stock = Upstream::with(Behaviour::Answer {
        status: 200,
        headers: vec![("access-control-allow-origin".into(), "*".into())],
        body: "ok".into(),
    });
    let proxy = Proxy::start(shop(CORS, &stock));
    let preflight = |origin: &str| {
        let preflight = Request::new("OPTIONS", "http://shop/").header("origin", origin);
        proxy.send(preflight.header("access-control-request-method", "DELETE"))
    };
    let answer = preflight("https://a");
    assert_eq!((answer.status, answer.body.len(), stock.arrived()), (200, 0, 0));
    assert_eq!(answer.header("access-control-allow-origin"), Some("https://a"));
    assert_eq!(answer.header("access-control-allow-methods"), Some("POST,GET"));
    assert_eq!(answer.header("access-control-max-age"), Some("86400"));

    preflight("https://evil");
    assert_eq!(stock.arrived(), 1, "a preflight of another origin is for the service to answer");

    let told = |origin: &str| {
        let answer = proxy.send(Request::get("http://shop/").header("origin", origin));
        answer.header("access-control-allow-origin").map(str::to_owned)
    };
    assert_eq!(told("https://a").as_deref(), Some("https://a"));
    assert_eq!(told("https://evil").as_deref(), Some("*"), "what the service says is left alone");
}

#[test]
fn a_response_header_is_made_of_the_response_and_of_who_answered() {
    let stock = Upstream::with(Behaviour::text("stock"));
    let fields = "headers:
  request: {set: {x-came: '%START_TIME%', x-on: '%HOSTNAME%'}}
  response: {set: {x-by: '%UPSTREAM_HOST%', x-type: '<%RESP(content-type)%>', x-none: '%RESP(x-absent)%'}}";
    let proxy = Proxy::start(shop(fields, &stock));
    let answer = proxy.get("http://shop/");
    assert_eq!(answer.header("x-by"), Some(stock.address().to_string().as_str()));
    assert_eq!(answer.header("x-type"), Some("<text/plain>"));
    assert_eq!(answer.header("x-none"), None);
    let request = stock.requests().remove(0);
    let came = request.header("x-came").expect("it has the time");
    assert!(came.len() == 24 && came.starts_with("20") && came.ends_with('Z'), "{came}");
    assert!(request.header("x-on").is_some_and(|name| !name.is_empty()));
}

#[test]
fn explain_tells_of_faults_mirrors_and_headers() {
    let directory = tempfile::tempdir().expect("a directory can be made");
    let fields = "fault: {delay: {fixedDelay: 2s, percentage: {value: 100}}}
mirror: {host: audit}
headers: {response: {remove: [server]}}";
    std::fs::write(directory.path().join("shop.yaml"), rule(fields)).expect("a file can be written");
    let mut explain = Command::new(sluice());
    explain.args(["explain", "-X", "GET", "http://shop/", "--manifests"]).arg(directory.path());
    let explained = explain.output().expect("it runs");
    let said = String::from_utf8_lossy(&explained.stdout).into_owned();
    for part in [
        "waits 2000 ms before",
        "copies to audit.default.svc.cluster.local (100 %)",
        "response headers: remove server",
        "mirrored to audit.default.svc.cluster.local, after 2000 ms",
    ] {
        assert!(said.contains(part), "{part} is missing in {said}");
    }
}
