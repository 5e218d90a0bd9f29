//! Request bodies on their way in.

use super::{ConnectionInfo, Timeouts};
use crate::body::{BodyError, ProxyBody};
use crate::config::limits;
use crate::timer::Timer;
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::time::Instant;

impl ConnectionInfo {
    /// A request's body with its deadlines and this limit, in bytes. On HTTP/1 the deadlines are kept where the bytes
    /// are read; on HTTP/2 only the body itself can tell that its stream is silent while others are not.
    pub fn body(&self, incoming: Incoming, limit: Option<u64>) -> ProxyBody {
        if self.gate.is_some() || incoming.is_end_stream() {
            return ProxyBody::request(incoming, limit);
        }
        ProxyBody::stream(TimedBody::new(incoming, self.timeouts)).limited(limit)
    }

    /// The same for a call whose messages come when they will.
    pub fn call_body(&self, incoming: Incoming, limit: Option<u64>) -> ProxyBody {
        if self.gate.is_some() || incoming.is_end_stream() {
            return ProxyBody::request(incoming, limit);
        }
        let timeouts = Timeouts { body_idle: limits::GRPC_IDLE, body_total: limits::GRPC_TOTAL, ..self.timeouts };
        ProxyBody::stream(TimedBody::new(incoming, timeouts)).limited(limit)
    }
}

struct TimedBody {
    incoming: Incoming,
    timeouts: Timeouts,
    timer: Timer,
    since: Option<Instant>,
    silent_since: Option<Instant>,
}

impl TimedBody {
    fn new(incoming: Incoming, timeouts: Timeouts) -> Self {
        Self { incoming, timeouts, timer: Timer::default(), since: None, silent_since: None }
    }

    fn overdue(&mut self, context: &mut Context<'_>) -> bool {
        let silent_since = *self.silent_since.get_or_insert_with(Instant::now);
        let since = *self.since.get_or_insert(silent_since);
        let deadline = (silent_since + self.timeouts.body_idle).min(since + self.timeouts.body_total);
        self.timer.passed(context, deadline)
    }
}

impl Body for TimedBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match Pin::new(&mut self.incoming).poll_frame(context) {
            Poll::Ready(frame) => {
                self.silent_since = None;
                Poll::Ready(frame.map(|frame| frame.map_err(BodyError::Http)))
            }
            Poll::Pending if self.overdue(context) => Poll::Ready(Some(Err(BodyError::Timeout))),
            Poll::Pending => Poll::Pending,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}
