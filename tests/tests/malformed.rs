//! Malformed and ambiguous messages are answered, their connections closed, and nothing of them reaches an upstream.

use sluicegate_tests::malformed::CASES;
use sluicegate_tests::{Options, Proxy, RawUpstream, raw};

#[test]
fn no_malformed_message_reaches_an_upstream() {
    let upstream = RawUpstream::answering("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
    let proxy = Proxy::start(Options::new().upstream("*", upstream.address()));
    assert!(CASES.len() >= 60, "the table has {} cases", CASES.len());
    let mut wrong = Vec::new();
    for case in CASES {
        let answer = raw(proxy.address(), case.bytes);
        let text = String::from_utf8_lossy(&answer).into_owned();
        let status = text.split(' ').nth(1).and_then(|status| status.parse::<u16>().ok());
        if !status.is_some_and(|status| case.statuses.contains(&status)) || text.matches("HTTP/1.1 ").count() != 1 {
            let line = text.lines().next().unwrap_or_default();
            wrong.push(format!("{}: {line:?}, expected {:?} because {}", case.name, case.statuses, case.why));
        }
        let reached = upstream.received();
        if !reached.is_empty() {
            wrong.push(format!("{}: {:?} reached the upstream", case.name, String::from_utf8_lossy(&reached)));
            break;
        }
    }
    assert!(wrong.is_empty(), "{} of {} cases:\n{}", wrong.len(), CASES.len(), wrong.join("\n"));
}

#[test]
fn a_good_message_does_reach_it() {
    let upstream = RawUpstream::answering("HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok");
    let proxy = Proxy::start(Options::new().upstream("*", upstream.address()));
    let answer = raw(proxy.address(), "GET /a HTTP/1.1\r\nhost: shop\r\nconnection: close\r\n\r\n");
    assert!(answer.starts_with(b"HTTP/1.1 200 "));
    assert!(upstream.received().starts_with(b"GET /a HTTP/1.1\r\n"));
}
