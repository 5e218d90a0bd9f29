//! Makes a request into what goes over the wire to an upstream: HTTP/1.1 in origin form or HTTP/2, with the proxy's own
//! framing. Of a response's framing only what is true of the body that came goes on.

use super::wire::Wire;
use crate::body::ProxyBody;
use crate::error::RequestError;
use crate::websocket;
use http::header::{CONNECTION, CONTENT_LENGTH, EXPECT, HOST, HeaderName, TRANSFER_ENCODING, UPGRADE};
use http::request::Parts;
use http::uri::{Authority, PathAndQuery};
use http::{HeaderMap, HeaderValue, Method, Request, Uri, Version};
use http_body::Body;

const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");

/// The request as it is sent. Whatever its headers said of the body's length, the body itself knows better.
pub(crate) fn frame(mut parts: Parts, body: ProxyBody) -> Result<Request<ProxyBody>, RequestError> {
    if is_upgrade(&parts) && !body.is_end_stream() {
        // Its bytes could pass for the new protocol's, on either side.
        return Err(RequestError::NotImplemented("an upgrade with a request body is not supported"));
    }
    parts.version = Version::HTTP_11;
    if parts.uri.authority().is_some() {
        let path = parts.uri.path_and_query().cloned();
        parts.uri = Uri::from(path.unwrap_or_else(|| PathAndQuery::from_static("/")));
    }
    // The client was told to go on when its body was first asked for.
    parts.headers.remove(EXPECT);
    parts.headers.remove(TRANSFER_ENCODING);
    match body.size_hint().exact() {
        Some(0) if !announces_length(&parts.method) => {
            parts.headers.remove(CONTENT_LENGTH);
        }
        Some(length) => {
            parts.headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
        }
        None => {
            parts.headers.remove(CONTENT_LENGTH);
            parts.headers.insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
        }
    }
    Ok(Request::from_parts(parts, body))
}

/// The same in HTTP/2 (RFC 9113, section 8.2.2 and 8.3.1): the host becomes `:authority`, and fields of one connection
/// are left out but for `te: trailers`.
pub(super) fn frame_http2(mut parts: Parts, body: ProxyBody, wire: &Wire) -> Result<Request<ProxyBody>, RequestError> {
    if is_upgrade(&parts) {
        // Its body is empty, as for HTTP/1.1.
        (parts, _) = frame(parts, ProxyBody::empty())?.into_parts();
        websocket::to_http2(&mut parts);
    }
    let mut request = frame(parts, body)?;
    let headers = request.headers_mut();
    for name in [CONNECTION, TRANSFER_ENCODING, KEEP_ALIVE, PROXY_CONNECTION] {
        headers.remove(name);
    }
    let host = headers.remove(HOST).and_then(|host| Authority::try_from(host.as_bytes()).ok());
    let host = host.ok_or(RequestError::BadRequest("the host is not one that HTTP/2 can carry"))?;
    let mut target = std::mem::take(request.uri_mut()).into_parts();
    (target.scheme, target.authority) = (Some(wire.scheme()), Some(host));
    target.path_and_query.get_or_insert(PathAndQuery::from_static("/"));
    let invalid = |_| RequestError::BadRequest("the target is not one that HTTP/2 can carry");
    *request.uri_mut() = Uri::from_parts(target).map_err(invalid)?;
    *request.version_mut() = Version::HTTP_2;
    Ok(request)
}

/// Leaves one length in a response's headers at most, and none where a transfer coding has said how long the body is (RFC
/// 9112, section 6.3): whoever sends the body on takes that header at its word.
///
/// # Errors
/// What is wrong with the length, also where the library has not looked at it because there can be no body.
pub(super) fn settle(headers: &mut HeaderMap) -> Result<(), &'static str> {
    if headers.contains_key(TRANSFER_ENCODING) {
        headers.remove(CONTENT_LENGTH);
        return Ok(());
    }
    let lines = headers.get_all(CONTENT_LENGTH).iter();
    let mut lengths = lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b',')).map(length);
    let Some(first) = lengths.next() else { return Ok(()) };
    let length = first.ok_or("its content-length is no number")?;
    let mut repeated = false;
    for other in lengths {
        if other != first {
            return Err("it has several values of content-length");
        }
        repeated = true;
    }
    if repeated {
        headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    }
    Ok(())
}

