//! All channels of the process: publish, apply, drain.

use super::addressed;
use super::check::{check, stamp};
use super::dispatch::Dispatcher;
use super::follow::Audience;
use super::letters::{self, DeadLetters};
use super::refusal::PublishError;
use super::replies::Replies;
use super::resource::{ChannelSpec, SubscriptionSpec};
use super::store::{Log, Reserved, StoreError, Stores};
use super::subscription::{ChannelStats, Subscription};
use crate::config::StoreChoice;
use crate::wasm::bindings::sluicegate::filter::types::{Event, Publication};
use arc_swap::ArcSwap;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

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
    stores: Stores,
    /// What the dispatcher does not serve yet. A reload holds the lock from start to end, so there is one at a time.
    starting: Mutex<Starting>,
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
pub(super) struct Channel {
    pub(super) name: String,
    pub(super) store: StoreChoice,
    pub(super) log: Arc<dyn Log>,
    /// None where there is no subscription that could give an event up, or the store gives no log for them.
    pub(super) letters: Option<Arc<DeadLetters>>,
    /// Those who look on.
    pub(super) audience: Arc<Audience>,
    totals: Arc<Totals>,
    pub(super) subscriptions: Vec<Arc<Subscription>>,
}

/// Counts that a reload keeps.
#[derive(Debug, Default)]
struct Totals {
    received: AtomicU64,
    refused: AtomicU64,
    unsubscribed: AtomicU64,
    lost: AtomicU64,
}

impl Channels {
    /// No channels yet, and the dispatcher that will deliver their events once it runs.
    pub fn new(stores: Stores) -> (Arc<Self>, Dispatcher) {
        let channels = Arc::new(Self { stores, ..Self::default() });
        (Arc::clone(&channels), Dispatcher::new(channels))
    }

    /// Brings the channels to what a configuration says. Subscriptions that stay keep their place and what is in flight;
    /// what a removed one still had waiting is dropped, which the log says. A channel that moves to another store begins
    /// there anew. May wait for a disk: it is not for threads that serve.
    pub fn apply(&self, specs: Vec<ChannelSpec>) {
        let mut starting = self.starting.lock().unwrap_or_else(PoisonError::into_inner);
        let old = self.table.load_full();
        let all = old.channels.values().flat_map(|channel| &channel.subscriptions);
        let mut known: Known =
            all.map(|entry| ((entry.channel.clone(), entry.name.clone()), Arc::clone(entry))).collect();
        // Their places in the files stay: they are opened anew, and go on there.
        let stale = self.stale.swap(false, Ordering::AcqRel);
        let is_stale = |channel: &Channel| stale && self.stores.is_exclusive(channel.store);
        known.retain(|(channel, _), _| !old.channels.get(channel).is_some_and(|channel| is_stale(channel)));
        let mut table = Table::default();
        for mut spec in specs {
            let store = self.stores.choose(spec.store);
            let former = old.channels.get(&spec.name);
            let same = former.filter(|former| former.store == store);
            let open = same.filter(|same| !is_stale(same));
            let log = match open {
                Some(former) => Arc::clone(&former.log),
                None => self.open(store, &spec, &mut known),
            };
            let mut subscriptions = Vec::with_capacity(spec.subscriptions.len());
            for wanted in std::mem::take(&mut spec.subscriptions) {
                if let Some(known) = known.remove(&(spec.name.clone(), wanted.name.clone())) {
                    change(&known, wanted);
                    subscriptions.push(known);
                } else if let Some(new) = subscribe(&log, &spec.name, wanted) {
                    starting.subscriptions.push(Arc::clone(&new));
                    subscriptions.push(new);
                }
            }
            let audience = same.map(|channel| Arc::clone(&channel.audience)).unwrap_or_default();
            let known_letters = open.and_then(|known| known.letters.clone());
            let letters = known_letters.or_else(|| {
                let opened = self.open_letters(store, &spec.name, !subscriptions.is_empty());
                starting.letters.extend(opened.clone());
                opened
            });
            let totals = former.map(|channel| Arc::clone(&channel.totals)).unwrap_or_default();
            table.addresses.insert(spec.address, spec.name.clone());
            let channel = Channel { name: spec.name.clone(), store, log, letters, audience, totals, subscriptions };
            table.channels.insert(spec.name, Arc::new(channel));
        }
        let table = Arc::new(table);
        self.table.store(Arc::clone(&table));
        for channel in old.channels.values() {
            channel.leave(table.channels.get(&channel.name).map(|heir| &**heir));
        }
        for subscription in known.values() {
            remove(subscription);
        }
        self.started.notify_one();
    }

