//! A client that floods an HTTP/2 connection with frames loses that connection, and nobody else notices.
#![allow(clippy::expect_used, reason = "a test may fail where it stands")]

use sluicegate_tests::{Options, Proxy, Upstream, raw};

/// RFC 9113, section 3.4, with an empty SETTINGS frame behind it.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
/// `GET http://shop/`, from the static table (RFC 7541, appendix A) but for the authority.
const HEAD: &[u8] = b"\x82\x86\x84\x01\x04shop";

// Types and flags of frames (RFC 9113, section 6).
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
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
fn floods(frames: &[u8], most_requests: usize) {
    let upstream = Upstream::start();
    let proxy = Proxy::start(Options::new().upstream("shop", upstream.address()));
    let answer = raw(proxy.address(), [PREFACE, frames].concat());
    assert_eq!(goodbye(&answer), Some(ENHANCE_YOUR_CALM), "{answer:?}");
    assert!(upstream.arrived() <= most_requests, "{} requests arrived", upstream.arrived());
    assert_eq!(proxy.get("http://shop/").status, 200);
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
