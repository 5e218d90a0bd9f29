//! What a service of WebSocket answers to a handshake.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::{SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY};
use http::{HeaderMap, HeaderValue};

/// RFC 6455, section 1.3.
const SUFFIX: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// Accepts the key of a request, if it has one (RFC 6455, section 4.2.2).
pub(crate) fn accept(request: &HeaderMap, response: &mut HeaderMap) {
    let Some(key) = request.get(SEC_WEBSOCKET_KEY) else { return };
    let text = [key.as_bytes(), SUFFIX].concat();
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA1_FOR_LEGACY_USE_ONLY, &text);
    let value = HeaderValue::try_from(STANDARD.encode(digest)).expect("base64 is a header value");
    response.insert(SEC_WEBSOCKET_ACCEPT, value);
}
