//! What a client is told when the proxy itself has to answer.

use crate::body::{ProxyBody, ThenReset};
use crate::error::RequestError;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderName, HeaderValue, Response};
use http_body::Body;

/// When a client should come again that found a channel full, in seconds.
const COME_AGAIN: HeaderValue = HeaderValue::from_static("1");
/// Says that a limit of the service was met and that trying again at once makes it worse; Envoy's name for it, which
/// clients and other proxies know.
const OVERLOADED: HeaderName = HeaderName::from_static("x-envoy-overloaded");

/// What a client is told of an error, in a line of text. What a filter or an upstream said of itself stays in the log.
pub fn text(error: &RequestError) -> String {
    match error {
        RequestError::Filter { answer: Some(answer), .. } => answer.body.clone(),
        RequestError::Filter { .. } => "a policy failed\n".to_owned(),
        RequestError::ConnectFailed { .. } | RequestError::HandshakeFailed { .. } => {
            "no connection to the service\n".to_owned()
        }
        RequestError::Reset { .. } | RequestError::StreamReset { .. } => {
            "the service closed the connection\n".to_owned()
        }
        RequestError::BadResponse { .. } => "the service's response is not valid\n".to_owned(),
        RequestError::NoRoute { .. } => String::new(),
        other => format!("{other}\n"),
    }
}

/// The response for an error: its status, and its reason.
pub fn error(error: &RequestError) -> Response<ProxyBody> {
    let text = text(error);
    let mut response = Response::new(ProxyBody::full(text.clone()));
    *response.status_mut() = error.status();
    if !text.is_empty() {
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    }
    if let RequestError::Filter { answer: Some(answer), .. } = error
        && !text.is_empty()
    {
        response.headers_mut().insert(CONTENT_TYPE, answer.content_type.clone());
    }
    if matches!(error, RequestError::Publish { .. } | RequestError::StorageFull { .. }) {
        response.headers_mut().insert(RETRY_AFTER, COME_AGAIN);
    }
    let shed = error.shed();
    if let Some(shed) = shed {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(shed.retry_after));
    }
    if matches!(error, RequestError::UpstreamOverloaded { .. }) || shed.is_some_and(|shed| !shed.reason.is_of_client())
    {
        response.headers_mut().insert(OVERLOADED, HeaderValue::from_static("true"));
    }
    response
}

/// The response to a malformed request of HTTP/2: when it has been sent, its stream is reset (RFC 9113, section 8.1.1).
pub fn malformed(response: Response<ProxyBody>) -> Response<ProxyBody> {
    response.map(|body| ProxyBody::stream(ThenReset::new(body)))
}

/// The response to a HEAD request: it says how long its body would be, and has none (RFC 9110, section 9.3.2).
pub fn head_only(response: Response<ProxyBody>) -> Response<ProxyBody> {
    if response.body().is_end_stream() {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    if let Some(length) = body.size_hint().exact() {
        parts.headers.entry(CONTENT_LENGTH).or_insert_with(|| length.into());
    }
    Response::from_parts(parts, ProxyBody::empty())
}
