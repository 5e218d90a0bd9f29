//! No payload of a client reaches an upstream as anything but one message that every parser reads alike.
#![allow(clippy::expect_used, reason = "a test may fail where it stands")]

use sluicegate_tests::smuggling::{Payload, Recorder, http1, http2, judge};
use sluicegate_tests::{Options, Proxy, raw_until};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// How long the proxy may be silent before a payload counts as dealt with. One that is passed on arrives at once.
const SILENCE: Duration = Duration::from_millis(500);
/// Connections at a time.
const TOGETHER: usize = 16;

/// Sends every payload on a connection of its own, then judges what the upstream has seen.
#[track_caller]
fn nothing_unsafe_arrives(payloads: &[Payload]) -> usize {
    let upstream = Recorder::start();
    let proxy = Proxy::start(Options::new().upstream("*", upstream.address()));
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..TOGETHER {
            scope.spawn(|| {
                while let Some(payload) = payloads.get(next.fetch_add(1, Ordering::Relaxed)) {
                    raw_until(proxy.address(), &payload.bytes, SILENCE);
                }
            });
        }
    });
    let connections = upstream.connections();
    let wrong: Vec<String> = connections.iter().filter_map(|bytes| fault(bytes)).collect();
    assert!(wrong.is_empty(), "{} of {} connections:\n{}", wrong.len(), connections.len(), wrong.join("\n"));
    assert_eq!(proxy.get("http://a/after").status, 200);
    connections.len()
}

/// What is unsafe about the bytes of a connection, with the bytes.
fn fault(bytes: &[u8]) -> Option<String> {
    let why = match judge(bytes) {
        Err(wrong) => wrong.0,
        Ok(messages) if messages.len() > 1 => format!("{} messages of one request", messages.len()),
        Ok(_) => return None,
    };
    Some(format!("{why}: {:?}", String::from_utf8_lossy(bytes)))
}

#[test]
fn no_http1_payload_smuggles_a_request() {
    let payloads = http1::payloads();
    assert!(payloads.len() >= 200, "there are {} payloads", payloads.len());
    let arrived = nothing_unsafe_arrives(&payloads);
    println!("{} payloads, of which {arrived} were passed on as one plain message", payloads.len());
}

#[test]
fn no_http2_request_becomes_another_in_http1() {
    let payloads = http2::payloads();
    assert!(payloads.len() >= 60, "there are {} payloads", payloads.len());
    let arrived = nothing_unsafe_arrives(&payloads);
    println!("{} payloads, of which {arrived} were passed on as one plain message", payloads.len());
}

#[test]
fn an_http2_request_that_is_right_arrives_whole() {
    let upstream = Recorder::start();
    let proxy = Proxy::start(Options::new().upstream("*", upstream.address()));
    raw_until(proxy.address(), http2::good(), SILENCE);
    let connections = upstream.connections();
    let messages = judge(connections.first().expect("it arrives")).expect("it is safe");
    assert_eq!((messages[0].target.as_str(), messages[0].body.len()), ("/good", 33));
}
