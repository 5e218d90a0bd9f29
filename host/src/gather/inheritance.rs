//! Which headers of the request its calls take along.

use crate::wasm::types::Inheritance;
use http::{HeaderMap, HeaderName};

/// Whether the host writes it for each message by itself: what says how a message is framed and whom it goes to.
pub(super) fn belongs_to_the_host(name: &HeaderName) -> bool {
    matches!(
        name.as_str(),
        "connection"
            | "content-length"
            | "expect"
            | "host"
            | "http2-settings"
            | "keep-alive"
            | "proxy-connection"
            | "te"
            | "trailer"
            | "transfer-encoding"
            | "upgrade"
    )
}

/// Whether the host gives it to every call: a second one would let a client speak for the proxy.
fn is_given(name: &HeaderName) -> bool {
    matches!(
        name.as_str(),
        "traceparent"
            | "tracestate"
            | "via"
            | "x-forwarded-for"
            | "x-forwarded-host"
            | "x-forwarded-proto"
            | "x-request-id"
    )
}

/// Whether it speaks of the request's own body, or asks for something else than a whole, plain response.
fn is_of_the_request_alone(name: &HeaderName) -> bool {
    matches!(
        name.as_str(),
        "accept-encoding"
            | "content-encoding"
            | "content-type"
            | "if-match"
            | "if-modified-since"
            | "if-none-match"
            | "if-range"
            | "if-unmodified-since"
            | "range"
    )
}

/// Adds what a call inherits to the headers that it sets itself, which stay as they are.
///
/// # Errors
/// When a name is none, or is the host's to write.
pub(super) fn inherit(wanted: &Inheritance, request: &HeaderMap, headers: &mut HeaderMap) -> Result<(), String> {
    match wanted {
        Inheritance::None => {}
        Inheritance::All => {
            for name in request.keys() {
                if !belongs_to_the_host(name) && !is_given(name) && !is_of_the_request_alone(name) {
                    take_over(name, request, headers);
                }
            }
        }
        Inheritance::Named(names) => {
            for written in names {
                let name = HeaderName::try_from(written.as_str())
                    .map_err(|_| format!("inherits {written:?}, which is not a header name"))?;
                if belongs_to_the_host(&name) {
                    return Err(format!("inherits {written:?}, which belongs to the host"));
                }
                if !is_given(&name) {
                    take_over(&name, request, headers);
                }
            }
        }
    }
    Ok(())
}

/// All values of one name, unless there are some.
fn take_over(name: &HeaderName, request: &HeaderMap, headers: &mut HeaderMap) {
    if !headers.contains_key(name) {
        for value in request.get_all(name) {
            headers.append(name.clone(), value.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn request(headers: &[(&'static str, &'static str)]) -> HeaderMap {
        let headers =
            headers.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
        headers.collect()
    }

    fn inherited(wanted: &Inheritance, request: &HeaderMap, own: &HeaderMap) -> Vec<String> {
        let mut headers = own.clone();
        inherit(wanted, request, &mut headers).unwrap();
        let mut lines: Vec<String> =
            headers.iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect();
        lines.sort();
        lines
    }

    #[test]
    fn all_headers_come_along_that_mean_the_same_for_a_call() {
        let request = request(&[
            ("accept", "application/json"),
            ("accept-encoding", "gzip"),
            ("authorization", "Bearer x"),
            ("content-length", "3"),
            ("content-type", "text/plain"),
            ("cookie", "a=1"),
            ("cookie", "b=2"),
            ("host", "shop"),
            ("if-none-match", "\"1\""),
            ("range", "bytes=0-"),
            ("te", "trailers"),
            ("via", "1.1 edge"),
            ("x-forwarded-for", "192.0.2.1"),
            ("x-tenant", "blue"),
        ]);
        let own = self::request(&[("x-tenant", "red")]);
        assert_eq!(
            inherited(&Inheritance::All, &request, &own),
            ["accept: application/json", "authorization: Bearer x", "cookie: a=1", "cookie: b=2", "x-tenant: red"]
        );
        assert_eq!(inherited(&Inheritance::None, &request, &own), ["x-tenant: red"]);
    }

    #[test]
    fn named_headers_come_along_with_all_their_values() {
        let request = request(&[("cookie", "a=1"), ("cookie", "b=2"), ("if-none-match", "\"1\""), ("via", "1.1 edge")]);
        let named = |names: &[&str]| Inheritance::Named(names.iter().map(ToString::to_string).collect());
        let none = HeaderMap::new();
        assert_eq!(inherited(&named(&["Cookie", "x-tenant"]), &request, &none), ["cookie: a=1", "cookie: b=2"]);
        assert_eq!(inherited(&named(&["if-none-match"]), &request, &none), ["if-none-match: \"1\""]);
        assert!(inherited(&named(&["via"]), &request, &none).is_empty(), "the host gives it by itself");
        for name in ["content-length", "host", "a b", ""] {
            let refused = inherit(&named(&[name]), &request, &mut HeaderMap::new());
            assert!(refused.unwrap_err().contains(&format!("{name:?}")), "{name}");
        }
    }
}
