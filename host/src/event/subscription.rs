//! A subscription at run time: what it is set to, its queue and its figures.

use super::queue::Queue;
use super::resource::SubscriptionSpec;
use arc_swap::ArcSwap;
use std::sync::atomic::{AtomicU64, Ordering};
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
    pub(super) queue: Queue,
    pub(super) counters: Counters,
    /// Ends the waits of deliveries once the subscription is gone.
    pub(super) gone: CancellationToken,
}

impl Subscription {
    pub(super) fn new(channel: &str, spec: SubscriptionSpec) -> Self {
        Self {
            channel: channel.to_owned(),
            name: spec.name.clone(),
            spec: ArcSwap::from_pointee(spec),
            queue: Queue::default(),
            counters: Counters::default(),
            gone: CancellationToken::new(),
        }
    }

    /// Takes it away; says how many events were dropped from its queue.
    pub(super) fn close(&self) -> usize {
        let dropped = self.queue.close();
        self.counters.dropped.fetch_add(u64::try_from(dropped).unwrap_or(u64::MAX), Ordering::Relaxed);
        self.gone.cancel();
        dropped
    }

    pub(super) fn stats(&self) -> SubscriptionStats {
        let (queued, in_flight) = self.queue.depth();
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        SubscriptionStats {
            subscription: self.name.clone(),
            received: read(&self.counters.received),
            delivered: read(&self.counters.delivered),
            retried: read(&self.counters.retried),
            dead_lettered: read(&self.counters.dead_lettered),
            dropped: read(&self.counters.dropped),
            queued,
            in_flight,
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
}

/// The figures of a channel, as read at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChannelStats {
    /// `NAMESPACE/NAME`.
    pub channel: String,
    /// Events that the channel took.
    pub received: u64,
    /// Events that it refused because a queue was full.
    pub refused: u64,
    /// Events that it took while it had no subscription, and dropped.
    pub unsubscribed: u64,
    /// One entry for each subscription.
    pub subscriptions: Vec<SubscriptionStats>,
}

/// The figures of a subscription, as read at one moment. `received` is the sum of `delivered`, `dead_lettered`,
/// `dropped`, `queued` and `in_flight`, but for what moves while it is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubscriptionStats {
    /// `NAMESPACE/NAME`.
    pub subscription: String,
    /// Events that came into its queue.
    pub received: u64,
    /// Events that were delivered, replies included.
    pub delivered: u64,
    /// Tries after the first, those to the dead letter sink included.
    pub retried: u64,
    /// Events that the dead letter sink took.
    pub dead_lettered: u64,
    /// Events that nobody took.
    pub dropped: u64,
    /// Events that wait.
    pub queued: usize,
    /// Events that are being delivered, or wait for their next try.
    pub in_flight: usize,
}
