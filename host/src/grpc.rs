//! What of gRPC a proxy has to know: which requests are calls, how long they may take, and how a call is told that it
//! failed. Messages pass through as any body does.

use crate::body::{BodyError, ProxyBody};
use crate::config::limits;
use crate::error::RequestError;
use crate::respond;
use crate::timer::Timer;
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::Instant;

const GRPC_TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");
const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
const GRPC_MESSAGE: HeaderName = HeaderName::from_static("grpc-message");
const GRPC: HeaderValue = HeaderValue::from_static("application/grpc");
/// The format's limit (PROTOCOL-HTTP2, `TimeoutValue`).
const TIMEOUT_DIGITS: usize = 8;
/// What a message has to be encoded for beside control characters and what is not ASCII (`Percent-Encoded`).
const MESSAGE: &AsciiSet = &CONTROLS.add(b'%');

/// What a call is told; the numbers are gRPC's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    /// Nobody knows why.
    Unknown = 2,
    /// Its time is over.
    DeadlineExceeded = 4,
    /// It may not do that.
    PermissionDenied = 7,
    /// It asks for too much.
    ResourceExhausted = 8,
    /// Nobody has such a method.
    Unimplemented = 12,
    /// Somebody broke the protocol.
    Internal = 13,
    /// It may try again.
    Unavailable = 14,
    /// Nobody knows who asks.
    Unauthenticated = 16,
}

impl Code {
    /// The code of an HTTP status, as gRPC maps it (doc/http-grpc-status-mapping).
    pub fn of(status: StatusCode) -> Self {
        match status.as_u16() {
            400 => Self::Internal,
            401 => Self::Unauthenticated,
            403 => Self::PermissionDenied,
            404 => Self::Unimplemented,
            429 | 502..=504 => Self::Unavailable,
            _ => Self::Unknown,
        }
    }

    /// The code of an error; what gRPC has a word of its own for is called by it.
    fn of_error(error: &RequestError) -> Self {
        match error {
            RequestError::Deadline { .. } | RequestError::RequestTimeout => Self::DeadlineExceeded,
            RequestError::BodyTooLarge { .. } | RequestError::HeadTooLarge(_) => Self::ResourceExhausted,
            error => Self::of(error.status()),
        }
    }

    fn value(self) -> HeaderValue {
        HeaderValue::from(self as u16)
    }
}

/// A call on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Call {
    /// How long it may take, as its client says.
    pub timeout: Option<Duration>,
}

impl Call {
    /// The call that a request is; none when it is none.
    pub fn of(method: &Method, headers: &HeaderMap) -> Option<Self> {
        (*method == Method::POST && is_grpc(headers)).then(|| Self { timeout: timeout(headers) })
    }

    /// How long it may take on a route with this limit.
    pub fn limit(self, route: Option<Duration>) -> Option<Duration> {
        self.timeout.into_iter().chain(route).min()
    }

    /// Whether its client gives it less time than its route does, or than endpoints have by default.
    pub fn hurries(self, route: Option<Duration>) -> bool {
        self.timeout.is_some_and(|own| own < route.unwrap_or(limits::UPSTREAM_FIRST_BYTE))
    }
}

/// Whether a message is gRPC's, rather than gRPC-Web's or anything else.
fn is_grpc(headers: &HeaderMap) -> bool {
    let content_type = headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes);
    let rest = content_type.and_then(|value| value.strip_prefix(GRPC.as_bytes()));
    rest.is_some_and(|rest| matches!(rest.first(), None | Some(b'+' | b';')))
}

/// What `grpc-timeout` says; none when it is not there, or not in a form that is known.
fn timeout(headers: &HeaderMap) -> Option<Duration> {
    let value = headers.get(GRPC_TIMEOUT)?.to_str().ok()?;
    let (digits, unit) = value.split_at_checked(value.len().checked_sub(1)?)?;
    if digits.is_empty() || digits.len() > TIMEOUT_DIGITS || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let number = digits.parse().ok()?;
    match unit {
        "H" => Some(Duration::from_hours(number)),
        "M" => Some(Duration::from_mins(number)),
        "S" => Some(Duration::from_secs(number)),
        "m" => Some(Duration::from_millis(number)),
        "u" => Some(Duration::from_micros(number)),
        "n" => Some(Duration::from_nanos(number)),
        _ => None,
    }
}

/// The answer to a call that failed here.
pub fn error(error: &RequestError) -> Response<ProxyBody> {
    answer(Code::of_error(error), &respond::text(error))
}

/// What a call gets instead of a policy's answer, unless that is gRPC's own or a success.
pub fn refusal(response: Response<ProxyBody>) -> Response<ProxyBody> {
    if response.status().is_success() || response.headers().contains_key(GRPC_STATUS) {
        return response;
    }
    let reason = response.status().canonical_reason().unwrap_or("refused");
    let mut refusal = answer(Code::of(response.status()), reason);
    for (name, value) in response.headers().iter().filter(|(name, _)| !name.as_str().starts_with("content-")) {
        refusal.headers_mut().append(name, value.clone());
    }
    refusal
}

/// An answer without messages: everything that it says is in its one head ("Trailers-Only").
fn answer(code: Code, text: &str) -> Response<ProxyBody> {
    let mut response = Response::new(ProxyBody::empty());
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, GRPC);
    fill(headers, code, text);
    response
}

fn fill(headers: &mut HeaderMap, code: Code, text: &str) {
    headers.insert(GRPC_STATUS, code.value());
    let text = utf8_percent_encode(text.trim(), MESSAGE).to_string();
    if let (false, Ok(text)) = (text.is_empty(), HeaderValue::try_from(text)) {
        headers.insert(GRPC_MESSAGE, text);
    }
}

/// The body of a call's response, which ends with `DEADLINE_EXCEEDED` at that moment; what it comes on is given up then.
pub fn until(deadline: Instant, body: ProxyBody) -> ProxyBody {
    if body.is_end_stream() {
        return body;
    }
    ProxyBody::stream(Timed { body: Some(body), timer: Timer::default(), deadline })
}

struct Timed {
    body: Option<ProxyBody>,
    timer: Timer,
    deadline: Instant,
}

impl Body for Timed {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let Self { body: rest, timer, deadline } = &mut *self;
        let Some(body) = rest else { return Poll::Ready(None) };
        if let Poll::Ready(frame) = Pin::new(body).poll_frame(context) {
            return Poll::Ready(frame);
        }
        if !timer.passed(context, *deadline) {
            return Poll::Pending;
        }
        *rest = None;
        let mut trailers = HeaderMap::new();
        fill(&mut trailers, Code::DeadlineExceeded, "the call took longer than its deadline");
        Poll::Ready(Some(Ok(Frame::trailers(trailers))))
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or_else(SizeHint::default, Body::size_hint)
    }
}

#[cfg(test)]
mod tests;
