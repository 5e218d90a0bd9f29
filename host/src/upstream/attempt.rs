//! One try: a connection, the request on it, the response's head back.

use super::clock::{Blame, Clock};
use super::pool::Lease;
use super::retry::Fault;
use super::streams::Stream;
use super::target::{OpenError, Target};
use super::wire::Wire;
use super::{framing, multiplex, response};
use crate::body::{BodyError, ProxyBody};
use crate::config::limits;
use crate::error::RequestError;
use crate::telemetry::metrics::UpstreamResult;
use http::{Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::client::conn::TrySendError;
use hyper::upgrade::OnUpgrade;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::Instant;

/// A response's head with its body still on the connection.
pub(super) struct Answered {
    pub(super) response: Response<ProxyBody>,
    pub(super) upgrade: Option<OnUpgrade>,
    /// The stream of an upgrade in HTTP/2.
    pub(super) stream: Option<Stream>,
    /// Which of its endpoint's addresses answered.
    pub(super) address: SocketAddr,
}

impl Answered {
    pub(super) fn status(&self) -> StatusCode {
        self.response.status()
    }
}

/// A try without a response.
pub(super) struct Failure {
    pub(super) error: RequestError,
    /// What kind of failure retries see.
    pub(super) fault: Fault,
    /// The request, when none of it was sent.
    pub(super) unsent: Option<Box<Request<ProxyBody>>>,
    /// Whom it speaks against, where its error could speak against the endpoint.
    pub(super) blame: Blame,
}

/// Why there is no response yet to a request that was sent.
pub(super) enum Unanswered {
    /// Its time has passed.
    Late(Blame),
    /// In a box, since a request may come back in it and most requests do not fail.
    Failed(Box<TrySendError<Request<ProxyBody>>>),
}

impl Failure {
    /// One that speaks against the endpoint, if its error is of a kind that does.
    pub(super) fn new(error: RequestError, fault: Fault, unsent: Option<Box<Request<ProxyBody>>>) -> Self {
        Self { error, fault, unsent, blame: Blame::Endpoint }
    }

    /// What metrics call it.
    pub(super) fn result(&self) -> UpstreamResult {
        match self.error {
            RequestError::ConnectFailed { .. } | RequestError::HandshakeFailed { .. } => UpstreamResult::ConnectFailure,
            RequestError::Reset { .. } | RequestError::StreamReset { .. } => UpstreamResult::Reset,
            RequestError::BadResponse { .. } => UpstreamResult::Invalid,
            RequestError::Deadline { .. } => UpstreamResult::Deadline,
            RequestError::UpstreamOverloaded { .. } => UpstreamResult::Overflow,
            // The client's body.
            _ => UpstreamResult::Cancelled,
        }
    }

    /// Whether the endpoint is to blame: not a client's broken body or haste, not a limit that was met, and not the time
    /// that passed before anything could be sent.
    pub(super) fn is_upstreams(&self) -> bool {
        let speaks = match self.error {
            RequestError::ConnectFailed { .. }
            | RequestError::HandshakeFailed { .. }
            | RequestError::Reset { .. }
            | RequestError::StreamReset { .. }
            | RequestError::BadResponse { .. } => true,
            RequestError::Deadline { .. } => self.unsent.is_none(),
            _ => false,
        };
        speaks && self.blame == Blame::Endpoint
    }
}

/// Sends the request to the endpoint. A pooled connection that turns out to be closed is replaced by a new one, which
/// does not count as a try.
pub(super) async fn attempt(
    target: Target<'_>,
    mut request: Request<ProxyBody>,
    clock: Clock,
) -> Result<Answered, Failure> {
    if target.cluster.wire().is_some_and(Wire::is_multiplexed) {
        return Box::pin(multiplex::attempt(target, request, clock)).await;
    }
    let upgrades = request.headers().contains_key(http::header::UPGRADE);
    let mut late = clock.late(watch_upload(&mut request));
    let mut repeated = false;
    loop {
        let pooled = if repeated { None } else { target.reuse(clock.started) };
        let mut lease = match pooled {
            Some(lease) => lease,
            None => Box::pin(open(target, clock, &mut request)).await?,
        };
        // A close that crosses the request on its way leaves it sent but unanswered. What is idempotent may be repeated
        // then, once (RFC 9110, section 9.2.2): more would hand a request that ends its server to every connection.
        let old = lease.idle.is_some_and(|idle| idle >= limits::UPSTREAM_FRESH);
        let risky = old && !repeated && request.method().is_idempotent();
        let spare = risky.then(|| copy(&request)).flatten();
        let Lease { sender, timer, .. } = &mut lease;
        let mut sending = pin!(sender.try_send_request(request));
        let sent = poll_fn(|context| match sending.as_mut().poll(context) {
            Poll::Ready(sent) => Poll::Ready(sent.map_err(|error| Unanswered::Failed(Box::new(error)))),
            Poll::Pending => late.passed(context, timer).map(|blame| Err(Unanswered::Late(blame))),
        });
        match sent.await {
            Ok(response) => return received(response, lease, upgrades),
            Err(Unanswered::Late(blame)) => return Err(clock.passed(blame)),
            Err(Unanswered::Failed(mut error)) => {
                let unsent = error.take_message();
                let error = error.into_error();
                repeated |= unsent.is_none();
                let again = unsent.or_else(|| spare.filter(|_| closed(&error)));
                match again {
                    Some(again) if lease.idle.is_some() => request = again,
                    again => return Err(failure(&error, lease.address, again)),
                }
            }
        }
    }
}

async fn open(target: Target<'_>, clock: Clock, request: &mut Request<ProxyBody>) -> Result<Lease, Failure> {
    let limit = clock.per_try.min(clock.remaining());
    target.open(limit).await.map_err(|error| unopened(error, target, (limit, clock), request))
}

/// A stream for the request; when there is none, the failure hands the request back.
pub(super) async fn open_stream(
    target: Target<'_>,
    clock: Clock,
    request: &mut Request<ProxyBody>,
) -> Result<Stream, Failure> {
    let limit = clock.per_try.min(clock.remaining());
    target.open_stream(limit).await.map_err(|error| unopened(error, target, (limit, clock), request))
}

fn unopened(
    error: OpenError,
    target: Target<'_>,
    (limit, clock): (Duration, Clock),
    request: &mut Request<ProxyBody>,
) -> Failure {
    let fault = match error {
        OpenError::Failed(_) => Fault::Connect,
        OpenError::TimedOut => Fault::TimedOut,
        // More of the same would not help a service that has too much to do.
        OpenError::Overflow => Fault::Final,
    };
    let unsent = std::mem::replace(request, Request::new(ProxyBody::empty()));
    let blame = clock.blame(&error);
    Failure { error: error.of(&target, limit), fault, unsent: Some(Box::new(unsent)), blame }
}

/// Tells when a body that streams has been sent, or never will be. One that is known is sent at once.
pub(super) fn watch_upload(request: &mut Request<ProxyBody>) -> Option<oneshot::Receiver<Instant>> {
    if request.body().is_known() {
        return None;
    }
    let (sender, receiver) = oneshot::channel();
    request.body_mut().on_end(move |_| {
        let _ = sender.send(Instant::now());
    });
    Some(receiver)
}

/// A copy, when the body can be sent twice.
pub(super) fn copy(request: &Request<ProxyBody>) -> Option<Request<ProxyBody>> {
    let mut copy = Request::new(request.body().replayable()?);
    copy.method_mut().clone_from(request.method());
    copy.uri_mut().clone_from(request.uri());
    copy.headers_mut().clone_from(request.headers());
    copy.extensions_mut().clone_from(request.extensions());
    Some(copy)
}

fn received(mut response: Response<Incoming>, lease: Lease, upgrades: bool) -> Result<Answered, Failure> {
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        let address = lease.address;
        framing::settle(response.headers_mut()).map_err(|reason| unusable(address, reason))?;
        let response = response.map(|incoming| response::body(incoming, lease));
        return Ok(Answered { response, upgrade: None, stream: None, address });
    }
    if upgrades {
        let upgrade = Some(hyper::upgrade::on(&mut response));
        return Ok(Answered {
            response: response.map(|_| ProxyBody::empty()),
            upgrade,
            stream: None,
            address: lease.address,
        });
    }
    Err(unusable(lease.address, "it switched protocols unasked"))
}

