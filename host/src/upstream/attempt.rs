//! One try: a connection, the request on it, the response's head back.

use super::pool::Lease;
use super::response;
use super::retry::Fault;
use super::target::{OpenError, Target};
use crate::body::{BodyError, ProxyBody};
use crate::config::limits;
use crate::error::RequestError;
use crate::telemetry::metrics::UpstreamResult;
use http::{Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep, sleep_until, timeout};

/// How long the tries of a request may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clock {
    /// For all tries, from the last byte of the request.
    pub(super) total: Duration,
    /// For one try.
    pub(super) per_try: Duration,
    /// When `total` is over for a request that was complete from the start.
    pub(super) deadline: Instant,
}

/// A response's head with its body still on the connection.
pub(super) struct Answered {
    pub(super) response: Response<ProxyBody>,
    pub(super) upgrade: Option<OnUpgrade>,
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
            RequestError::ConnectFailed { .. } => UpstreamResult::ConnectFailure,
            RequestError::Reset { .. } => UpstreamResult::Reset,
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
            RequestError::ConnectFailed { .. } | RequestError::Reset { .. } | RequestError::BadResponse { .. } => true,
            RequestError::Deadline { .. } => self.unsent.is_none(),
            _ => false,
        }
    }
}

type Sent = Result<Response<Incoming>, (hyper::Error, Option<Request<ProxyBody>>)>;

/// Sends the request to the endpoint. A pooled connection that turns out to be closed is replaced by a new one, which
/// does not count as a try.
pub(super) async fn attempt(
    target: Target<'_>,
    mut request: Request<ProxyBody>,
    clock: Clock,
) -> Result<Answered, Failure> {
    let upgrades = request.headers().contains_key(http::header::UPGRADE);
    let uploaded = watch_upload(&mut request);
    let late = clock.overdue(uploaded);
    tokio::pin!(late);
    loop {
        let mut lease = match target.reuse() {
            Some(lease) => lease,
            None => open(target, clock, &mut request).await?,
        };
        // A close that crosses the request on its way leaves it sent but unanswered. What is idempotent may be repeated
        // then (RFC 9110, section 9.2.2).
        let risky = lease.idle.is_some_and(|idle| idle >= limits::UPSTREAM_FRESH) && request.method().is_idempotent();
        let spare = risky.then(|| copy(&request)).flatten();
        let sending = lease.sender.try_send_request(request);
        let sent: Sent = tokio::select! {
            biased;
            sent = sending => sent.map_err(|mut error| { let unsent = error.take_message(); (error.into_error(), unsent) }),
            () = &mut late => return Err(clock.passed()),
        };
        match sent {
            Ok(response) => return received(response, lease, upgrades),
            Err((error, unsent)) => {
                let again = unsent.or_else(|| spare.filter(|_| closed(&error)));
                match again {
                    Some(again) if lease.idle.is_some() => request = again,
                    again => return Err(failure(&error, target.address(), again)),
                }
            }
        }
    }
}

impl Clock {
    /// Ends when the try has to be given up. The time runs from the end of the request's upload, so that a large body on
    /// a slow line is not the upstream's fault; the upload itself is limited as well.
    async fn overdue(self, uploaded: Option<oneshot::Receiver<()>>) {
        let limit = self.per_try.min(self.total);
        match uploaded {
            None => sleep_until(self.deadline.min(Instant::now() + limit)).await,
            Some(uploaded) => {
                if timeout(limits::BODY_TOTAL, uploaded).await.is_ok() {
                    sleep(limit).await;
                }
            }
        }
    }

    /// What is left of the total.
    pub(super) fn remaining(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    fn passed(&self) -> Failure {
        let whole = self.remaining().is_zero() || self.per_try >= self.total;
        let limit = if whole { self.total } else { self.per_try };
        let milliseconds = u64::try_from(limit.as_millis()).unwrap_or(u64::MAX);
        let fault = if whole { Fault::Final } else { Fault::TimedOut };
        Failure { error: RequestError::Deadline { milliseconds }, fault, unsent: None }
    }
}

async fn open(target: Target<'_>, clock: Clock, request: &mut Request<ProxyBody>) -> Result<Lease, Failure> {
    let limit = clock.per_try.min(clock.remaining());
    target.open(limit).await.map_err(|error| {
        let fault = match error {
            OpenError::Failed(_) => Fault::Connect,
            OpenError::TimedOut => Fault::TimedOut,
            // More of the same would not help a service that has too much to do.
            OpenError::Overflow => Fault::Final,
        };
        let unsent = std::mem::replace(request, Request::new(ProxyBody::empty()));
        Failure { error: error.of(&target, limit), fault, unsent: Some(Box::new(unsent)) }
    })
}

/// Tells when a body that streams has been sent, or never will be. One that is known is sent at once.
fn watch_upload(request: &mut Request<ProxyBody>) -> Option<oneshot::Receiver<()>> {
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
    Some(copy)
}

fn received(mut response: Response<Incoming>, lease: Lease, upgrades: bool) -> Result<Answered, Failure> {
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        return Ok(Answered { response: response.map(|incoming| response::body(incoming, lease)), upgrade: None });
    }
    if upgrades {
        let upgrade = Some(hyper::upgrade::on(&mut response));
        return Ok(Answered { response: response.map(|_| ProxyBody::empty()), upgrade });
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
        BodyError::Http(_) => RequestError::ClientGone,
    }
}
