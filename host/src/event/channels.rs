//! All channels of the process: what there is, and its end.

use super::channel::Channel;
use super::dispatch::Dispatcher;
use super::letters::DeadLetters;
use super::replies::Replies;
use super::store::Stores;
use super::subscription::{ChannelStats, Subscription};
use arc_swap::ArcSwap;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, TryLockError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// Between two looks at whether a reload is over.
const LOOK: Duration = Duration::from_millis(5);

/// What was left when the channels ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Drained {
    /// Events that still waited and were dropped.
    pub queued: usize,
    /// Deliveries that were cut off.
    pub in_flight: usize,
}

/// The channels of this process. It outlives every snapshot.
#[derive(Debug, Default)]
pub struct Channels {
    pub(super) table: ArcSwap<Table>,
    stores: Stores,
    /// What the dispatcher does not serve yet. A reload holds the lock from start to end, so there is one at a time.
    pub(super) starting: Mutex<Starting>,
    /// Tells the dispatcher of new subscriptions.
    pub(super) started: Notify,
    /// Tells a drain that a delivery has ended.
    pub(super) finished: Notify,
    /// Ends the dispatcher.
    pub(super) stop: CancellationToken,
    draining: AtomicBool,
    /// What only one process can have is another's, or about to be.
    pub(super) released: AtomicBool,
    /// It was taken back, and its channels are to be opened anew.
    pub(super) stale: AtomicBool,
    /// Requests that wait for an answer by an event.
    pub replies: Replies,
}

/// What the dispatcher has yet to begin with.
#[derive(Debug, Default)]
pub(super) struct Starting {
    pub(super) subscriptions: Vec<Arc<Subscription>>,
    pub(super) letters: Vec<Arc<DeadLetters>>,
}

/// The channels that are there at one moment.
#[derive(Debug, Default)]
pub(super) struct Table {
    /// By `NAMESPACE/NAME`.
    pub(super) channels: HashMap<String, Arc<Channel>>,
    /// Names by the host of the address.
    pub(super) addresses: HashMap<String, String>,
}

impl Channels {
    /// No channels yet, and the dispatcher that will deliver their events once it runs.
    pub fn new(stores: Stores) -> (Arc<Self>, Dispatcher) {
        let channels = Arc::new(Self { stores, ..Self::default() });
        (Arc::clone(&channels), Dispatcher::new(channels))
    }

    /// The channel that a URI leads to.
    pub(super) fn at(&self, uri: &str) -> Option<String> {
        let uri: http::Uri = uri.parse().ok()?;
        let (table, host) = (self.table.load(), uri.host()?);
        let of_path = || table.addresses.get(&format!("{host}{}", uri.path().trim_end_matches('/')));
        table.addresses.get(host).or_else(of_path).cloned()
    }

    /// Whether there is a channel of this name (`NAMESPACE/NAME`).
    pub fn contains(&self, channel: &str) -> bool {
        self.table.load().channels.contains_key(channel)
    }

    /// The figures of all channels, by name.
    pub fn stats(&self) -> Vec<ChannelStats> {
        let table = self.table.load();
        let mut all: Vec<ChannelStats> = table.channels.iter().map(|(name, channel)| channel.stats(name)).collect();
        all.sort_by(|one, other| one.channel.cmp(&other.channel));
        all
    }

    /// Takes no more events, lets what is in memory and in flight be delivered for as long as `bound`, then drops the rest
    /// and ends the dispatcher. What durable stores hold is left to the next process.
    pub async fn drain(&self, bound: Duration) -> Drained {
        self.draining.store(true, Ordering::Release);
        self.applied().await;
        for subscription in self.subscriptions() {
            subscription.leave();
        }
        // The bound is what ends this wait when a subscriber does not.
        let _ = tokio::time::timeout(bound, self.idle()).await;
        let mut left = Drained::default();
        for subscription in self.subscriptions().into_iter().filter(|subscription| !subscription.durable) {
            left.queued += subscription.close();
            left.in_flight += subscription.cursor.figures().in_flight;
        }
        for letters in self.all().iter().filter_map(|channel| channel.letters.as_ref()) {
            letters.stop();
        }
        self.stop.cancel();
        self.stores.close().await;
        if left != Drained::default() {
            tracing::warn!(
                queued = left.queued,
                in_flight = left.in_flight,
                "events were dropped at the end of the drain"
            );
        }
        left
    }

    pub(super) fn stores(&self) -> &Stores {
        &self.stores
    }

    /// The channel of this name (`NAMESPACE/NAME`).
    pub(super) fn channel(&self, name: &str) -> Option<Arc<Channel>> {
        self.table.load().channels.get(name).cloned()
    }

    /// All channels, by name.
    pub(super) fn all(&self) -> Vec<Arc<Channel>> {
        let mut all: Vec<Arc<Channel>> = self.table.load().channels.values().cloned().collect();
        all.sort_by(|one, other| one.name.cmp(&other.name));
        all
    }

    /// Whether the process is about to end.
    pub(super) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Acquire)
    }

    /// What nobody serves yet.
    pub(super) fn take_starting(&self) -> Starting {
        std::mem::take(&mut *self.starting.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Waits for a reload that is under way: the stores are to hear what it removes.
    async fn applied(&self) {
        while matches!(self.starting.try_lock(), Err(TryLockError::WouldBlock)) {
            tokio::time::sleep(LOOK).await;
        }
    }

    async fn idle(&self) {
        while !self.subscriptions().iter().all(|subscription| subscription.cursor.is_idle()) {
            self.finished.notified().await;
        }
    }

    fn subscriptions(&self) -> Vec<Arc<Subscription>> {
        self.table.load().channels.values().flat_map(|channel| channel.subscriptions.iter().cloned()).collect()
    }
}
