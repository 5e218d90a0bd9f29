//! A client that floods an HTTP/2 connection with frames loses that connection, and nobody else notices.

use sluicegate_tests::attack::CASES;
use sluicegate_tests::frames::{
    self, CONTINUATION, DATA, END_HEADERS, END_STREAM, ENHANCE_YOUR_CALM, GOAWAY, HEAD, HEADERS, PING, PREFACE,
    PRIORITY, RST_STREAM, SETTINGS, WINDOW_UPDATE, frame, goodbye, request_and,
};
use sluicegate_tests::{Behaviour, Options, Proxy, Upstream, raw, wait_until};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// The same frame again and again, on an open stream.
fn repeated(times: usize, frame: &[u8]) -> Vec<u8> {
    [&frames::frame(HEADERS, END_HEADERS, 1, HEAD), &frame.repeat(times)[..]].concat()
}

/// The frames of as many requests, each followed by another frame of its stream.
fn requests(number: u32, flags: u8, kind: u8, payload: &[u8]) -> Vec<u8> {
    (0..number).flat_map(|index| request_and(index, flags, kind, payload)).collect()
}

/// Sends the frames and expects the end of the connection, with few requests at the service and none of others lost.
#[track_caller]
fn floods(frames: &[u8], most_requests: usize) -> Proxy {
    let upstream = Upstream::start();
    let proxy = Proxy::start(Options::new().upstream("shop", upstream.address()));
    let answer = raw(proxy.address(), [PREFACE, frames].concat());
    assert_eq!(goodbye(&answer), Some(ENHANCE_YOUR_CALM), "{answer:?}");
    assert!(upstream.arrived() <= most_requests, "{} requests arrived", upstream.arrived());
    assert_eq!(proxy.get("http://shop/").status, 200);
    proxy
}

#[test]
fn a_request_that_is_not_reset_is_answered() {
    let upstream = Upstream::start();
    let proxy = Proxy::start(Options::new().upstream("shop", upstream.address()));
    let answer = raw(proxy.address(), [PREFACE, &frame(HEADERS, END_HEADERS | END_STREAM, 1, HEAD)].concat());
    assert_eq!((upstream.arrived(), goodbye(&answer)), (1, None), "{answer:?}");
}

#[test]
fn rapid_resets_end_the_connection() {
    // CVE-2023-44487.
    floods(&requests(500, END_STREAM, RST_STREAM, &8_u32.to_be_bytes()), 100);
}

#[test]
fn rapid_resets_that_come_one_read_later_end_the_connection_and_are_counted() {
    let upstream = Upstream::with(Behaviour::text("late").after(Duration::from_secs(1)));
    let proxy = Proxy::start(Options::new().upstream("shop", upstream.address()));
    let case = CASES.iter().find(|case| case.name == "rapid reset, one read later").expect("there is such a case");
    let flooded = case.send(&proxy);
    assert!(flooded.frames.is_some_and(|frames| frames <= case.goal), "{flooded:?}");
    assert_eq!(flooded.reason, Some(ENHANCE_YOUR_CALM));
    let counted = "sluicegate_http2_floods_total{frames=\"reset\"} 1\n";
    // It is counted once the connection has ended, which comes after its goodbye.
    wait_until(Duration::from_secs(10), || proxy.ask_admin("/metrics").text().contains(counted));
    assert_eq!(proxy.get("http://shop/").status, 200);
}

#[test]
fn resets_that_the_proxy_is_made_to_send_end_the_connection() {
    // CVE-2025-8671: a stream's window that grows beyond its limit is an error of that stream.
    floods(&requests(500, END_STREAM, WINDOW_UPDATE, &0x7fff_ffff_u32.to_be_bytes()), 200);
}

#[test]
fn a_head_that_goes_on_and_on_ends_the_connection() {
    // CVE-2024-27316.
    let endless = (0..200).flat_map(|_| frames::endless_piece());
    let frames: Vec<u8> = frame(HEADERS, END_STREAM, 1, HEAD).into_iter().chain(endless).collect();
    floods(&frames, 0);
}

#[test]
fn a_head_of_empty_pieces_ends_the_connection() {
    let pieces = frame(CONTINUATION, 0, 1, &[]).repeat(100);
    floods(&[frame(HEADERS, END_STREAM, 1, HEAD), pieces].concat(), 0);
}

