//! The end of the proxy, seen by its clients, its logs and its collector.
#![allow(clippy::expect_used, reason = "a test may fail where it stands")]

use sluicegate_tests::{Behaviour, Client, Collector, Options, Protocol, Proxy, Request, Upstream, wait_until};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

const LONG: Duration = Duration::from_secs(20);
/// Type of a GOAWAY frame (RFC 9113, section 6.8).
const GOAWAY: u8 = 7;

fn with(upstream: &Upstream) -> Options {
    Options::new().upstream("shop", upstream.address())
}

/// A connection on which HTTP/2 is begun with, and nothing asked for.
fn http2(proxy: &Proxy) -> TcpStream {
    let mut stream = TcpStream::connect(proxy.address()).expect("it listens");
    stream.set_read_timeout(Some(LONG)).expect("a socket has a time-out");
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").expect("it reads");
    stream
}

/// The types of the frames that come until the connection ends, each acknowledged that asks for it.
fn frames(stream: &mut TcpStream) -> Vec<u8> {
    let mut types = Vec::new();
    let mut head = [0; 9];
    while stream.read_exact(&mut head).is_ok() {
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let mut payload = vec![0; usize::try_from(length).expect("a small frame")];
        stream.read_exact(&mut payload).expect("a whole frame");
        types.push(head[3]);
        let acknowledges = head[4] & 1 == 1;
        if (head[3] == 4 || head[3] == 6) && !acknowledges {
            let mut answer = head.to_vec();
            answer[4] |= 1;
            answer.extend(payload);
            let settings = [0, 0, 0, 4, 1, 0, 0, 0, 0];
            // The other side may have closed by now.
            let _ = stream.write_all(if head[3] == 4 { &settings } else { &answer });
        }
    }
    types
}

#[test]
fn clients_of_http2_are_sent_goaway_and_those_of_http1_connection_close() {
    let upstream = Upstream::with(Behaviour::text("late").after(Duration::from_millis(700)));
    let mut proxy = Proxy::start(with(&upstream));
    let mut idle = http2(&proxy);
    let mut streaming = Client::connect_with(proxy.address(), Protocol::Http2);
    let mut kept = proxy.connect();
    let (on_http2, on_http1) = std::thread::scope(|scope| {
        let one = scope.spawn(|| streaming.send(Request::get("http://shop/")).expect("an answer"));
        let other = scope.spawn(|| kept.send(Request::get("http://shop/")).expect("an answer"));
        wait_until(LONG, || upstream.arrived() == 2);
        proxy.terminate();
        (one.join().expect("it does not panic"), other.join().expect("it does not panic"))
    });
    assert_eq!((on_http2.status, on_http2.text().as_str()), (200, "late"));
    assert_eq!((on_http1.status, on_http1.header("connection")), (200, Some("close")));
    let frames = frames(&mut idle);
    assert!(frames.contains(&GOAWAY), "{frames:?}");
    assert!(proxy.wait_for_end(LONG).success());
}

#[test]
fn a_drain_ends_within_its_bound_whatever_is_in_flight() {
    let upstream = Upstream::with(Behaviour::text("never").after(Duration::from_mins(1)));
    let mut proxy = Proxy::start(with(&upstream).argument("--drain-timeout").argument("1s"));
    let address = proxy.address();
    let lost = std::thread::spawn(move || Client::connect(address).send(Request::get("http://shop/")));
    wait_until(LONG, || upstream.arrived() == 1);
    let began = Instant::now();
    proxy.terminate();
    proxy.wait_for_end(LONG);
    let took = began.elapsed();
    assert!(took > Duration::from_millis(900) && took < Duration::from_secs(8), "{took:?}");
    assert!(lost.join().expect("it does not panic").is_err());
    proxy.wait_for_log("ended before all was finished", LONG);
}

#[test]
fn a_second_signal_ends_the_drain_at_once() {
    let upstream = Upstream::with(Behaviour::text("never").after(Duration::from_mins(1)));
    let mut proxy = Proxy::start(with(&upstream).argument("--drain-timeout").argument("60s"));
    let address = proxy.address();
    let lost = std::thread::spawn(move || Client::connect(address).send(Request::get("http://shop/")));
    wait_until(LONG, || upstream.arrived() == 1);
    proxy.terminate();
    proxy.wait_for_log("requests in flight may finish", LONG);
    let began = Instant::now();
    proxy.terminate();
    proxy.wait_for_end(LONG);
    assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
    assert!(lost.join().expect("it does not panic").is_err());
}

#[test]
fn what_was_logged_and_traced_of_the_last_request_arrives() {
    let (upstream, collector) =
        (Upstream::with(Behaviour::text("late").after(Duration::from_millis(300))), Collector::start());
    let mut proxy = Proxy::start(with(&upstream).argument("--trace-endpoint").argument(collector.url()));
    let mut kept = proxy.connect();
    std::thread::scope(|scope| {
        let last = scope.spawn(|| kept.send(Request::get("http://shop/last")).expect("an answer"));
        wait_until(LONG, || upstream.arrived() == 1);
        proxy.terminate();
        assert_eq!(last.join().expect("it does not panic").status, 200);
    });
    assert!(proxy.wait_for_end(LONG).success());
    let log = proxy.log();
    assert!(log.lines().any(|line| line.contains("\"/last\"")), "{log}");
    assert!(!collector.spans().is_empty(), "its spans were not exported");
}
