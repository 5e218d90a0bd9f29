//! The channels as a configuration wants them.

use super::channel::Channel;
use super::channels::{Channels, Table};
use super::letters::{self, DeadLetters};
use super::resource::{ChannelSpec, SubscriptionSpec};
use super::store::Log;
use super::subscription::Subscription;
use crate::config::StoreChoice;
use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

impl Channels {
    /// Brings the channels to what a configuration says. Subscriptions that stay keep their place and what is in flight;
    /// what a removed one still had waiting is dropped, which the log says. A channel that moves to another store begins
    /// there anew, and one whose store could not be opened is tried again. May wait for a disk: it is not for threads that serve. Once a drain has begun nothing changes any more.
    pub fn apply(&self, specs: Vec<ChannelSpec>) {
        let mut starting = self.starting.lock().unwrap_or_else(PoisonError::into_inner);
        if self.is_draining() {
            return;
        }
        let old = self.table.load_full();
        let all = old.channels.values().flat_map(|channel| &channel.subscriptions);
        let mut known: Known =
            all.map(|entry| ((entry.channel.clone(), entry.name.clone()), Arc::clone(entry))).collect();
        // Their places in the files stay: they are opened anew, and go on there.
        let stale = self.stale.swap(false, Ordering::AcqRel);
        let is_stale = |channel: &Channel| stale && self.stores().is_exclusive(channel.store);
        known.retain(|(channel, _), _| !old.channels.get(channel).is_some_and(|channel| is_stale(channel)));
        let mut table = Table::default();
        for mut spec in specs {
            let store = self.stores().choose(spec.store);
            let former = old.channels.get(&spec.name);
            let same = former.filter(|former| former.store == store);
            let open = same.filter(|same| !is_stale(same) && !same.log.is_missing());
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
            // Those who look on read what was opened before: where it is opened anew they are told to begin again.
            let audience = open.map(|channel| Arc::clone(&channel.audience)).unwrap_or_default();
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
        // Who sees that a subscription is gone may end the process at once: by then the stores know.
        for subscription in known.values() {
            remove(subscription);
        }
        let table = Arc::new(table);
        self.table.store(Arc::clone(&table));
        for channel in old.channels.values() {
            channel.leave(table.channels.get(&channel.name).map(|heir| &**heir));
        }
        self.started.notify_one();
    }

    /// Opens the log of a channel that is new, or that was in another store: then its subscriptions begin anew.
    fn open(&self, store: StoreChoice, spec: &ChannelSpec, known: &mut Known) -> Arc<dyn Log> {
        let log = self.stores().open(store, &spec.name);
        let names: Vec<&str> = spec.subscriptions.iter().map(|subscription| subscription.name.as_str()).collect();
        log.keep_only(&names);
        known.extract_if(|(channel, _), _| *channel == spec.name).for_each(|(_, moved)| remove(&moved));
        log
    }

    /// The dead letters of a channel that has subscriptions. Those of a file or a server are there still.
    fn open_letters(&self, store: StoreChoice, channel: &str, is_subscribed: bool) -> Option<Arc<DeadLetters>> {
        let log = is_subscribed.then(|| self.stores().open(store, &letters::log_of(channel)))?;
        let opened = DeadLetters::open(channel, log);
        opened.inspect_err(|error| tracing::error!(channel, %error, "its dead letters are not kept")).ok().map(Arc::new)
    }
}

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
