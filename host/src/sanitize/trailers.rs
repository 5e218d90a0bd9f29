//! What may be said after the content, when those who decided on the message have read its head only.

use super::HopByHop;
use super::names::NEVER_IN_TRAILERS;
use bytes::Bytes;
use http::header::{HeaderMap, HeaderName};
use http_body::Frame;

/// What only proxies say of a request, whatever follows.
const FORWARDED: &str = "x-forwarded-";

/// A body's frame without the trailers that have no place there; none when nothing is left of it.
///
/// Who merges trailers into headers (RFC 9110, section 6.5.2, allows it) would take from them what the proxy never saw, such
/// as who the client is; and a client of HTTP/2 refuses those that are for one connection (RFC 9113, section 8.2.2).
pub fn without_forbidden_trailers(frame: Frame<Bytes>) -> Option<Frame<Bytes>> {
    let mut frame = frame;
    if let Some(fields) = frame.trailers_mut() {
        clean(fields);
        if fields.is_empty() {
            return None;
        }
    }
    Some(frame)
}

/// Leaves the fields that may stand in a trailer section (RFC 9110, section 6.5.1).
fn clean(trailers: &mut HeaderMap) {
    HopByHop { connection: true, other: true, te: true }.remove_others(trailers);
    for name in &NEVER_IN_TRAILERS {
        trailers.remove(name);
    }
    let forwarded = trailers.keys().filter(|name| name.as_str().starts_with(FORWARDED));
    for name in forwarded.cloned().collect::<Vec<HeaderName>>() {
        trailers.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn left(names: &[&'static str]) -> Option<Vec<String>> {
        let fields = names.iter().map(|name| (HeaderName::from_static(name), HeaderValue::from_static("0")));
        let frame = without_forbidden_trailers(Frame::trailers(fields.collect()))?;
        Some(frame.into_trailers().unwrap().keys().map(ToString::to_string).collect())
    }

    #[test]
    fn trailers_cannot_say_what_had_to_be_said_before() {
        let said = ["content-length", "host", "transfer-encoding", "authorization", "te", "grpc-status"];
        assert_eq!(left(&said), Some(vec!["grpc-status".to_owned()]));
    }

    #[test]
    fn trailers_cannot_say_who_the_client_is() {
        let said = ["x-forwarded-for", "x-forwarded-client-cert", "forwarded", "cookie", "x-request-id"];
        assert_eq!(left(&said), None);
    }

    #[test]
    fn data_stays_as_it_is() {
        let frame = without_forbidden_trailers(Frame::data(Bytes::from_static(b"host: a"))).unwrap();
        assert_eq!(frame.into_data().unwrap(), "host: a");
    }
}
