//! WebSocket in both versions of HTTP: an upgrade in HTTP/1.1 (RFC 6455), an extended CONNECT in HTTP/2 (RFC 8441).
//!
//! Between its two sides the proxy has one form, that of HTTP/1.1: a GET with `upgrade: websocket`, answered 101. What comes
//! or goes in HTTP/2 is turned into that form and back, and the keys of the handshake, which HTTP/2 does without, are made or
//! checked here.

use crate::body::ProxyBody;
use crate::error::RequestError;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::{
    CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, Version};
use hyper::ext::Protocol;

/// RFC 6455, section 1.3.
const SUFFIX: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
const WEBSOCKET: &str = "websocket";
/// RFC 6455, section 4.1.
const VERSION: HeaderValue = HeaderValue::from_static("13");

/// What a server has to accept a handshake with.
#[derive(Debug, Clone)]
struct Expected(HeaderValue);

/// The answer to a handshake that the proxy takes up itself, in a sub-protocol that the client has to have asked for (RFC
/// 6455, section 4.2.2; RFC 8441, section 5).
///
/// # Errors
/// When the client does not speak it.
pub fn accepted(
    headers: &HeaderMap,
    version: Version,
    protocol: &'static str,
) -> Result<Response<ProxyBody>, RequestError> {
    let offered = headers.get_all(SEC_WEBSOCKET_PROTOCOL).iter().filter_map(|value| value.to_str().ok());
    if !offered.flat_map(|value| value.split(',')).any(|offered| offered.trim() == protocol) {
        return Err(RequestError::BadRequest("the sub-protocol cloudevents.json has to be asked for"));
    }
    if headers.get(SEC_WEBSOCKET_VERSION).is_some_and(|version| *version != VERSION) {
        return Err(RequestError::BadRequest("only version 13 of WebSocket is spoken"));
    }
    let mut response = Response::new(ProxyBody::empty());
    response.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(protocol));
    if version == Version::HTTP_2 {
        return Ok(response);
    }
    let key = headers.get(SEC_WEBSOCKET_KEY).ok_or(RequestError::BadRequest("the handshake has no key"))?;
    of_answer(&mut response, Some(accept(key)));
    Ok(response)
}

/// Turns an extended CONNECT into the GET that it stands for; whether a request is one.
///
/// # Errors
/// When it is a CONNECT of another kind, which nothing here is for, is one to nowhere (RFC 9113, section 8.5), or names a
/// protocol without being a CONNECT.
pub fn of_http2(parts: &mut Parts) -> Result<bool, RequestError> {
    let protocol = parts.extensions.remove::<Protocol>();
    if parts.method != Method::CONNECT {
        let stray = protocol.map(|_| RequestError::BadRequest("a protocol is for CONNECT only"));
        return stray.map_or(Ok(false), Err);
    }
    match protocol {
        Some(protocol) if protocol.as_ref() == WEBSOCKET.as_bytes() => {
            parts.method = Method::GET;
            Ok(true)
        }
        Some(_) => {
            Err(RequestError::NotImplemented("of the protocols of an extended CONNECT only websocket is spoken"))
        }
        None if parts.uri.authority().is_none() => Err(RequestError::BadRequest(":authority is missing")),
        None => Err(RequestError::NotImplemented("CONNECT is not supported")),
    }
}

/// Completes the headers of a handshake for a server of HTTP/1.1. A client of HTTP/2 has sent no key.
pub fn ask(headers: &mut HeaderMap, version: Version) {
    headers.insert(UPGRADE, HeaderValue::from_static(WEBSOCKET));
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    if version == Version::HTTP_2 {
        headers.entry(SEC_WEBSOCKET_VERSION).or_insert(VERSION);
        let key = STANDARD.encode(fastrand::u128(..).to_be_bytes());
        // Base64 is always valid.
        headers.entry(SEC_WEBSOCKET_KEY).or_insert(HeaderValue::try_from(key).unwrap_or(VERSION));
    }
}

/// Turns a server's 101 into what a client of HTTP/2 gets; none when it does not accept the key that was sent.
pub fn answer_in_http2<B>(mut response: Response<B>, key: Option<&HeaderValue>) -> Option<Response<B>> {
    let headers = response.headers_mut();
    let accepted = headers.remove(SEC_WEBSOCKET_ACCEPT);
    if key.map(accept) != accepted {
        return None;
    }
    headers.remove(CONNECTION);
    headers.remove(UPGRADE);
    *response.status_mut() = StatusCode::OK;
    Some(response)
}

/// Turns a handshake into an extended CONNECT, whose answer [`of_answer`] turns back.
pub fn to_http2(parts: &mut Parts) {
    parts.method = Method::CONNECT;
    parts.extensions.insert(Protocol::from_static(WEBSOCKET));
    parts.headers.remove(UPGRADE);
    if let Some(key) = parts.headers.remove(SEC_WEBSOCKET_KEY) {
        parts.extensions.insert(Expected(accept(&key)));
    }
}

/// Whether a request is an extended CONNECT.
pub fn is_extended<B>(request: &http::Request<B>) -> bool {
    request.method() == Method::CONNECT && request.extensions().get::<Protocol>().is_some()
}

