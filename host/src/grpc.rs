//! What of gRPC a proxy has to know: which requests are calls, how long they may take, and how a call is told that it
//! failed. Messages pass through as any body does.

use crate::body::{BodyError, ProxyBody};
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
mod tests {
    use super::*;
    use http_body_util::BodyExt;

    fn headers(name: &'static str, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap())])
    }

    #[test]
    fn a_call_is_known_by_its_content_type() {
        let types = [
            ("application/grpc", true),
            ("application/grpc+proto", true),
            ("application/grpc;charset=utf-8", true),
            ("application/grpc-web", false),
            ("application/json", false),
        ];
        for (content_type, is) in types {
            assert_eq!(Call::of(&Method::POST, &headers("content-type", content_type)).is_some(), is, "{content_type}");
        }
        assert_eq!(Call::of(&Method::GET, &headers("content-type", "application/grpc")), None);
    }

    #[test]
    fn a_timeout_is_read_in_every_unit_and_nothing_else_is() {
        let table = [
            ("1H", Some(Duration::from_hours(1))),
            ("2M", Some(Duration::from_mins(2))),
            ("3S", Some(Duration::from_secs(3))),
            ("99999999m", Some(Duration::from_millis(99_999_999))),
            ("5u", Some(Duration::from_micros(5))),
            ("6n", Some(Duration::from_nanos(6))),
            ("999999999S", None),
            ("S", None),
            ("+1S", None),
            ("1s", None),
            ("1.5S", None),
            ("", None),
        ];
        for (text, expected) in table {
            assert_eq!(timeout(&headers("grpc-timeout", text)), expected, "{text}");
        }
    }

    #[test]
    fn a_failed_call_is_told_in_one_head() {
        let table = [
            (RequestError::Deadline { milliseconds: 5 }, "4"),
            (RequestError::NoRoute { authority: "a".into() }, "12"),
            (RequestError::Reset { endpoint: "a".into() }, "14"),
            (RequestError::BodyTooLarge { limit: 1 }, "8"),
            (RequestError::BadRequest("x"), "13"),
        ];
        for (failed, code) in table {
            let response = error(&failed);
            assert_eq!((response.status().as_u16(), response.body().is_end_stream()), (200, true));
            assert_eq!(response.headers()["grpc-status"], code, "{failed}");
            assert_eq!(response.headers()["content-type"], "application/grpc");
        }
    }

    #[test]
    fn a_message_is_encoded() {
        assert_eq!(answer(Code::Unknown, "100% wröng\n").headers()["grpc-message"], "100%25 wr%C3%B6ng");
        assert!(!answer(Code::Unknown, "").headers().contains_key("grpc-message"));
    }

    #[test]
    fn the_shorter_of_two_limits_counts() {
        let (long, short) = (Duration::from_secs(9), Duration::from_secs(1));
        let call = |timeout| Call { timeout };
        assert_eq!(call(Some(long)).limit(Some(short)), Some(short));
        assert_eq!(call(Some(short)).limit(Some(long)), Some(short));
        assert_eq!((call(None).limit(Some(long)), call(Some(long)).limit(None)), (Some(long), Some(long)));
        assert_eq!(call(None).limit(None), None);
    }

    #[test]
    fn a_policys_refusal_keeps_its_headers_and_gets_a_code() {
        let denied = Response::builder().status(403).header("x-why", "no").header("content-type", "text/plain");
        let refused = refusal(denied.body(ProxyBody::full("denied")).unwrap());
        assert_eq!(
            (refused.status().as_u16(), &refused.headers()["grpc-status"]),
            (200, &HeaderValue::from_static("7"))
        );
        assert_eq!((&refused.headers()["x-why"], refused.headers().len()), (&HeaderValue::from_static("no"), 4));
        let own = Response::builder().header("grpc-status", "5").body(ProxyBody::empty()).unwrap();
        assert_eq!(refusal(own).headers()["grpc-status"], "5");
    }

    #[tokio::test(start_paused = true)]
    async fn a_response_that_outlasts_its_call_ends_with_the_code_for_it() {
        let silent = futures_util::stream::pending::<Result<Frame<Bytes>, BodyError>>();
        let body = ProxyBody::stream(http_body_util::StreamBody::new(silent));
        let started = Instant::now();
        let mut body = until(started + Duration::from_secs(2), body);
        let trailers = body.frame().await.unwrap().unwrap().into_trailers().unwrap();
        assert_eq!(trailers["grpc-status"], "4");
        assert_eq!(started.elapsed().as_secs(), 2);
        assert!(body.frame().await.is_none());
    }
}