    /// Opens the log of a channel that is new, or that was in another store: then its subscriptions begin anew.
    fn open(&self, store: StoreChoice, spec: &ChannelSpec, known: &mut Known) -> Arc<dyn Log> {
        let log = self.stores.open(store, &spec.name);
        let names: Vec<&str> = spec.subscriptions.iter().map(|subscription| subscription.name.as_str()).collect();
        log.keep_only(&names);
        known.extract_if(|(channel, _), _| *channel == spec.name).for_each(|(_, moved)| remove(&moved));
        log
    }

    /// The dead letters of a channel that has subscriptions. Those of a file or a server are there still.
    fn open_letters(&self, store: StoreChoice, channel: &str, is_subscribed: bool) -> Option<Arc<DeadLetters>> {
        let log = is_subscribed.then(|| self.stores.open(store, &letters::log_of(channel)))?;
        let opened = DeadLetters::open(channel, log);
        opened.inspect_err(|error| tracing::error!(channel, %error, "its dead letters are not kept")).ok().map(Arc::new)
    }

    /// Stores an event for every subscription of a channel (`NAMESPACE/NAME`), or for none. Without a subscription the
    /// event is taken and dropped. Resolves once the event is as durable as the channel's store promises.
    pub async fn publish(&self, channel: &str, event: Event) -> Result<(), PublishError> {
        self.publish_all(vec![Publication { channel: channel.to_owned(), event }]).await
    }

    /// Publishes all of these events, or none of them. Resolves once they are as durable as the stores of their channels
    /// promise. Only a store that fails while it writes can leave the events of one channel in and those of another out.
    pub async fn publish_all(&self, publications: Vec<Publication>) -> Result<(), PublishError> {
        self.take(publications, Origin::Request).await
    }

    /// Keeps room for all of these events, or for none, and gives what stores them. What a store then loses is counted.
    pub fn publish_unacknowledged(
        &self,
        publications: Vec<Publication>,
    ) -> Result<impl Future<Output = ()> + Send + use<>, PublishError> {
        let rooms = self.reserve(self.accept(publications)?, Origin::Request)?;
        Ok(async move {
            for room in rooms {
                let (channel, count) = (Arc::clone(&room.channel), room.count);
                if let Err(error) = room.fill().await {
                    channel.lost(count);
                    tracing::warn!(%error, count, "events were lost that nobody waited for");
                }
            }
        })
    }

    /// Publishes an event that another channel's delivery brings.
    pub(super) async fn relay(&self, channel: String, event: Event) -> Result<(), PublishError> {
        self.relay_all(vec![Publication { channel, event }]).await
    }

    /// Publishes all of these events that another channel's delivery brings, or none of them.
    pub(super) async fn relay_all(&self, publications: Vec<Publication>) -> Result<(), PublishError> {
        self.take(publications, Origin::Delivery).await
    }

    /// The channel that a URI leads to.
    pub(super) fn at(&self, uri: &str) -> Option<String> {
        let uri: http::Uri = uri.parse().ok()?;
        let (table, host) = (self.table.load(), uri.host()?);
        let of_path = || table.addresses.get(&format!("{host}{}", uri.path().trim_end_matches('/')));
        table.addresses.get(host).or_else(of_path).cloned()
    }

    async fn take(&self, publications: Vec<Publication>, origin: Origin) -> Result<(), PublishError> {
        let accepted = self.accept(publications)?;
        let rooms = self.reserve(accepted, origin)?;
        for room in rooms {
            room.fill().await?;
        }
        Ok(())
    }

