//! An upstream's response body, on its leased connection.

use super::pool::Lease;
use super::streams::Stream;
use crate::body::{BodyError, ProxyBody};
use crate::config::limits;
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::time::{Instant, Sleep, sleep_until};

/// Gives its connection back when it ends well, and lets go of it otherwise.
struct ResponseBody<C> {
    incoming: Incoming,
    lease: Option<C>,
    idle: IdleLimit,
}

/// What a response comes in on.
trait Carrier: Unpin + Send + 'static {
    /// How long it may be silent within a body.
    const IDLE: Duration;

    /// Says that the exchange on it ended well.
    fn give_back(self);
}

impl Carrier for Lease {
    const IDLE: Duration = limits::UPSTREAM_BODY_IDLE;

    fn give_back(self) {
        self.give_back();
    }
}

/// Its connection is shared, so there is nothing to give back but its place.
impl Carrier for Stream {
    const IDLE: Duration = limits::UPSTREAM_H2_BODY_IDLE;

    fn give_back(self) {}
}

/// How long an upstream may be silent within a body.
#[derive(Default)]
struct IdleLimit {
    timer: Option<Pin<Box<Sleep>>>,
    running: bool,
}

/// The body of a response that came in on this connection.
pub(super) fn body(incoming: Incoming, lease: Lease) -> ProxyBody {
    if incoming.is_end_stream() {
        lease.give_back();
        return ProxyBody::empty();
    }
    ProxyBody::stream(ResponseBody { incoming, lease: Some(lease), idle: IdleLimit::default() })
}

/// The body of a response that came in on this stream. Dropping it early resets the stream.
pub(super) fn body_of_stream(incoming: Incoming, stream: Stream) -> ProxyBody {
    if incoming.is_end_stream() {
        return ProxyBody::empty();
    }
    ProxyBody::stream(ResponseBody { incoming, lease: Some(stream), idle: IdleLimit::default() })
}

impl<C: Carrier> ResponseBody<C> {
    fn give_back(&mut self) {
        if let Some(lease) = self.lease.take() {
            lease.give_back();
        }
    }
}

impl<C: Carrier> Body for ResponseBody<C> {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let Poll::Ready(frame) = Pin::new(&mut self.incoming).poll_frame(context) else {
            ready!(self.idle.poll_passed(C::IDLE, context));
            self.lease = None;
            return Poll::Ready(Some(Err(BodyError::Timeout)));
        };
        self.idle.running = false;
        match &frame {
            Some(Err(_)) => self.lease = None,
            // Nobody asks a body of known length for more after its last byte, nor any after its trailers.
            Some(Ok(frame)) if frame.is_data() && !self.incoming.is_end_stream() => {}
            Some(Ok(_)) | None => self.give_back(),
        }
        Poll::Ready(frame.map(|frame| frame.map_err(BodyError::Http)))
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}

impl IdleLimit {
    /// A timer is only made once the upstream keeps us waiting, which short answers never do, and then moved.
    fn poll_passed(&mut self, limit: Duration, context: &mut Context<'_>) -> Poll<()> {
        if !self.running {
            self.running = true;
            let deadline = Instant::now() + limit;
            match &mut self.timer {
                Some(timer) => timer.as_mut().reset(deadline),
                None => self.timer = Some(Box::pin(sleep_until(deadline))),
            }
        }
        self.timer.as_mut().map_or(Poll::Ready(()), |timer| timer.as_mut().poll(context))
    }
}
