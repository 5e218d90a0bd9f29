//! A client that floods an HTTP/2 connection with frames loses that connection, and nobody else notices.
#![allow(clippy::expect_used, reason = "a test may fail where it stands")]

use sluicegate_tests::{Options, Proxy, Upstream, raw};

/// RFC 9113, section 3.4, with an empty SETTINGS frame behind it.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
/// `GET http://shop/`, from the static table (RFC 7541, appendix A) but for the authority.
const HEAD: &[u8] = b"\x82\x86\x84\x01\x04shop";

// Types and flags of frames (RFC 9113, section 6).
const HEADERS: u8 = 1;
const DATA: u8 = 0;
const PRIORITY: u8 = 2;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
/// RFC 9113, section 7.
const ENHANCE_YOUR_CALM: u32 = 11;

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("a frame is small").to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// The same frame again and again, on an open stream.
fn repeated(times: usize, frame: &[u8]) -> Vec<u8> {
    [&self::frame(HEADERS, END_HEADERS, 1, HEAD), &frame.repeat(times)[..]].concat()
}

/// The frames of as many requests, each followed by another frame of its stream.
fn requests(number: u32, flags: u8, kind: u8, payload: &[u8]) -> Vec<u8> {
    let streams = (0..number).map(|index| 2 * index + 1);
    streams
        .flat_map(|stream| {
            [frame(HEADERS, END_HEADERS | flags, stream, HEAD), frame(kind, 0, stream, payload)].concat()
        })
        .collect()
}

/// Why the other side ended the connection.
fn goodbye(mut answer: &[u8]) -> Option<u32> {
    while let Some((head, rest)) = answer.split_first_chunk::<9>() {
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
        let payload = rest.get(..length)?;
        if head[3] == GOAWAY {
            return Some(u32::from_be_bytes(*payload.get(4..)?.first_chunk()?));
        }
        answer = &rest[length..];
    }
    None
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
fn resets_that_the_proxy_is_made_to_send_end_the_connection() {
    // CVE-2025-8671: a stream's window that grows beyond its limit is an error of that stream.
    floods(&requests(500, END_STREAM, WINDOW_UPDATE, &0x7fff_ffff_u32.to_be_bytes()), 200);
}

#[test]
fn a_head_that_goes_on_and_on_ends_the_connection() {
    // CVE-2024-27316.
    let endless =
        (0..200).flat_map(|_| frame(CONTINUATION, 0, 1, &[b"\0\x01a\x7f\x81\x01", &[b'b'; 256][..]].concat()));
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
    // CVE-2016-6581: one long line goes into the table, and each byte behind it repeats it.
    let line = [&b"\x40\x01x\x7f\x81\x1e"[..], &[b'y'; 3_968]].concat();
    let bomb = [HEAD, &line, &[0xbe; 10_000]].concat();
    let frames: Vec<u8> =
        (0..20).flat_map(|index| frame(HEADERS, END_HEADERS | END_STREAM, 2 * index + 1, &bomb)).collect();
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