#[test]
fn frames_that_only_cost_the_proxy_something_end_the_connection_and_are_counted() {
    let window_update = frame(WINDOW_UPDATE, 0, 0, &1_u32.to_be_bytes());
    let cases = [
        ("ping", 1_000, frame(PING, 0, 0, &[0; 8]), "CVE-2019-9512"),
        ("settings", 100, frame(SETTINGS, 0, 0, &[]), "CVE-2019-9515"),
        ("priority", 1_000, frame(PRIORITY, 0, 1, &[0, 0, 0, 0, 16]), "CVE-2019-9513"),
        ("priority", 1_000, frame(0xfa, 0, 0, b"grease"), "a kind that nobody knows"),
        ("priority", 1_000, frame(GOAWAY, 0, 0, &[0; 8]), "said again and again"),
        ("window_update", 10_000, window_update, "CVE-2019-9513"),
        ("empty_data", 102, frame(DATA, 0, 1, &[]), "CVE-2019-9518"),
    ];
    for (kind, times, frame, why) in cases {
        let proxy = floods(&repeated(times, &frame), 1);
        let metrics = proxy.ask_admin("/metrics").text();
        let line = format!("sluicegate_http2_floods_total{{frames=\"{kind}\"}} 1\n");
        assert!(metrics.contains(&line), "{kind}: {why}\n{metrics}");
    }
}

#[test]
fn a_head_that_unpacks_to_much_more_than_it_is_ends_the_connection() {
    // CVE-2016-6581.
    let frames: Vec<u8> = (0..20).flat_map(frames::bomb).collect();
    floods(&frames, 0);
}

#[test]
fn what_a_lively_client_sends_is_no_flood() {
    let upstream = Upstream::start();
    let proxy = Proxy::start(Options::new().upstream("shop", upstream.address()));
    let usual =
        [frame(SETTINGS, 0, 0, &[]), frame(WINDOW_UPDATE, 0, 0, &[0, 0xff, 0, 0]), frame(PING, 0, 0, &[0; 8])].concat();
    let request = |index: u32| {
        let stream = 2 * index + 1;
        let head = frame(HEADERS, END_HEADERS | END_STREAM, stream, HEAD);
        [head, frame(PRIORITY, 0, stream, &[0, 0, 0, 0, 16]), frame(WINDOW_UPDATE, 0, stream, &[0, 0, 0xff, 0])]
            .concat()
    };
    let requests: Vec<u8> = (0..50).flat_map(request).collect();
    let answer = raw(proxy.address(), [PREFACE, &usual, &requests].concat());
    assert_eq!((upstream.arrived(), goodbye(&answer)), (50, None));
}

#[test]
fn pages_that_are_left_with_all_that_they_have_asked_for_are_no_flood() {
    let upstream = Upstream::with(Behaviour::text("ok").after(Duration::from_millis(500)));
    let proxy = Proxy::start(Options::new().upstream("shop", upstream.address()));
    let mut client = TcpStream::connect(proxy.address()).expect("it listens");
    client.write_all(PREFACE).expect("it listens");
    let request = |index: u32| frame(HEADERS, END_HEADERS | END_STREAM, 2 * index + 1, HEAD);
    let cancel = |index: u32| frame(RST_STREAM, 0, 2 * index + 1, &8_u32.to_be_bytes());
    for page in 0..4 {
        let parts = || 100 * page..100 * (page + 1);
        client.write_all(&parts().flat_map(request).collect::<Vec<_>>()).expect("it listens");
        let asked = usize::try_from(parts().end).expect("they are few");
        wait_until(Duration::from_secs(10), || upstream.arrived() == asked);
        client.write_all(&parts().flat_map(cancel).collect::<Vec<_>>()).expect("it listens");
    }
    client.write_all(&request(400)).expect("it listens");
    let (mut answer, silence) = (Vec::new(), Duration::from_secs(2));
    client.set_read_timeout(Some(silence)).expect("a socket has a time-out");
    // Ends with the silence after the answer.
    let _ = client.read_to_end(&mut answer);
    assert_eq!((upstream.arrived(), goodbye(&answer)), (401, None));
}
