//! A subscription at run time: what it is set to, its place in the channel and its figures.

use super::resource::SubscriptionSpec;
use super::store::Cursor;
use crate::config::StoreChoice;
use arc_swap::ArcSwap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};
use tokio_util::sync::CancellationToken;

/// Lives from the reload that brings it to the one that takes it away, through all reloads between.
#[derive(Debug)]
pub(super) struct Subscription {
    /// `NAMESPACE/NAME` of the channel.
    pub(super) channel: String,
    /// `NAMESPACE/NAME`.
    pub(super) name: String,
    /// What it is set to now; a delivery keeps what it began with.
    pub(super) spec: ArcSwap<SubscriptionSpec>,
    pub(super) cursor: Arc<dyn Cursor>,
    /// Whether its events outlive the process.
    pub(super) durable: bool,
    pub(super) counters: Counters,
    /// Ends the waits of deliveries once the subscription is gone, or is left to the next process.
    pub(super) gone: CancellationToken,
}

impl Subscription {
    pub(super) fn new(channel: &str, spec: SubscriptionSpec, cursor: Arc<dyn Cursor>, durable: bool) -> Self {
        Self {
            channel: channel.to_owned(),
            name: spec.name.clone(),
            spec: ArcSwap::from_pointee(spec),
            cursor,
            durable,
            counters: Counters::default(),
            gone: CancellationToken::new(),
        }
    }

    /// Takes it away; says how many waiting events that drops.
    pub(super) fn close(&self) -> usize {
        let dropped = self.cursor.close();
        self.counters.dropped.fetch_add(u64::try_from(dropped).unwrap_or(u64::MAX), Ordering::Relaxed);
        self.gone.cancel();
        dropped
    }

    /// Leaves what a durable store holds to the next process: nothing more is given out, and no delivery waits for
    /// its next try.
    pub(super) fn leave(&self) {
        if self.durable {
            self.cursor.stop();
            self.gone.cancel();
        }
    }

    /// Waits for so long; false as soon as the subscription is gone, or is left to the next process.
    pub(super) async fn stays(&self, time: Duration) -> bool {
        tokio::select! {
            () = tokio::time::sleep(time) => true,
            () = self.gone.cancelled() => false,
        }
    }

    pub(super) fn stats(&self) -> SubscriptionStats {
        let figures = self.cursor.figures();
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        SubscriptionStats {
            subscription: self.name.clone(),
            received: read(&self.counters.received),
            delivered: read(&self.counters.delivered),
            retried: read(&self.counters.retried),
            dead_lettered: read(&self.counters.dead_lettered),
            kept: read(&self.counters.kept),
            filtered: read(&self.counters.filtered),
            dropped: read(&self.counters.dropped).saturating_add(figures.lost),
            redelivered: figures.redelivered,
            queued: figures.queued,
            in_flight: figures.in_flight,
            oldest: figures.oldest.map(|since| SystemTime::now().duration_since(since).unwrap_or_default()),
        }
    }
}

/// Counts since the subscription began.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) received: AtomicU64,
    pub(super) delivered: AtomicU64,
    pub(super) retried: AtomicU64,
    pub(super) dead_lettered: AtomicU64,
    pub(super) dropped: AtomicU64,
    pub(super) kept: AtomicU64,
    pub(super) filtered: AtomicU64,
}

/// The figures of a channel, as read at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChannelStats {
    /// `NAMESPACE/NAME`.
    pub channel: String,
    /// Where its events are kept.
    pub store: StoreChoice,
    /// Events that the channel took.
    pub received: u64,
    /// Times that it refused events: it was full, or its store could not be used.
    pub refused: u64,
    /// Events that it took while it had no subscription, and dropped.
    pub unsubscribed: u64,
    /// Events that were answered for before they were stored, and then were not.
    pub lost: u64,
    /// Clients that listen to it.
    pub listeners: usize,
    /// Events that were sent to such clients.
    pub streamed: u64,
    /// Its dead letters that are there.
    pub dead_letters: usize,
    /// Dead letters that were dropped for newer ones.
    pub evicted: u64,
    /// One entry for each subscription.
    pub subscriptions: Vec<SubscriptionStats>,
}

/// The figures of a subscription, as read at one moment. In memory, `received` is the sum of `delivered`,
/// `dead_lettered`, `kept`, `filtered`, `dropped`, `queued` and `in_flight`, but for what moves while it is read; a durable store adds what
/// former processes left to the last two.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubscriptionStats {
    /// `NAMESPACE/NAME`.
    pub subscription: String,
    /// Events that came to it.
    pub received: u64,
    /// Events that were delivered, replies included.
    pub delivered: u64,
    /// Tries after the first, those to the dead letter sink included.
    pub retried: u64,
    /// Events that the dead letter sink took.
    pub dead_lettered: u64,
    /// Events that were put to the channel's dead letters.
    pub kept: u64,
    /// Events that the subscription's filters did not let pass.
    pub filtered: u64,
    /// Events that nobody took.
    pub dropped: u64,
    /// Events that the store gave out again: what a former process had not finished, or a delivery that broke off.
    pub redelivered: u64,
    /// Events that wait.
    pub queued: usize,
    /// Events that are being delivered, or wait for their next try.
    pub in_flight: usize,
    /// How long the oldest of those has been there.
    pub oldest: Option<Duration>,
}
