//! The head and the body of an HTTP/2 request, up to the bytes that an upstream gets that speaks HTTP/1.1.
//!
//! Written as lines: method, URI, one header each, then an empty line and the body. Frames and HPACK are the library's
//! own and are left out. What must hold is what [`crate::http1_head`] says of each request: no field can become two, or
//! a second request.

use crate::upstream::{self, Sent};
use crate::{changed, envelope};
use bytes::Bytes;
use http::header::{HeaderMap, HeaderName, HeaderValue};
use http::request::Parts;
use http::{Method, Request, Uri, Version};
use sluicegate::{fuzzing, sanitize};

/// Runs the target.
pub fn run(bytes: &[u8]) {
    let (lines, body) = envelope::split(bytes);
    let Some(parts) = parts(&lines) else { return };
    let headers = parts.headers.clone();
    let connection = fuzzing::connection(false);
    let Ok(sanitized) = sanitize::request(parts, &connection) else { return };
    let streamed = !headers.contains_key("content-length");
    let body = Bytes::copy_from_slice(body);
    let body = if streamed { Sent::Streamed(body) } else { Sent::Known(body) };
    if let Some(sent) = upstream::send(&sanitized.head, &sanitized.host, &connection, body) {
        changed::assert_kept(&headers, &sent);
    }
}

/// The request as the HTTP library hands it over; none when it would refuse it itself.
fn parts(lines: &[&[u8]]) -> Option<Parts> {
    let [method, uri, fields @ ..] = lines else { return None };
    let (mut parts, ()) = Request::new(()).into_parts();
    parts.version = Version::HTTP_2;
    parts.method = Method::from_bytes(method).ok()?;
    parts.uri = Uri::try_from(*uri).ok()?;
    parts.headers = HeaderMap::with_capacity(fields.len());
    for field in fields {
        let (name, value) = envelope::field(field)?;
        parts.headers.append(HeaderName::try_from(name).ok()?, HeaderValue::from_bytes(value).ok()?);
    }
    Some(parts)
}