/// The value to accept a handshake with that was turned into this request; none when the client gave no key.
pub fn expected<B>(request: &http::Request<B>) -> Option<HeaderValue> {
    request.extensions().get::<Expected>().map(|expected| expected.0.clone())
}

/// Turns the answer to an extended CONNECT into a 101.
pub fn of_answer<B>(response: &mut Response<B>, expected: Option<HeaderValue>) {
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    *response.version_mut() = Version::HTTP_11;
    let headers = response.headers_mut();
    headers.insert(UPGRADE, HeaderValue::from_static(WEBSOCKET));
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    if let Some(expected) = expected {
        headers.insert(SEC_WEBSOCKET_ACCEPT, expected);
    }
}

/// What accepts a key (RFC 6455, section 4.2.2). SHA-1 protects nothing there.
fn accept(key: &HeaderValue) -> HeaderValue {
    let mut text = key.as_bytes().trim_ascii().to_vec();
    text.extend_from_slice(SUFFIX);
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA1_FOR_LEGACY_USE_ONLY, &text);
    // Base64 is always valid.
    HeaderValue::try_from(STANDARD.encode(digest)).unwrap_or(VERSION)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Request;

    #[test]
    fn a_key_is_accepted_as_the_specification_shows() {
        let key = HeaderValue::from_static("dGhlIHNhbXBsZSBub25jZQ==");
        assert_eq!(accept(&key), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }

    #[test]
    fn a_handshake_goes_through_http2_and_back() {
        let request =
            Request::get("/chat").header(SEC_WEBSOCKET_KEY, "dGhlIHNhbXBsZSBub25jZQ==").header(UPGRADE, "websocket");
        let (mut parts, ()) = request.body(()).unwrap().into_parts();
        to_http2(&mut parts);
        let request = Request::from_parts(parts, ());
        assert!(is_extended(&request) && request.headers().is_empty(), "{request:?}");
        let mut response = Response::new(());
        of_answer(&mut response, expected(&request));
        assert_eq!(response.status(), 101);
        let key = HeaderValue::from_static("dGhlIHNhbXBsZSBub25jZQ==");
        let back = answer_in_http2(response, Some(&key)).unwrap();
        assert_eq!((back.status(), back.headers().len()), (StatusCode::OK, 0));
    }

    #[test]
    fn a_handshake_that_the_proxy_takes_up_has_its_protocol_and_key() {
        let mut headers = HeaderMap::new();
        headers.insert(SEC_WEBSOCKET_KEY, HeaderValue::from_static("dGhlIHNhbXBsZSBub25jZQ=="));
        assert!(accepted(&headers, Version::HTTP_11, "cloudevents.json").is_err(), "nobody asked for it");
        headers.insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static("other, cloudevents.json"));
        let response = accepted(&headers, Version::HTTP_11, "cloudevents.json").unwrap();
        assert_eq!((response.status(), response.headers().len()), (StatusCode::SWITCHING_PROTOCOLS, 4));
        assert_eq!(response.headers()[SEC_WEBSOCKET_ACCEPT], "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        let response = accepted(&headers, Version::HTTP_2, "cloudevents.json").unwrap();
        assert_eq!((response.status(), response.headers().len()), (StatusCode::OK, 1));
        headers.insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("8"));
        assert!(accepted(&headers, Version::HTTP_2, "cloudevents.json").is_err());
    }

    #[test]
    fn a_server_that_does_not_accept_the_key_is_no_websocket() {
        let key = HeaderValue::from_static("dGhlIHNhbXBsZSBub25jZQ==");
        for accepted in [Some("c29tZXRoaW5nIGVsc2U="), None] {
            let mut response = Response::builder().status(101);
            if let Some(accepted) = accepted {
                response = response.header(SEC_WEBSOCKET_ACCEPT, accepted);
            }
            assert!(answer_in_http2(response.body(()).unwrap(), Some(&key)).is_none(), "{accepted:?}");
        }
    }

    #[test]
    fn a_key_is_made_for_clients_that_send_none() {
        let mut headers = HeaderMap::new();
        ask(&mut headers, Version::HTTP_2);
        let key = headers[SEC_WEBSOCKET_KEY].as_bytes().to_vec();
        assert_eq!(STANDARD.decode(key).unwrap().len(), 16);
        let mut headers = HeaderMap::new();
        ask(&mut headers, Version::HTTP_11);
        assert_eq!(headers.len(), 2);
    }

    #[test]
    fn other_uses_of_connect_are_refused() {
        let (mut plain, ()) = Request::connect("a:443").body(()).unwrap().into_parts();
        assert!(of_http2(&mut plain).is_err());
        plain.extensions.insert(Protocol::from_static("connect-udp"));
        assert!(of_http2(&mut plain).is_err());
        plain.extensions.insert(Protocol::from_static("websocket"));
        assert!(of_http2(&mut plain).unwrap());
        assert_eq!(plain.method, Method::GET);
        assert!(!of_http2(&mut plain).unwrap(), "a GET like others");
        plain.extensions.insert(Protocol::from_static("websocket"));
        assert!(of_http2(&mut plain).is_err());
    }
}