    /// Checks the events, and sorts them by channel.
    fn accept(&self, publications: Vec<Publication>) -> Result<Accepted, PublishError> {
        let table = self.table.load();
        let mut accepted: Accepted = Vec::with_capacity(1);
        for Publication { channel, mut event } in publications {
            let Some(entry) = table.channels.get(&channel) else {
                return Err(PublishError::UnknownChannel { channel });
            };
            if let Err(reason) = check(&event) {
                return Err(PublishError::Invalid { channel, reason });
            }
            stamp(&mut event);
            addressed::strip(&mut event);
            match accepted.iter_mut().find(|(known, _)| Arc::ptr_eq(known, entry)) {
                Some((_, events)) => events.push(Arc::new(event)),
                None => accepted.push((Arc::clone(entry), vec![Arc::new(event)])),
            }
        }
        Ok(accepted)
    }

    /// Keeps room for all of the events, or for none.
    fn reserve(&self, accepted: Accepted, origin: Origin) -> Result<Vec<Room>, PublishError> {
        let mut rooms: Vec<Room> = Vec::with_capacity(accepted.len());
        for (channel, events) in accepted {
            if self.is_released(&channel) {
                let reason = "another process is taking over".to_owned();
                return Err(channel.refused(&StoreError::Unavailable(reason)));
            }
            let (count, wanted) = (events.len(), channel.audience.wants(&events));
            let reserved = channel.log.reserve(events).map_err(|error| channel.refused(&error))?;
            rooms.push(Room { channel, count, wanted, reserved });
        }
        // A drain that has not seen the room kept above has begun before it was: then it is not filled.
        if origin == Origin::Request && self.draining.load(Ordering::Acquire) {
            let channel = rooms.first().map(|first| first.channel.name.clone()).unwrap_or_default();
            drop(rooms);
            self.finished.notify_one();
            return Err(PublishError::Draining { channel });
        }
        Ok(rooms)
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

    async fn idle(&self) {
        while !self.subscriptions().iter().all(|subscription| subscription.cursor.is_idle()) {
            self.finished.notified().await;
        }
    }

    fn subscriptions(&self) -> Vec<Arc<Subscription>> {
        self.table.load().channels.values().flat_map(|channel| channel.subscriptions.iter().cloned()).collect()
    }
}

impl Channel {
    /// Leaves its dead letters where they are, and its audience, unless another channel of its name has taken them over.
    fn leave(&self, heir: Option<&Self>) {
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
    fn lost(&self, events: usize) {
        self.totals.lost.fetch_add(u64::try_from(events).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// Counts a refusal, and says whose it is.
    fn refused(&self, error: &StoreError) -> PublishError {
        self.totals.refused.fetch_add(1, Ordering::Relaxed);
        PublishError::of_store(&self.name, error)
    }

    fn stats(&self, name: &str) -> ChannelStats {
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

/// Room for events in the log of a channel; given back unless filled.
struct Room {
    channel: Arc<Channel>,
    count: usize,
    /// What those who look on get of it.
    wanted: Option<Vec<Arc<Event>>>,
    reserved: Box<dyn Reserved>,
}

impl Room {
    /// Stores its events.
    async fn fill(self) -> Result<(), PublishError> {
        let Self { channel, count, wanted, reserved } = self;
        reserved.commit().await.map_err(|error| channel.refused(&error))?;
        channel.count(count);
        channel.audience.tell(wanted);
        Ok(())
    }
}

/// Events by their channel.
type Accepted = Vec<(Arc<Channel>, Vec<Arc<Event>>)>;

/// Subscriptions by the names of their channel and their own.
type Known = HashMap<(String, String), Arc<Subscription>>;

/// A new subscription; none when the channel's log gives no place, which the log says.
fn subscribe(log: &Arc<dyn Log>, channel: &str, spec: SubscriptionSpec) -> Option<Arc<Subscription>> {
    match log.subscribe(&spec.name) {
        Ok(cursor) => Some(Arc::new(Subscription::new(channel, spec, cursor, log.is_durable()))),
        Err(error) => {
            tracing::error!(channel, subscription = spec.name, %error, "the subscription gets no events");
            None
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
