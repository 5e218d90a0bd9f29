//! How long the tries of a request may take, and whether an endpoint that was late had the time to answer.

use super::attempt::Failure;
use super::connect::ConnectError;
use super::forward::ForwardPolicy;
use super::retry::Fault;
use super::target::OpenError;
use crate::config::limits;
use crate::error::RequestError;
use crate::timer::Timer;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep, timeout};

/// How long the tries of a request may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clock {
    /// For all tries, from the last byte of the request.
    total: Duration,
    /// For one try.
    pub(super) per_try: Duration,
    /// When the first try began.
    pub(super) started: Instant,
    /// When `total` is over for a request that was complete from the start.
    deadline: Instant,
    /// For the request's upload, after which the time for a response begins; none begins it at once.
    upload: Option<Duration>,
    /// Whether `total` is the client's own wish, for less time than endpoints get from the operator.
    hurried: bool,
}

/// Whom a failure speaks against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Blame {
    /// The endpoint.
    Endpoint,
    /// Not the endpoint: it was not given the time, or not asked for what it can do.
    Nobody,
}

/// When a try has to be given up.
pub(super) enum Late {
    /// At this moment, whether or not the request is complete.
    At {
        moment: Instant,
        limit: Duration,
        /// Tells when the request became complete; none when it was from the start.
        uploading: Option<oneshot::Receiver<Instant>>,
    },
    /// Some time after the request is complete.
    AfterUpload(Pin<Box<dyn Future<Output = Blame> + Send>>),
}

impl Clock {
    pub(super) fn start(policy: &ForwardPolicy) -> Self {
        let total = policy.timeout.unwrap_or(limits::UPSTREAM_TOTAL);
        let first_byte = if policy.timeout.is_some() { total } else { limits::UPSTREAM_FIRST_BYTE };
        let asked = policy.retries.as_ref().and_then(|retries| retries.per_try_timeout);
        let per_try = asked.map_or(first_byte, Duration::from_millis);
        let now = Instant::now();
        // Only a timeout of centuries overflows.
        let deadline = now.checked_add(total).unwrap_or(now + limits::UPSTREAM_TOTAL);
        let upload = match (policy.conversation, policy.timeout) {
            (false, _) => Some(limits::BODY_TOTAL),
            (true, None) => Some(limits::GRPC_TOTAL),
            (true, Some(_)) => None,
        };
        Self { total, per_try, started: now, deadline, upload, hurried: policy.hurried }
    }

    /// When a try that begins now has to be given up. The time runs from the end of the request's upload, so that a
    /// large body on a slow line is not the upstream's fault; the upload itself is limited as well.
    pub(super) fn late(self, uploaded: Option<oneshot::Receiver<Instant>>) -> Late {
        let limit = self.per_try.min(self.total);
        match (uploaded, self.upload) {
            (Some(uploaded), Some(longest)) => Late::AfterUpload(Box::pin(async move {
                if timeout(longest, uploaded).await.is_err() {
                    return Blame::Nobody;
                }
                sleep(limit).await;
                Blame::Endpoint
            })),
            (uploading, _) => {
                let whole = self.per_try >= self.total;
                let moment = if whole { self.deadline } else { self.deadline.min(Instant::now() + limit) };
                Late::At { moment, limit, uploading }
            }
        }
    }

    /// What is left of the total.
    pub(super) fn remaining(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    /// The failure of a try whose time has passed.
    pub(super) fn passed(&self, blame: Blame) -> Failure {
        let whole = self.remaining().is_zero() || self.per_try >= self.total;
        let limit = if whole { self.total } else { self.per_try };
        let milliseconds = u64::try_from(limit.as_millis()).unwrap_or(u64::MAX);
        let fault = if whole { Fault::Final } else { Fault::TimedOut };
        let blame = if whole && self.hurried { Blame::Nobody } else { blame };
        Failure { error: RequestError::Deadline { milliseconds }, fault, unsent: None, blame }
    }

    /// Whom it speaks against that there is no connection.
    pub(super) fn blame(&self, error: &OpenError) -> Blame {
        match error {
            OpenError::Failed(ConnectError::Exhausted(_)) => Blame::Nobody,
            OpenError::Failed(ConnectError::TimedOut(_)) | OpenError::TimedOut
                if self.hurried && self.remaining().is_zero() =>
            {
                Blame::Nobody
            }
            _ => Blame::Endpoint,
        }
    }
}

impl Late {
    /// Whom it speaks against that the moment has passed; when it has not, the task is woken when it does, or earlier.
    pub(super) fn passed(&mut self, context: &mut Context<'_>, timer: &mut Timer) -> Poll<Blame> {
        match self {
            Self::At { moment, limit, uploading } => {
                if !timer.passed(context, *moment) {
                    return Poll::Pending;
                }
                Poll::Ready(uploading.as_mut().map_or(Blame::Endpoint, |uploading| judge(uploading, *limit)))
            }
            Self::AfterUpload(late) => Poll::Ready(ready!(late.as_mut().poll(context))),
        }
    }
}

/// An endpoint is not late when its client has used up most of the time.
fn judge(uploading: &mut oneshot::Receiver<Instant>, limit: Duration) -> Blame {
    match uploading.try_recv() {
        Ok(complete) if complete.elapsed() >= limit / 2 => Blame::Endpoint,
        _ => Blame::Nobody,
    }
}
