//! Bytes of a client's HTTP/1 connection, up to those that an upstream gets for them.
//!
//! - However they are cut into reads, the gate comes to the same end.
//! - What it lets pass are requests for the server behind as well: as many, each with the same body.
//! - Each request that the sanitiser takes becomes exactly one, with the body's framing and every end-to-end header as
//!   they came, and none for one connection.

use crate::reference::{self, End, Framing, Read};
use crate::upstream::{self, Sent};
use crate::{changed, pieces};
use bytes::Bytes;
use http::header::{HeaderMap, HeaderName, HeaderValue};
use http::request::Parts;
use http::{Method, Request, Uri, Version};
use sluicegate::connection::ConnectionInfo;
use sluicegate::connection::gate::{Gate, Phase};
use sluicegate::error::RequestError;
use sluicegate::{fuzzing, sanitize};

/// What came of reading: how many requests were good, what ended them, and what is expected next.
type Outcome = (u64, Option<(u64, RequestError)>, Phase);

/// Runs the target.
pub fn run(bytes: &[u8]) {
    let (passed, outcome) = feed([bytes]);
    let (passed_in_pieces, in_pieces) = feed(pieces::of(bytes));
    assert_eq!(in_pieces, outcome, "how it is cut into reads matters: {}", bytes.escape_ascii());
    check_passed(&passed_in_pieces);
    let connection = fuzzing::connection(true);
    let requests = check_passed(&passed);
    assert!(outcome.2 == Phase::Raw || u64::try_from(requests.len()) == Ok(outcome.0), "{}", bytes.escape_ascii());
    for request in requests {
        forward(&request, &connection);
    }
}

/// Feeds the gate as its stream does. Gives what passed as well.
fn feed<'a>(reads: impl IntoIterator<Item = &'a [u8]>) -> (Vec<u8>, Outcome) {
    let (mut gate, mut held, mut all) = (Gate::default(), Vec::new(), Vec::new());
    for read in reads {
        held.extend_from_slice(read);
        let passed = gate.scan(&held);
        all.extend(held.drain(..passed));
        if gate.phase() == Phase::Failed {
            break;
        }
    }
    let violation = gate.violation().map(|violation| (violation.message, violation.error.clone()));
    let good = violation.as_ref().map_or(gate.messages(), |(message, _)| *message);
    (all, (good, violation, gate.phase()))
}

/// The server behind reads requests in what passed, and at most the last is not all there.
fn check_passed(passed: &[u8]) -> Vec<Read> {
    let (requests, end) = reference::read_all(passed)
        .unwrap_or_else(|error| panic!("the server behind says {error}: {}", passed.escape_ascii()));
    assert_ne!(end, End::InHead, "half a head passed: {}", passed.escape_ascii());
    requests
}

fn forward(request: &Read, connection: &ConnectionInfo) {
    let Some(parts) = parts(request) else { return };
    let headers = parts.headers.clone();
    let Ok(sanitized) = sanitize::request(parts, connection) else { return };
    let body = Bytes::from(request.body.clone());
    let body = if request.framing == Framing::Chunked { Sent::Streamed(body) } else { Sent::Known(body) };
    let Some(sent) = upstream::send(&sanitized.head, &sanitized.host, connection, body) else { return };
    changed::assert_kept(&headers, &sent);
}

/// The request as the HTTP library hands it over; none when it would refuse the target itself.
pub(crate) fn parts(request: &Read) -> Option<Parts> {
    let (mut parts, ()) = Request::new(()).into_parts();
    parts.method = Method::from_bytes(request.method.as_bytes()).ok()?;
    parts.uri = Uri::try_from(&request.target).ok()?;
    parts.version = if request.is_http_11 { Version::HTTP_11 } else { Version::HTTP_10 };
    parts.headers = HeaderMap::with_capacity(request.headers.len());
    for (name, value) in &request.headers {
        parts.headers.append(HeaderName::try_from(name).ok()?, HeaderValue::from_bytes(value).ok()?);
    }
    Some(parts)
}
