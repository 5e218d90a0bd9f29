//! One try over HTTP/2, where requests share a connection.

use super::attempt::{Answered, Failure, Unanswered, copy, of_body, unusable};
use super::clock::{Blame, Clock};
use super::retry::Fault;
use super::streams::Stream;
use super::target::Target;
use super::{framing, response};
use crate::body::{BodyError, ProxyBody};
use crate::config::limits;
use crate::error::RequestError;
use crate::timer::Timer;
use crate::websocket;
use bytes::Bytes;
use h2::Reason;
use http::{HeaderValue, Request, StatusCode};
use http_body::{Body, Frame, SizeHint};
use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};
use tokio::time::{Instant, sleep};

/// Sends the request to the endpoint on a stream of its own. What the endpoint says that it has not looked at is sent
/// again on another connection, which does not count as a try.
pub(super) async fn attempt(
    target: Target<'_>,
    mut request: Request<ProxyBody>,
    clock: Clock,
) -> Result<Answered, Failure> {
    let failed = follow_upload(&mut request);
    let mut late = clock.late(super::attempt::watch_upload(&mut request));
    let mut timer = Timer::default();
    let (tunnel, expected) = (websocket::is_extended(&request), websocket::expected(&request));
    let (mut sendings, mut repeated) = (0, false);
    loop {
        sendings += 1;
        let mut stream = super::attempt::open_stream(target, clock, &mut request).await?;
        if tunnel && !takes_tunnels(&stream).await {
            let reason = "it does not take WebSocket over HTTP/2 (RFC 8441)".to_owned();
            let error = RequestError::BadResponse { endpoint: stream.address.to_string(), reason };
            // Its clients decide that they ask for what it does not do.
            return Err(Failure { blame: Blame::Nobody, ..Failure::new(error, Fault::Final, None) });
        }
        let spare = copy(&request);
        let (first, repeatable) = (stream.first, request.method().is_idempotent());
        let mut sending = pin!(stream.sender.try_send_request(request));
        let sent = poll_fn(|context| match sending.as_mut().poll(context) {
            Poll::Ready(sent) => Poll::Ready(sent.map_err(|error| Unanswered::Failed(Box::new(error)))),
            Poll::Pending => late.passed(context, &mut timer).map(|blame| Err(Unanswered::Late(blame))),
        });
        let mut error = match sent.await {
            Ok(received) if tunnel && received.status() == StatusCode::OK => {
                return Ok(tunnelled(received, stream, expected));
            }
            Ok(received) => return answered(received, stream),
            Err(Unanswered::Late(blame)) => return Err(clock.passed(blame)),
            Err(Unanswered::Failed(error)) => error,
        };
        if let Some(error) = failed.as_ref().and_then(|failed| failed.get()) {
            return Err(Failure::new(error.clone(), Fault::Final, None));
        }
        let unsent = error.take_message();
        let end = End::of(&error.into_error(), unsent.is_some());
        // A close that crosses the request on its way: what is idempotent may be repeated, once (RFC 9110, section 9.2.2).
        let lost = end == End::Unread || (end == End::Lost && !first);
        let unlucky = lost && repeatable && !repeated;
        repeated |= unlucky;
        match unsent.or(spare) {
            Some(again) if (end == End::Unseen || unlucky) && sendings < limits::UPSTREAM_H2_SENDINGS => {
                request = again;
            }
            again => return Err(end.failure(stream.address, again)),
        }
    }
}

fn answered(mut response: http::Response<hyper::body::Incoming>, stream: Stream) -> Result<Answered, Failure> {
    let address = stream.address;
    framing::settle(response.headers_mut()).map_err(|reason| unusable(address, reason))?;
    let response = response.map(|incoming| response::body_of_stream(incoming, stream));
    Ok(Answered { response, upgrade: None, stream: None, address })
}

/// The answer to an extended CONNECT, as that to an upgrade.
fn tunnelled(
    mut response: http::Response<hyper::body::Incoming>,
    stream: Stream,
    expected: Option<HeaderValue>,
) -> Answered {
    let (address, upgrade) = (stream.address, Some(hyper::upgrade::on(&mut response)));
    websocket::of_answer(&mut response, expected);
    Answered { response: response.map(|_| ProxyBody::empty()), upgrade, stream: Some(stream), address }
}

