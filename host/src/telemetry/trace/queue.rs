//! Spans that have ended and wait to be sent.
//!
//! Each thread has its own part, so that workers do not meet in one lock. A part that is full takes nothing more: spans
//! are dropped and counted, never waited for.

use super::super::shard::Sharded;
use super::span::SpanData;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// Spans that one thread's part holds: what OpenTelemetry's processors hold in all, some 2 MiB, and two seconds of a
/// thousand requests a second with two spans each.
pub(super) const LENGTH: usize = 4096;
/// From so many on the exporter is woken at once: a batch, as large as OpenTelemetry's are.
pub(super) const BATCH: usize = 512;

/// The queue.
#[derive(Debug, Default)]
pub(super) struct Queue {
    parts: Sharded<Mutex<Vec<Box<SpanData>>>>,
    /// Spans wait.
    waiting: AtomicBool,
    /// A batch or more waits.
    urgent: AtomicBool,
    pub(super) arrived: Notify,
    pub(super) batch: Notify,
    closed: AtomicBool,
    counts: Arc<Counts>,
}

/// What became of spans, since the start.
#[derive(Debug, Default)]
pub struct Counts {
    /// Taken by the collector.
    pub exported: AtomicU64,
    /// Not taken into the queue, as it was full or closed.
    pub dropped: AtomicU64,
    /// Given up, as the collector was not reached or did not take them.
    pub failed: AtomicU64,
    /// Refused by a collector that took others of the same batch.
    pub rejected: AtomicU64,
}

impl Queue {
    /// Takes a span in, or drops it. Never waits.
    pub(super) fn push(&self, span: Box<SpanData>) {
        let Some(part) = self.parts.mine().filter(|_| !self.closed.load(Ordering::Acquire)) else {
            return add(&self.counts.dropped, 1);
        };
        // Only ever held for a push or for the exchange of a pointer.
        let mut part = lock(part);
        if part.len() >= LENGTH {
            return add(&self.counts.dropped, 1);
        }
        part.push(span);
        let full = part.len() >= BATCH;
        drop(part);
        if !self.waiting.swap(true, Ordering::AcqRel) {
            self.arrived.notify_one();
        }
        if full && !self.urgent.swap(true, Ordering::AcqRel) {
            self.batch.notify_one();
        }
    }

    /// Everything that waits.
    pub(super) fn take(&self) -> Vec<Box<SpanData>> {
        self.waiting.store(false, Ordering::Release);
        self.urgent.store(false, Ordering::Release);
        self.parts.all().flat_map(|part| std::mem::take(&mut *lock(part))).collect()
    }

    /// Takes nothing in any more.
    pub(super) fn close(&self) {
        self.closed.store(true, Ordering::Release);
    }

    pub(super) fn counts(&self) -> Arc<Counts> {
        Arc::clone(&self.counts)
    }
}

/// Adds to a count.
pub(super) fn add(count: &AtomicU64, more: usize) {
    count.fetch_add(u64::try_from(more).unwrap_or(u64::MAX), Ordering::Relaxed);
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::super::Tracer;
    use super::super::span::Kind;
    use super::*;

    #[test]
    fn a_full_queue_drops_and_counts_and_never_blocks() {
        let tracer = Tracer::collecting(false);
        let counts = tracer.counts().unwrap();
        for _ in 0..LENGTH + 7 {
            drop(tracer.linked(None, Kind::Internal, |_| {}));
        }
        assert_eq!(counts.dropped.load(Ordering::Relaxed), 7);
        assert_eq!(tracer.collected().len(), LENGTH);
        drop(tracer.linked(None, Kind::Internal, |_| {}));
        assert_eq!(tracer.collected().len(), 1);
    }

    #[test]
    fn spans_of_all_threads_are_there() {
        let tracer = Tracer::collecting(false);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..50).for_each(|_| drop(tracer.linked(None, Kind::Internal, |_| {}))));
            }
        });
        assert_eq!(tracer.collected().len(), 200);
    }
}
