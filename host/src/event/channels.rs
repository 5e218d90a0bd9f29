//! All channels of the process: publish, apply, drain.

use super::check::{check, stamp};
use super::dispatch::Dispatcher;
use super::queue::{QUEUE_LENGTH, Room};
use super::replies::Replies;
use super::resource::{ChannelSpec, SubscriptionSpec};
use super::subscription::{ChannelStats, Subscription};
use crate::wasm::bindings::sluicegate::filter::types::{Event, Publication};
use arc_swap::ArcSwap;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// Why a channel does not take an event.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PublishError {
    /// There is no such channel.
    #[error("no channel is called {channel}")]
    UnknownChannel {
        /// As asked for.
        channel: String,
    },
    /// The event is not one.
    #[error("the event for channel {channel} is not valid: {reason}")]
    Invalid {
        /// `NAMESPACE/NAME`.
        channel: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A subscription has as many events waiting as it may; none of the subscriptions got the event.
    #[error("channel {channel} is full: {QUEUE_LENGTH} events wait for subscription {subscription}")]
    Full {
        /// `NAMESPACE/NAME`.
        channel: String,
        /// `NAMESPACE/NAME`.
        subscription: String,
    },
    /// The process is about to end.
    #[error("channel {channel} takes no more events: the proxy is shutting down")]
    Draining {
        /// `NAMESPACE/NAME`.
        channel: String,
    },
}

impl PublishError {
    /// How long a client should wait before it tries again, where trying again may help.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Full { .. } | Self::Draining { .. } => Some(Duration::from_secs(1)),
            Self::UnknownChannel { .. } | Self::Invalid { .. } => None,
        }
    }
}

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
    table: ArcSwap<Table>,
    /// What the dispatcher does not serve yet. A reload holds the lock from start to end, so there is one at a time.
    starting: Mutex<Vec<Arc<Subscription>>>,
    /// Tells the dispatcher of new subscriptions.
    pub(super) started: Notify,
    /// Tells a drain that a delivery has ended.
    pub(super) finished: Notify,
    /// Ends the dispatcher.
    pub(super) stop: CancellationToken,
    draining: AtomicBool,
    /// Requests that wait for an answer by an event.
    pub replies: Replies,
}

#[derive(Debug, Default)]
struct Table {
    /// By `NAMESPACE/NAME`.
    channels: HashMap<String, Arc<Channel>>,
    /// Names by the host of the address.
    addresses: HashMap<String, String>,
}

/// Where an event comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Origin {
    /// A request.
    Request,
    /// A delivery of another channel, which a drain lets finish.
    Delivery,
}

#[derive(Debug)]
struct Channel {
    totals: Arc<Totals>,
    subscriptions: Vec<Arc<Subscription>>,
}

/// Counts that a reload keeps.
#[derive(Debug, Default)]
struct Totals {
    received: AtomicU64,
    refused: AtomicU64,
    unsubscribed: AtomicU64,
}

impl Channels {
    /// No channels yet, and the dispatcher that will deliver their events once it runs.
    pub fn new() -> (Arc<Self>, Dispatcher) {
        let channels = Arc::new(Self::default());
        (Arc::clone(&channels), Dispatcher::new(channels))
    }

    /// Brings the channels to what a configuration says. Subscriptions that stay keep their queue and what is in flight;
    /// what a removed one still had queued is dropped, which the log says.
    pub fn apply(&self, specs: Vec<ChannelSpec>) {
        let mut starting = self.starting.lock().unwrap_or_else(PoisonError::into_inner);
        let old = self.table.load_full();
        let all = old.channels.values().flat_map(|channel| &channel.subscriptions);
        let mut known: HashMap<(String, String), Arc<Subscription>> =
            all.map(|entry| ((entry.channel.clone(), entry.name.clone()), Arc::clone(entry))).collect();
        let mut table = Table::default();
        for ChannelSpec { name, address, subscriptions } in specs {
            let mut serving = Vec::with_capacity(subscriptions.len());
            for spec in subscriptions {
                let subscription = if let Some(known) = known.remove(&(name.clone(), spec.name.clone())) {
                    change(&known, spec);
                    known
                } else {
                    let new = Arc::new(Subscription::new(&name, spec));
                    starting.push(Arc::clone(&new));
                    new
                };
                serving.push(subscription);
            }
            let totals = old.channels.get(&name).map(|channel| Arc::clone(&channel.totals)).unwrap_or_default();
            table.addresses.insert(address, name.clone());
            table.channels.insert(name, Arc::new(Channel { totals, subscriptions: serving }));
        }
        self.table.store(Arc::new(table));
        for subscription in known.values() {
            remove(subscription);
        }
        self.started.notify_one();
    }

    /// Puts an event into the queue of every subscription of a channel (`NAMESPACE/NAME`), or into none. Without a
    /// subscription the event is taken and dropped. Never waits.
    pub fn publish(&self, channel: &str, event: Event) -> Result<(), PublishError> {
        self.publish_all(vec![Publication { channel: channel.to_owned(), event }])
    }

    /// Publishes all of these events, or none of them. Never waits.
    pub fn publish_all(&self, publications: Vec<Publication>) -> Result<(), PublishError> {
        self.take(publications, Origin::Request)
    }

    /// Publishes an event that another channel's delivery brings.
    pub(super) fn relay(&self, channel: String, event: Event) -> Result<(), PublishError> {
        self.relay_all(vec![Publication { channel, event }])
    }

