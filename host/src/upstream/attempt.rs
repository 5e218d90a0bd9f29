//! One try: a connection, the request on it, the response's head back.

use super::pool::Lease;
use super::retry::Fault;
use super::streams::Stream;
use super::target::{OpenError, Target};
use super::wire::Wire;
use super::{multiplex, response};
use crate::body::{BodyError, ProxyBody};
use crate::config::limits;
use crate::error::RequestError;
use crate::telemetry::metrics::UpstreamResult;
use crate::timer::Timer;
use http::{Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep, timeout};

/// How long the tries of a request may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clock {
    /// For all tries, from the last byte of the request.
    pub(super) total: Duration,
    /// For one try.
    pub(super) per_try: Duration,
    /// When the first try began.
    pub(super) started: Instant,
    /// When `total` is over for a request that was complete from the start.
    pub(super) deadline: Instant,
    /// For the request's upload, after which the time for a response begins; none begins it at once.
    pub(super) upload: Option<Duration>,
}

/// When a try has to be given up.
pub(super) enum Late {
    /// At this moment: the request was complete from the start.
    At(Instant),
    /// Some time after the request is complete.
    AfterUpload(Pin<Box<dyn Future<Output = ()> + Send>>),
}

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
}

impl Failure {
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

    /// Whether the endpoint is to blame: not a client's broken body, not a limit that was met, and not the time that
    /// passed before anything could be sent.
    pub(super) fn is_upstreams(&self) -> bool {
        match self.error {
            RequestError::ConnectFailed { .. }
            | RequestError::HandshakeFailed { .. }
            | RequestError::Reset { .. }
            | RequestError::StreamReset { .. }
            | RequestError::BadResponse { .. } => true,
            RequestError::Deadline { .. } => self.unsent.is_none(),
            _ => false,
        }
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
    loop {
        let mut lease = match target.reuse(clock.started) {
            Some(lease) => lease,
            None => Box::pin(open(target, clock, &mut request)).await?,
        };
        // A close that crosses the request on its way leaves it sent but unanswered. What is idempotent may be repeated
        // then (RFC 9110, section 9.2.2).
        let risky = lease.idle.is_some_and(|idle| idle >= limits::UPSTREAM_FRESH) && request.method().is_idempotent();
        let spare = risky.then(|| copy(&request)).flatten();
        let Lease { sender, timer, .. } = &mut lease;
        let mut sending = pin!(sender.try_send_request(request));
        // Errors in a box, since a request may come back in them and most have none.
        let sent = poll_fn(|context| match sending.as_mut().poll(context) {
            Poll::Ready(sent) => Poll::Ready(sent.map_err(|error| Some(Box::new(error)))),
            Poll::Pending if late.passed(context, timer) => Poll::Ready(Err(None)),
            Poll::Pending => Poll::Pending,
        });
        match sent.await {
            Ok(response) => return received(response, lease, upgrades),
            Err(None) => return Err(clock.passed()),
            Err(Some(mut error)) => {
                let unsent = error.take_message();
                let error = error.into_error();
                let again = unsent.or_else(|| spare.filter(|_| closed(&error)));
                match again {
                    Some(again) if lease.idle.is_some() => request = again,
                    again => return Err(failure(&error, lease.address, again)),
                }
            }
        }
    }
}

impl Clock {
    /// When a try that begins now has to be given up. The time runs from the end of the request's upload, so that a
    /// large body on a slow line is not the upstream's fault; the upload itself is limited as well.
    pub(super) fn late(self, uploaded: Option<oneshot::Receiver<()>>) -> Late {
        let limit = self.per_try.min(self.total);
        match uploaded.zip(self.upload) {
            None if self.per_try >= self.total => Late::At(self.deadline),
            None => Late::At(self.deadline.min(Instant::now() + limit)),
            Some((uploaded, longest)) => Late::AfterUpload(Box::pin(async move {
                if timeout(longest, uploaded).await.is_ok() {
                    sleep(limit).await;
                }
            })),
        }
    }

    /// What is left of the total.
    pub(super) fn remaining(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    pub(super) fn passed(&self) -> Failure {
        let whole = self.remaining().is_zero() || self.per_try >= self.total;
        let limit = if whole { self.total } else { self.per_try };
        let milliseconds = u64::try_from(limit.as_millis()).unwrap_or(u64::MAX);
        let fault = if whole { Fault::Final } else { Fault::TimedOut };
        Failure { error: RequestError::Deadline { milliseconds }, fault, unsent: None }
    }
}

impl Late {
    /// Whether the moment has passed; if not, the task is woken when it does, or earlier.
    pub(super) fn passed(&mut self, context: &mut Context<'_>, timer: &mut Timer) -> bool {
        match self {
            Self::At(moment) => timer.passed(context, *moment),
            Self::AfterUpload(late) => late.as_mut().poll(context).is_ready(),
        }
    }
}

async fn open(target: Target<'_>, clock: Clock, request: &mut Request<ProxyBody>) -> Result<Lease, Failure> {
    let limit = clock.per_try.min(clock.remaining());
    target.open(limit).await.map_err(|error| unopened(error, target, limit, request))
}

/// A stream for the request; when there is none, the failure hands the request back.
pub(super) async fn open_stream(
    target: Target<'_>,
    clock: Clock,
    request: &mut Request<ProxyBody>,
) -> Result<Stream, Failure> {
    let limit = clock.per_try.min(clock.remaining());
    target.open_stream(limit).await.map_err(|error| unopened(error, target, limit, request))
}

fn unopened(error: OpenError, target: Target<'_>, limit: Duration, request: &mut Request<ProxyBody>) -> Failure {
    let fault = match error {
        OpenError::Failed(_) => Fault::Connect,
        OpenError::TimedOut => Fault::TimedOut,
        // More of the same would not help a service that has too much to do.
        OpenError::Overflow => Fault::Final,
    };
    let unsent = std::mem::replace(request, Request::new(ProxyBody::empty()));
    Failure { error: error.of(&target, limit), fault, unsent: Some(Box::new(unsent)) }
}

/// Tells when a body that streams has been sent, or never will be. One that is known is sent at once.
pub(super) fn watch_upload(request: &mut Request<ProxyBody>) -> Option<oneshot::Receiver<()>> {
    if request.body().is_known() {
        return None;
    }
    let (sender, receiver) = oneshot::channel();
    request.body_mut().on_end(move |_| {
        let _ = sender.send(());
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
    let reason = "it switched protocols unasked".to_owned();
    let error = RequestError::BadResponse { endpoint: lease.address.to_string(), reason };
    Err(Failure { error, fault: Fault::Reset, unsent: None })
}

fn failure(error: &hyper::Error, endpoint: SocketAddr, unsent: Option<Request<ProxyBody>>) -> Failure {
    let endpoint = endpoint.to_string();
    let fault = if unsent.is_some() { Fault::ResetBeforeRequest } else { Fault::Reset };
    let unsent = unsent.map(Box::new);
    if let Some(body) = body_error(error) {
        return Failure { error: of_body(body), fault: Fault::Final, unsent };
    }
    if error.is_parse() || error.is_parse_too_large() {
        let error = RequestError::BadResponse { endpoint, reason: error.to_string() };
        return Failure { error, fault, unsent };
    }
    Failure { error: RequestError::Reset { endpoint }, fault, unsent }
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
