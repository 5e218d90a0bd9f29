//! Publishing to a channel on a server.

use super::place::{Place, PlaceCursor};
use super::{ANSWER, PATIENCE, Server, WINDOW};
use crate::event::store::{Archive, Cursor, Log, Reserved, StoreError};
use crate::wasm::bindings::sluicegate::filter::types::Event;
use futures_util::future::{BoxFuture, FutureExt};
use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// One channel.
#[derive(Debug)]
pub(super) struct RemoteLog<S: Server> {
    shared: Arc<Shared<S>>,
    window: Arc<Semaphore>,
}

/// What publishers and subscriptions share. There is one for a channel that comes back while subscriptions of it are removed.
#[derive(Debug)]
pub(super) struct Shared<S: Server> {
    /// `NAMESPACE/NAME`.
    pub(super) channel: String,
    pub(super) server: Arc<S>,
    places: Mutex<HashMap<String, Arc<Place<S>>>>,
}

impl<S: Server> RemoteLog<S> {
    pub(super) fn new(shared: Arc<Shared<S>>) -> Self {
        Self { shared, window: Arc::new(Semaphore::new(WINDOW)) }
    }
}

impl<S: Server> Shared<S> {
    pub(super) fn new(channel: &str, server: Arc<S>) -> Self {
        Self { channel: channel.to_owned(), server, places: Mutex::default() }
    }

    /// A subscription is gone, unless another of its name has taken its place.
    pub(super) fn forget(&self, place: &Arc<Place<S>>) {
        let mut places = self.places();
        if places.get(&place.subscription).is_some_and(|known| Arc::ptr_eq(known, place)) {
            places.remove(&place.subscription);
        }
    }

    /// Whether the channel has a subscription of this name.
    pub(super) fn has(&self, subscription: &str) -> bool {
        self.places().contains_key(subscription)
    }

    fn places(&self) -> MutexGuard<'_, HashMap<String, Arc<Place<S>>>> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn publish(&self, events: Vec<Arc<Event>>) -> Result<(), StoreError> {
        let places: Vec<Arc<Place<S>>> = self.places().values().cloned().collect();
        if places.is_empty() {
            return Ok(());
        }
        if !self.server.is_reached().await {
            return Err(StoreError::Unavailable(format!("the {} cannot be reached", S::NAME)));
        }
        // An event that comes before a subscription is none of its.
        for place in &places {
            place.known().await;
        }
        self.server.publish(&self.channel, events).await
    }
}

impl<S: Server> Log for RemoteLog<S> {
    fn reserve(&self, events: Vec<Arc<Event>>) -> Result<Box<dyn Reserved>, StoreError> {
        let count = u32::try_from(events.len()).unwrap_or(u32::MAX);
        let full = |_| StoreError::Full(format!("{WINDOW} events wait for the {}", S::NAME));
        let places = Arc::clone(&self.window).try_acquire_many_owned(count).map_err(full)?;
        Ok(Box::new(Room { shared: Arc::clone(&self.shared), events, _places: places }))
    }

    fn subscribe(&self, subscription: &str) -> Result<Arc<dyn Cursor>, StoreError> {
        let place = Place::start(&self.shared, subscription);
        self.shared.places().insert(subscription.to_owned(), Arc::clone(&place));
        Ok(Arc::new(PlaceCursor(place)))
    }

    fn keep_only(&self, subscriptions: &[&str]) {
        let mut kept: BTreeSet<String> = subscriptions.iter().map(|&subscription| subscription.to_owned()).collect();
        let shared = Arc::clone(&self.shared);
        self.shared.server.thread().spawn(async move {
            while !shared.server.is_reached().await {
                tokio::time::sleep(PATIENCE).await;
            }
            // And those that have come meanwhile.
            kept.extend(shared.places().keys().cloned());
            let (channel, kept) = (&shared.channel, Vec::from_iter(kept));
            match shared.server.keep_only(channel, &kept).await {
                Ok(removed) => {
                    for subscription in removed {
                        tracing::warn!(channel, subscription, "the subscription is gone, and so are its stored events");
                    }
                }
                Err(error) => tracing::debug!(channel, %error, "subscriptions that are gone were not looked for"),
            }
        });
    }

    fn is_durable(&self) -> bool {
        true
    }

    fn archive(&self) -> Option<Arc<dyn Archive>> {
        self.shared.server.archive(&self.shared.channel)
    }
}

/// Places in the window of publishing.
struct Room<S: Server> {
    shared: Arc<Shared<S>>,
    events: Vec<Arc<Event>>,
    _places: OwnedSemaphorePermit,
}

impl<S: Server> Reserved for Room<S> {
    fn commit(mut self: Box<Self>) -> BoxFuture<'static, Result<(), StoreError>> {
        async move {
            let events = std::mem::take(&mut self.events);
            let published = tokio::time::timeout(PATIENCE + ANSWER, self.shared.publish(events)).await;
            published.unwrap_or_else(|_| Err(StoreError::Unavailable(format!("the {} does not answer", S::NAME))))
        }
        .boxed()
    }
}
