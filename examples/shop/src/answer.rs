//! Answers of the services: JSON, with the service's name in it.

use bytes::Bytes;
use http::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use http::{Response, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;

/// A JSON answer.
pub(crate) fn json(status: StatusCode, value: &impl Serialize) -> Response<Bytes> {
    let mut body = serde_json::to_vec(value).unwrap_or_else(|_| b"null".to_vec());
    body.push(b'\n');
    let mut response = Response::new(Bytes::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// An answer that says what went wrong.
pub(crate) fn problem(service: &str, status: StatusCode, message: &str) -> Response<Bytes> {
    json(status, &json!({"service": service, "error": message}))
}

/// Nothing is there.
pub(crate) fn not_found(service: &str, path: &str) -> Response<Bytes> {
    problem(service, StatusCode::NOT_FOUND, &format!("nothing is at {path}"))
}

/// Something is there, for other methods.
pub(crate) fn not_allowed(service: &str, allow: &'static str) -> Response<Bytes> {
    let mut response = problem(service, StatusCode::METHOD_NOT_ALLOWED, &format!("only {allow}"));
    response.headers_mut().insert(ALLOW, HeaderValue::from_static(allow));
    response
}

/// Reads a JSON body, or says what is wrong with it.
///
/// # Errors
/// The reason, to be answered with 400.
pub(crate) fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, String> {
    serde_json::from_slice(body).map_err(|error| format!("the body does not fit: {error}"))
}