    /// Publishes all of these events that another channel's delivery brings, or none of them.
    pub(super) fn relay_all(&self, publications: Vec<Publication>) -> Result<(), PublishError> {
        self.take(publications, Origin::Delivery)
    }

    /// The channel that a URI leads to.
    pub(super) fn at(&self, uri: &str) -> Option<String> {
        let uri: http::Uri = uri.parse().ok()?;
        let (table, host) = (self.table.load(), uri.host()?);
        let of_path = || table.addresses.get(&format!("{host}{}", uri.path().trim_end_matches('/')));
        table.addresses.get(host).or_else(of_path).cloned()
    }

    fn take(&self, publications: Vec<Publication>, origin: Origin) -> Result<(), PublishError> {
        let table = self.table.load();
        let mut accepted = Vec::with_capacity(publications.len());
        for Publication { channel, mut event } in publications {
            let Some(entry) = table.channels.get(&channel) else {
                return Err(PublishError::UnknownChannel { channel });
            };
            if let Err(reason) = check(&event) {
                return Err(PublishError::Invalid { channel, reason });
            }
            stamp(&mut event);
            accepted.push((channel, entry, Arc::new(event)));
        }
        let mut places = Places::default();
        for (channel, entry, event) in &accepted {
            if let Err(subscription) = places.reserve(entry, event) {
                entry.totals.refused.fetch_add(1, Ordering::Relaxed);
                return Err(PublishError::Full { channel: channel.clone(), subscription });
            }
        }
        // A drain that has not seen the places kept above has begun before they were: then they are not filled.
        if origin == Origin::Request && self.draining.load(Ordering::Acquire) {
            drop(places);
            self.finished.notify_one();
            let channel = accepted.into_iter().next().map(|(channel, ..)| channel).unwrap_or_default();
            return Err(PublishError::Draining { channel });
        }
        for (_, entry, _) in &accepted {
            entry.count();
        }
        places.fill();
        Ok(())
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

    /// Takes no more events, lets what is queued and in flight be delivered for as long as `bound`, then drops the rest
    /// and ends the dispatcher.
    pub async fn drain(&self, bound: Duration) -> Drained {
        self.draining.store(true, Ordering::Release);
        // The bound is what ends this wait when a subscriber does not.
        let _ = tokio::time::timeout(bound, self.idle()).await;
        let mut left = Drained::default();
        for subscription in self.subscriptions() {
            left.queued += subscription.close();
            left.in_flight += subscription.queue.depth().1;
        }
        self.stop.cancel();
        if left != Drained::default() {
            tracing::warn!(
                queued = left.queued,
                in_flight = left.in_flight,
                "events were dropped at the end of the drain"
            );
        }
        left
    }

    /// The subscriptions that nobody serves yet.
    pub(super) fn take_starting(&self) -> Vec<Arc<Subscription>> {
        std::mem::take(&mut *self.starting.lock().unwrap_or_else(PoisonError::into_inner))
    }

    async fn idle(&self) {
        while !self.subscriptions().iter().all(|subscription| subscription.queue.is_idle()) {
            self.finished.notified().await;
        }
    }

    fn subscriptions(&self) -> Vec<Arc<Subscription>> {
        self.table.load().channels.values().flat_map(|channel| channel.subscriptions.iter().cloned()).collect()
    }
}

impl Channel {
    fn count(&self) {
        self.totals.received.fetch_add(1, Ordering::Relaxed);
        if self.subscriptions.is_empty() {
            self.totals.unsubscribed.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn stats(&self, name: &str) -> ChannelStats {
        ChannelStats {
            channel: name.to_owned(),
            received: self.totals.received.load(Ordering::Relaxed),
            refused: self.totals.refused.load(Ordering::Relaxed),
            unsubscribed: self.totals.unsubscribed.load(Ordering::Relaxed),
            subscriptions: self.subscriptions.iter().map(|subscription| subscription.stats()).collect(),
        }
    }
}

/// Places in queues that are kept for events; given back unless filled.
#[derive(Default)]
struct Places<'a>(Vec<(&'a Subscription, Arc<Event>)>);

impl<'a> Places<'a> {
    /// Keeps a place in each queue of a channel; otherwise names the subscription that has none.
    fn reserve(&mut self, channel: &'a Channel, event: &Arc<Event>) -> Result<(), String> {
        for subscription in &channel.subscriptions {
            match subscription.queue.reserve() {
                Room::Reserved => self.0.push((subscription, Arc::clone(event))),
                Room::Full => return Err(subscription.name.clone()),
                Room::Closed => {}
            }
        }
        Ok(())
    }

    fn fill(mut self) {
        for (subscription, event) in self.0.drain(..) {
            subscription.counters.received.fetch_add(1, Ordering::Relaxed);
            if !subscription.queue.fill(event) {
                subscription.counters.dropped.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

impl Drop for Places<'_> {
    fn drop(&mut self) {
        for (subscription, _) in &self.0 {
            subscription.queue.release();
        }
    }
}

fn change(subscription: &Subscription, spec: SubscriptionSpec) {
    if **subscription.spec.load() != spec {
        tracing::info!(
            channel = subscription.channel,
            subscription = subscription.name,
            "the subscription has changed"
        );
        subscription.spec.store(Arc::new(spec));
    }
}

fn remove(subscription: &Subscription) {
    let dropped = subscription.close();
    let (channel, name) = (&subscription.channel, &subscription.name);
    if dropped == 0 {
        tracing::info!(channel, subscription = name, "the subscription is gone");
    } else {
        tracing::warn!(channel, subscription = name, dropped, "the subscription is gone, and so are its queued events");
    }
}