/// Whether an extended CONNECT may be sent, which a connection's first frame says; it may still be on its way.
async fn takes_tunnels(stream: &Stream) -> bool {
    let until = stream.opened + limits::UPSTREAM_H2_SETTINGS;
    loop {
        if stream.takes_tunnels() || stream.sender.is_closed() {
            return true;
        }
        if Instant::now() >= until {
            return false;
        }
        sleep(limits::UPSTREAM_H2_SETTINGS_LOOK).await;
    }
}

/// How a stream ended that brought no response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// The connection was closing, and the request was not looked at (RFC 9113, sections 6.8 and 8.7).
    Unseen,
    /// The endpoint refused the stream, and did not look at it either.
    Refused,
    /// The endpoint reset the stream.
    Reset(Reason),
    /// The connection ended.
    Lost,
    /// The library ended the connection, as [`is_unread`] says.
    Unread,
    /// What came was no HTTP/2.
    Invalid(Reason),
}

impl End {
    fn of(error: &hyper::Error, unsent: bool) -> Self {
        let Some(cause) = cause(error) else {
            return if unsent { Self::Unseen } else { Self::Lost };
        };
        match cause.reason() {
            Some(Reason::REFUSED_STREAM) if cause.is_remote() => Self::Refused,
            Some(_) if unsent || (cause.is_go_away() && cause.is_remote()) => Self::Unseen,
            Some(reason) if cause.is_remote() => Self::Reset(reason),
            Some(_) if is_unread(error) => Self::Unread,
            Some(reason) => Self::Invalid(reason),
            None if unsent => Self::Unseen,
            None => Self::Lost,
        }
    }

    /// `again` is the request, when it may be sent once more: only what nobody has looked at is handed back.
    fn failure(self, endpoint: SocketAddr, again: Option<Request<ProxyBody>>) -> Failure {
        let endpoint = endpoint.to_string();
        let again = again.map(Box::new);
        let described = |reason: Reason| reason.description().to_owned();
        match self {
            Self::Unseen => Failure::new(RequestError::Reset { endpoint }, Fault::ResetBeforeRequest, again),
            Self::Refused => {
                let reason = described(Reason::REFUSED_STREAM);
                Failure::new(RequestError::StreamReset { endpoint, reason }, Fault::Refused, again)
            }
            Self::Reset(reason) => {
                let reason = described(reason);
                Failure::new(RequestError::StreamReset { endpoint, reason }, Fault::Reset, None)
            }
            Self::Lost => Failure::new(RequestError::Reset { endpoint }, Fault::Reset, None),
            Self::Unread => {
                let blame = Blame::Nobody;
                Failure { blame, ..Failure::new(RequestError::Reset { endpoint }, Fault::Reset, None) }
            }
            Self::Invalid(reason) => {
                let reason = described(reason);
                Failure::new(RequestError::BadResponse { endpoint, reason }, Fault::Reset, None)
            }
        }
    }
}

/// Whether the library has ended a connection since too many small pieces of responses wait on it to be taken. It is the
/// clients of those that do not take them, so it says nothing of the endpoint.
pub(super) fn is_unread(error: &hyper::Error) -> bool {
    let calms = |cause: &h2::Error| cause.reason() == Some(Reason::ENHANCE_YOUR_CALM);
    cause(error).is_some_and(|cause| cause.is_library() && cause.is_go_away() && calms(cause))
}

fn cause(error: &hyper::Error) -> Option<&h2::Error> {
    std::error::Error::source(error)?.downcast_ref()
}

/// Keeps why a body that streams broke: HTTP/2 only tells that its stream was reset.
fn follow_upload(request: &mut Request<ProxyBody>) -> Option<Arc<OnceLock<RequestError>>> {
    if request.body().is_known() {
        return None;
    }
    let failed = Arc::new(OnceLock::new());
    let body = std::mem::replace(request.body_mut(), ProxyBody::empty());
    *request.body_mut() = ProxyBody::stream(Followed { body, failed: Arc::clone(&failed) });
    Some(failed)
}

struct Followed {
    body: ProxyBody,
    failed: Arc<OnceLock<RequestError>>,
}

impl Body for Followed {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        if let Some(Err(error)) = &frame {
            // A body breaks once.
            let _ = self.failed.set(of_body(error));
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
