//! Response bodies that tell when they end, and whether their reader has stopped reading.

use super::caught;
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

/// A response body on HTTP/1; its request is in flight until it is dropped.
#[derive(Debug)]
pub(super) struct Tracked {
    pub(super) body: ProxyBody,
    #[expect(dead_code, reason = "dropped with the body")]
    pub(super) guard: InFlight,
}

impl Body for Tracked {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        caught::poll_frame(&mut self.body, context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// What is handed to HTTP/2 at once, in bytes: one frame of the usual size. What it has been handed nobody sees any
/// more, and it is kept in memory until the client takes it.
const PORTION: usize = 16 << 10;

/// Ended streams are forgotten once there are so many: a few times what can be open, so that it happens rarely.
const MOST_REMEMBERED: usize = 512;

/// The responses on their way in one HTTP/2 connection. A client can take a response's head and then no byte of its
/// body, with the connection as lively as can be; nothing but the body itself sees that it is not asked for more.
#[derive(Debug, Clone)]
pub(super) struct Streams(Arc<Mutex<Vec<Weak<StreamClock>>>>, Instant);

/// Since when the client could have taken more of the body: milliseconds after the connection was opened, plus one;
/// zero while the body itself has nothing.
#[derive(Debug, Default)]
pub(super) struct StreamClock(AtomicU64);

/// A stream that stays open after its response, such as one that speaks WebSocket. The connection counts as used for as long
/// as this lives.
#[derive(Debug, Clone)]
pub struct Held(#[expect(dead_code, reason = "only held")] Arc<StreamClock>);

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

    /// One more that is open, whatever becomes of its response.
    pub(super) fn hold(&self) -> Held {
        let Stream { clock, .. } = self.begin();
        Held(clock)
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
    /// The body of its response. From now on the client can take it.
    pub(super) fn respond(self, body: ProxyBody) -> StreamBody {
        self.offered(true);
        StreamBody { body, portioned: Bytes::new(), stream: self }
    }

    /// Whether it is the client's turn: it has not taken what there is.
    fn offered(&self, offered: bool) {
        self.clock.0.store(if offered { milliseconds(self.opened) } else { 0 }, Ordering::Relaxed);
    }
}

/// A response body on HTTP/2.
#[derive(Debug)]
pub(super) struct StreamBody {
    body: ProxyBody,
    /// The rest of a large frame.
    portioned: Bytes,
    stream: Stream,
}

impl StreamBody {
    fn portion(&mut self, mut data: Bytes) -> Frame<Bytes> {
        if data.len() > PORTION {
            self.portioned = data.split_off(PORTION);
        }
        Frame::data(data)
    }
}

impl Body for StreamBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if !self.portioned.is_empty() {
            self.stream.offered(true);
            let rest = std::mem::take(&mut self.portioned);
            return Poll::Ready(Some(Ok(self.portion(rest))));
        }
        let polled = caught::poll_frame(&mut self.body, context);
        self.stream.offered(polled.is_ready());
        polled.map_ok(|frame| match frame.into_data() {
            Ok(data) => self.portion(data),
            Err(frame) => frame,
        })
    }

    fn is_end_stream(&self) -> bool {
        self.portioned.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let portioned = u64::try_from(self.portioned.len()).unwrap_or(u64::MAX);
        let mut hint = self.body.size_hint();
        if let Some(upper) = hint.upper() {
            hint.set_upper(upper.saturating_add(portioned));
        }
        hint.set_lower(hint.lower().saturating_add(portioned));
        hint
    }
}

fn milliseconds(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX).saturating_add(1)
}