/// The failure of a try whose response cannot be handed on.
pub(super) fn unusable(endpoint: SocketAddr, reason: &str) -> Failure {
    let error = RequestError::BadResponse { endpoint: endpoint.to_string(), reason: reason.to_owned() };
    Failure::new(error, Fault::Reset, None)
}

fn failure(error: &hyper::Error, endpoint: SocketAddr, unsent: Option<Request<ProxyBody>>) -> Failure {
    let endpoint = endpoint.to_string();
    let fault = if unsent.is_some() { Fault::ResetBeforeRequest } else { Fault::Reset };
    let unsent = unsent.map(Box::new);
    if let Some(body) = body_error(error) {
        return Failure::new(of_body(body), Fault::Final, unsent);
    }
    if error.is_parse() || error.is_parse_too_large() {
        return Failure::new(RequestError::BadResponse { endpoint, reason: error.to_string() }, fault, unsent);
    }
    Failure::new(RequestError::Reset { endpoint }, fault, unsent)
}

/// The failure of the request's own body, when that is why it was not sent.
fn body_error(error: &hyper::Error) -> Option<&BodyError> {
    std::error::Error::source(error)?.downcast_ref()
}

/// Whether the connection ended, rather than that something was wrong with what came over it.
fn closed(error: &hyper::Error) -> bool {
    let io = || std::error::Error::source(error).is_some_and(<dyn std::error::Error>::is::<std::io::Error>);
    error.is_canceled() || error.is_closed() || error.is_incomplete_message() || (!error.is_parse() && io())
}

/// Whose fault a client's broken body is.
pub fn of_body(error: &BodyError) -> RequestError {
    match error {
        BodyError::TooLarge { limit } => RequestError::BodyTooLarge { limit: *limit },
        BodyError::Timeout => RequestError::RequestTimeout,
        BodyError::Fault => RequestError::Fault,
        // A client's body is not looked at, so it is never the wrong text.
        BodyError::Http(_) | BodyError::NotJson(_) | BodyError::Malformed(_) => RequestError::ClientGone,
    }
}
