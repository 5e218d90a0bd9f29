//! Response bodies that tell when they end, and whether their reader has stopped reading.

use super::handle::GateHandle;
use crate::body::{BodyError, ProxyBody};
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::Instant;

/// Counts a request of an HTTP/1 connection as finished when it is dropped.
#[derive(Debug)]
pub(super) struct InFlight(pub(super) GateHandle);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.finish();
    }
}

/// A body and what is dropped with it.
#[derive(Debug)]
pub(super) struct Tracked<G> {
    pub(super) body: ProxyBody,
    pub(super) guard: G,
}

/// Is told of each step of a body.
pub(super) trait Observe: Unpin {
    /// The body was asked for more; `pending` when it has none yet.
    fn polled(&mut self, pending: bool);
}

impl Observe for InFlight {
    fn polled(&mut self, _pending: bool) {}
}

impl<G: Observe> Body for Tracked<G> {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let result = Pin::new(&mut self.body).poll_frame(context);
        self.guard.polled(result.is_pending());
        result
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Ended streams are forgotten once there are so many: a few times what can be open, so that it happens rarely.
const MOST_REMEMBERED: usize = 512;

/// The responses on their way in one HTTP/2 connection. A client can take a response's head and then no byte of its
/// body, with the connection as lively as can be; nothing but the body itself sees that it is not asked for more.
#[derive(Debug, Clone)]
pub(super) struct Streams(Arc<Mutex<Vec<Weak<StreamClock>>>>, Instant);

/// Since when the client could have taken more of the body: milliseconds after the connection was opened, plus one;
/// zero while the body itself has nothing.
#[derive(Debug, Default)]
struct StreamClock(AtomicU64);

/// One response on its way.
#[derive(Debug)]
pub(super) struct Stream {
    clock: Arc<StreamClock>,
    opened: Instant,
}

impl Streams {
    pub(super) fn new() -> Self {
        Self(Arc::default(), Instant::now())
    }

    /// One more request.
    pub(super) fn begin(&self) -> Stream {
        let clock = Arc::new(StreamClock::default());
        let mut streams = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if streams.len() >= MOST_REMEMBERED {
            streams.retain(|stream| stream.strong_count() > 0);
        }
        streams.push(Arc::downgrade(&clock));
        drop(streams);
        Stream { clock, opened: self.1 }
    }

    /// Forgets what has ended: how many are left, and whether one of them has stalled for so long.
    pub(super) fn survey(&self, stalled: Duration) -> (usize, bool) {
        let mut streams = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let limit = milliseconds(self.1).saturating_sub(u64::try_from(stalled.as_millis()).unwrap_or(u64::MAX));
        let mut any = false;
        streams.retain(|stream| {
            let Some(clock) = stream.upgrade() else { return false };
            let since = clock.0.load(Ordering::Relaxed);
            any |= since != 0 && since <= limit;
            true
        });
        (streams.len(), any)
    }
}

impl Stream {
    /// The response's head is there: from now on the client can take its body.
    pub(super) fn responding(&mut self) {
        self.polled(false);
    }
}

impl Observe for Stream {
    fn polled(&mut self, pending: bool) {
        self.clock.0.store(if pending { 0 } else { milliseconds(self.opened) }, Ordering::Relaxed);
    }
}

fn milliseconds(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX).saturating_add(1)
}
