//! A channel: its log, its subscriptions, its dead letters, who looks on, and counts.

use super::follow::Audience;
use super::letters::DeadLetters;
use super::refusal::PublishError;
use super::store::{Log, StoreError};
use super::subscription::{ChannelStats, Subscription};
use crate::config::StoreChoice;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// One channel.
#[derive(Debug)]
pub(super) struct Channel {
    pub(super) name: String,
    pub(super) store: StoreChoice,
    pub(super) log: Arc<dyn Log>,
    /// None where there is no subscription that could give an event up, or the store gives no log for them.
    pub(super) letters: Option<Arc<DeadLetters>>,
    /// Those who look on.
    pub(super) audience: Arc<Audience>,
    pub(super) totals: Arc<Totals>,
    pub(super) subscriptions: Vec<Arc<Subscription>>,
}

/// Counts that a reload keeps.
#[derive(Debug, Default)]
pub(super) struct Totals {
    received: AtomicU64,
    refused: AtomicU64,
    unsubscribed: AtomicU64,
    lost: AtomicU64,
}

impl Channel {
    /// Leaves its dead letters where they are, and its audience, unless another channel of its name has taken them over.
    pub(super) fn leave(&self, heir: Option<&Self>) {
        let inherited = heir.and_then(|heir| heir.letters.as_ref());
        if let Some(letters) =
            self.letters.as_ref().filter(|own| inherited.is_none_or(|other| !Arc::ptr_eq(own, other)))
        {
            letters.stop();
        }
        if heir.is_none_or(|heir| !Arc::ptr_eq(&heir.audience, &self.audience)) {
            self.audience.gone.cancel();
        }
    }

    /// Counts events that were taken.
    pub(super) fn count(&self, events: usize) {
        let events = u64::try_from(events).unwrap_or(u64::MAX);
        self.totals.received.fetch_add(events, Ordering::Relaxed);
        if self.subscriptions.is_empty() {
            self.totals.unsubscribed.fetch_add(events, Ordering::Relaxed);
        }
        for subscription in &self.subscriptions {
            subscription.counters.received.fetch_add(events, Ordering::Relaxed);
        }
    }

    /// Counts events that were put in for one subscription alone.
    pub(super) fn count_for(&self, name: &str, events: usize) {
        let events = u64::try_from(events).unwrap_or(u64::MAX);
        self.totals.received.fetch_add(events, Ordering::Relaxed);
        if let Some(subscription) = self.subscriptions.iter().find(|subscription| subscription.name == name) {
            subscription.counters.received.fetch_add(events, Ordering::Relaxed);
        }
    }

    /// Counts events that were answered for and then not stored.
    pub(super) fn lost(&self, events: usize) {
        self.totals.lost.fetch_add(u64::try_from(events).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// Counts a refusal, and says whose it is.
    pub(super) fn refused(&self, error: &StoreError) -> PublishError {
        self.totals.refused.fetch_add(1, Ordering::Relaxed);
        PublishError::of_store(&self.name, error)
    }

    pub(super) fn stats(&self, name: &str) -> ChannelStats {
        ChannelStats {
            channel: name.to_owned(),
            store: self.store,
            received: self.totals.received.load(Ordering::Relaxed),
            refused: self.totals.refused.load(Ordering::Relaxed),
            unsubscribed: self.totals.unsubscribed.load(Ordering::Relaxed),
            lost: self.totals.lost.load(Ordering::Relaxed),
            listeners: self.audience.listeners(),
            streamed: self.audience.streamed(),
            dead_letters: self.letters.as_ref().map_or(0, |letters| letters.len()),
            evicted: self.letters.as_ref().map_or(0, |letters| letters.evicted()),
            subscriptions: self.subscriptions.iter().map(|subscription| subscription.stats()).collect(),
        }
    }
}