/// Digits alone: the standard library would take a sign as well.
fn length(value: &[u8]) -> Option<u64> {
    let digits = value.trim_ascii();
    let digits = digits.iter().all(u8::is_ascii_digit).then_some(digits)?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// Whether the request asks for another protocol. Only what the proxy understands comes this far.
pub(super) fn is_upgrade(parts: &Parts) -> bool {
    parts.headers.contains_key(UPGRADE)
}

/// Methods that expect a body say so when there is none (RFC 9110, section 8.6).
fn announces_length(method: &Method) -> bool {
    matches!(*method, Method::POST | Method::PUT | Method::PATCH)
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn framed(request: http::request::Builder, body: ProxyBody) -> Request<ProxyBody> {
        let (parts, ()) = request.body(()).unwrap().into_parts();
        frame(parts, body).unwrap()
    }

    fn streaming() -> ProxyBody {
        let frames = futures_util::stream::empty::<Result<http_body::Frame<Bytes>, crate::body::BodyError>>();
        ProxyBody::stream(http_body_util::StreamBody::new(frames))
    }

    #[test]
    fn the_length_is_the_bodys_own() {
        let lying = || Request::post("/").header(CONTENT_LENGTH, 99).header(TRANSFER_ENCODING, "chunked");
        let known = framed(lying(), ProxyBody::full("abc"));
        assert_eq!(known.headers()[CONTENT_LENGTH], "3");
        assert!(!known.headers().contains_key(TRANSFER_ENCODING));
        let unknown = framed(lying(), streaming());
        assert!(!unknown.headers().contains_key(CONTENT_LENGTH));
        assert_eq!(unknown.headers()[TRANSFER_ENCODING], "chunked");
    }

    #[test]
    fn a_response_has_one_length_at_most_and_none_beside_a_transfer_coding() {
        let settled = |lines: &[&'static str], coding: Option<&'static str>| {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append(CONTENT_LENGTH, HeaderValue::from_static(line));
            }
            headers.extend(coding.map(|coding| (TRANSFER_ENCODING, HeaderValue::from_static(coding))));
            settle(&mut headers)?;
            let left = headers.get_all(CONTENT_LENGTH).iter().map(|line| line.to_str().unwrap().to_owned());
            Ok::<_, &str>(left.collect::<Vec<_>>().join(" and "))
        };
        for (lines, left) in [(&[][..], ""), (&["5"], "5"), (&["5", "5"], "5"), (&["5, 5"], "5"), (&["5", "05,5"], "5")]
        {
            assert_eq!(settled(lines, None).as_deref(), Ok(left), "{lines:?}");
        }
        for lines in
            [&["1", "2"][..], &["1, 2"], &["5", "x"], &["x"], &["+5"], &[""], &["5,"], &["18446744073709551616"]]
        {
            assert!(settled(lines, None).is_err(), "{lines:?}");
            for coding in ["chunked", "gzip, chunked", "gzip"] {
                assert_eq!(settled(lines, Some(coding)).as_deref(), Ok(""), "{lines:?}");
            }
        }
    }

    #[test]
    fn no_body_is_announced_only_by_methods_that_expect_one() {
        assert_eq!(framed(Request::post("/"), ProxyBody::empty()).headers()[CONTENT_LENGTH], "0");
        let get = framed(Request::get("/").header(CONTENT_LENGTH, 7), ProxyBody::empty());
        assert!(get.headers().is_empty());
    }

    #[test]
    fn the_target_is_in_origin_form() {
        let request = framed(Request::get("http://shop/orders?id=1"), ProxyBody::empty());
        assert_eq!(request.uri().to_string(), "/orders?id=1");
        assert_eq!(framed(Request::options("*"), ProxyBody::empty()).uri().to_string(), "*");
    }

    #[test]
    fn in_http2_the_host_is_the_authority_and_only_te_is_left_of_the_connections_fields() {
        let wire = Wire { protocol: crate::upstream::wire::Protocol::Http2, tls: None };
        let request = Request::post("/orders?id=1").header(HOST, "shop:8080").header(CONNECTION, "close");
        let request = request.header("keep-alive", "5").header("te", "trailers").header("x-a", "1");
        let (parts, ()) = request.body(()).unwrap().into_parts();
        let framed = frame_http2(parts, streaming(), &wire).unwrap();
        assert_eq!(framed.uri().to_string(), "http://shop:8080/orders?id=1");
        let mut names: Vec<_> = framed.headers().keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["te", "x-a"]);
        let refused = |builder: http::request::Builder| {
            let (parts, ()) = builder.body(()).unwrap().into_parts();
            frame_http2(parts, ProxyBody::empty(), &wire).unwrap_err().status().as_u16()
        };
        assert_eq!(refused(Request::get("/")), 400);
    }

    #[test]
    fn an_upgrade_takes_no_body_along() {
        let (parts, ()) = Request::get("/").header(UPGRADE, "websocket").body(()).unwrap().into_parts();
        assert!(matches!(frame(parts, ProxyBody::full("x")), Err(RequestError::NotImplemented(_))));
    }
}
