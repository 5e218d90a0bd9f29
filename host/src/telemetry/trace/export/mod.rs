//! Sends spans to the collector, from a thread of its own.
//!
//! Spans wait for a second, or for a batch to be full, and go out as one request of OTLP over HTTP. A collector that is
//! not reached, or says that it has too much to do, is asked again after a growing wait; meanwhile the queue fills up, and
//! what is over is dropped there and counted. At the end what waits is sent once more, within a bound.

mod client;
mod encode;
mod message;

use super::queue::{BATCH, Counts, Queue, add};
use super::span::SpanData;
use super::tracer::Tracing;
use crate::config::TraceExport;
use client::{Client, Refusal};
use encode::Encoder;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

/// How long spans wait for others, so that they travel together: short enough to look at a request just made.
const GATHER: Duration = Duration::from_secs(1);
/// The wait before a failed export is tried again, doubled each time (OTLP, section "Failures").
const BACKOFF: Duration = Duration::from_secs(1);
/// The longest wait, and the longest `Retry-After` that is heeded.
const LONGEST_BACKOFF: Duration = Duration::from_secs(30);
/// A batch is given up after so many tries, half a minute in all: newer spans are worth more then.
const TRIES: u32 = 5;

/// The thread that sends.
#[derive(Debug)]
pub(super) struct Exporting {
    tracing: Option<Arc<Tracing>>,
    closing: CancellationToken,
    closed: CancellationToken,
}

impl Exporting {
    /// Starts the thread.
    pub(super) fn start(settings: &TraceExport, tracing: Arc<Tracing>) -> std::io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (closing, closed) = (CancellationToken::new(), CancellationToken::new());
        let exporter = Exporter {
            client: Client::new(settings)?,
            encoder: Encoder::new(&settings.resource),
            counts: tracing.queue.counts(),
            tracing: Arc::clone(&tracing),
            closing: closing.clone(),
            waiting: VecDeque::new(),
            failures: 0,
        };
        let ends = closed.clone().drop_guard();
        std::thread::Builder::new().name("traces".into()).spawn(move || {
            let _ends = ends;
            runtime.block_on(exporter.run());
        })?;
        Ok(Self { tracing: Some(tracing), closing, closed })
    }

    /// Sends nothing.
    #[cfg(test)]
    pub(super) fn nowhere() -> Self {
        let closed = CancellationToken::new();
        closed.cancel();
        Self { tracing: None, closing: CancellationToken::new(), closed }
    }

    /// Sends what waits, for at most so long.
    pub(super) async fn close(&self, within: Duration) {
        self.closing.cancel();
        if timeout(within, self.closed.cancelled()).await.is_err() {
            tracing::warn!("the last spans were not taken by the collector in time");
        }
        if let Some(tracing) = &self.tracing {
            tracing.queue.close();
        }
    }
}

struct Exporter {
    client: Client,
    encoder: Encoder,
    tracing: Arc<Tracing>,
    counts: Arc<Counts>,
    closing: CancellationToken,
    /// Taken from the queue and not sent yet: at most what the queue held, as no more is taken until it is sent.
    waiting: VecDeque<Box<SpanData>>,
    /// Exports that failed, one after the other.
    failures: u32,
}

impl Exporter {
    async fn run(mut self) {
        loop {
            let closing = self.closing.is_cancelled();
            if !closing {
                self.gather().await;
            }
            self.waiting.extend(self.tracing.queue.take());
            while !self.waiting.is_empty() {
                let batch: Vec<_> = self.waiting.drain(..self.waiting.len().min(BATCH)).collect();
                self.export(&batch).await;
            }
            if closing {
                return;
            }
        }
    }

    /// Until spans wait, and then for more to come.
    async fn gather(&self) {
        let Queue { arrived, batch, .. } = &self.tracing.queue;
        tokio::select! {
            () = arrived.notified() => {}
            () = self.closing.cancelled() => return,
        }
        tokio::select! {
            () = batch.notified() => {}
            () = self.closing.cancelled() => {}
            () = sleep(GATHER) => {}
        }
    }

    /// Sends a batch until it is taken, refused, or has been tried often enough.
    async fn export(&mut self, batch: &[Box<SpanData>]) {
        let body = self.encoder.encode(batch);
        for _ in 0..TRIES {
            match self.client.post(body.clone()).await {
                Ok(rejected) => return self.taken(batch.len(), rejected),
                Err(refusal) => {
                    self.report(&refusal);
                    // At the end there is no time for another try.
                    if !refusal.may_be_retried || self.closing.is_cancelled() {
                        break;
                    }
                    self.back_off(refusal.retry_after).await;
                }
            }
        }
        add(&self.counts.failed, batch.len());
    }

    fn taken(&mut self, sent: usize, rejected: usize) {
        if self.failures > 0 {
            tracing::info!(after = self.failures, "the collector takes spans again");
            self.failures = 0;
        }
        let rejected = rejected.min(sent);
        add(&self.counts.rejected, rejected);
        add(&self.counts.exported, sent - rejected);
    }

    /// Says that it failed, once until it works again.
    fn report(&mut self, refusal: &Refusal) {
        self.failures = self.failures.saturating_add(1);
        if self.failures == 1 {
            tracing::warn!(endpoint = %self.client.endpoint(), reason = refusal.reason, "spans are not exported");
        } else {
            tracing::debug!(failures = self.failures, reason = refusal.reason, "spans are not exported");
        }
    }

    /// Waits as long as the collector asks, or longer each time; half of it by chance, so that many proxies do not come
    /// back at once.
    async fn back_off(&self, asked: Option<Duration>) {
        let doublings = self.failures.saturating_sub(1).min(5);
        let wait = asked.unwrap_or(BACKOFF * (1 << doublings)).min(LONGEST_BACKOFF);
        tokio::select! {
            () = sleep(wait.mul_f64(fastrand::f64().mul_add(0.5, 0.75))) => {}
            () = self.closing.cancelled() => {}
        }
    }
}

#[cfg(test)]
mod tests;
