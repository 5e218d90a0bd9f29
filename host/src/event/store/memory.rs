//! Events in the memory of the process: a bounded queue for each subscription.
//!
//! Guarantees: an event is given out once, in the order of publishing, and is forgotten with the process. An event goes
//! into the queues of all subscriptions or of none; a queue that is full refuses it for all. There is no window of
//! duplicates.

use super::{Cursor, Figures, Log, Reserved, Store, StoreError, Taken};
use crate::wasm::bindings::sluicegate::filter::types::Event;
use futures_util::future::{self, BoxFuture, FutureExt};
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};
use tokio::sync::Notify;

/// Events that wait for one subscription. At 64 KiB each, the size that every intermediary has to carry, a subscriber
/// that is gone costs 64 MiB; usual events are a hundredth of that.
pub(in crate::event) const QUEUE_LENGTH: usize = 1_024;

/// Makes logs that are forgotten with the process.
#[derive(Debug, Default)]
pub(super) struct MemoryStore;

impl Store for MemoryStore {
    fn open(&self, _: &str) -> Result<Arc<dyn Log>, StoreError> {
        Ok(Arc::new(MemoryLog::default()))
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        future::ready(()).boxed()
    }
}

/// The queues of a channel's subscriptions.
#[derive(Debug, Default)]
struct MemoryLog(Mutex<Vec<Arc<Queue>>>);

impl Log for MemoryLog {
    fn reserve(&self, events: Vec<Arc<Event>>) -> Result<Box<dyn Reserved>, StoreError> {
        let mut queues = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        queues.retain(|queue| !queue.state().closed);
        let mut places = Places { events, queues: Vec::with_capacity(queues.len()) };
        for queue in queues.iter() {
            if !queue.reserve(places.events.len()) {
                let name = &queue.subscription;
                return Err(StoreError::Full(format!("{QUEUE_LENGTH} events wait for subscription {name}")));
            }
            places.queues.push(Arc::clone(queue));
        }
        Ok(Box::new(places))
    }

    fn subscribe(&self, subscription: &str) -> Result<Arc<dyn Cursor>, StoreError> {
        let queue = Arc::new(Queue::new(subscription));
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&queue));
        Ok(queue)
    }

    fn keep_only(&self, _: &[&str]) {}

    fn is_durable(&self) -> bool {
        false
    }
}

/// Places in queues that are kept for events; given back unless filled.
struct Places {
    events: Vec<Arc<Event>>,
    queues: Vec<Arc<Queue>>,
}

impl Reserved for Places {
    fn commit(mut self: Box<Self>) -> BoxFuture<'static, Result<(), StoreError>> {
        for queue in std::mem::take(&mut self.queues) {
            queue.fill(&self.events);
        }
        future::ready(Ok(())).boxed()
    }
}

impl Drop for Places {
    fn drop(&mut self) {
        for queue in &self.queues {
            queue.release(self.events.len());
        }
    }
}

/// Events in the order they came, with places reserved so that several queues take an event or none does.
#[derive(Debug)]
struct Queue {
    /// `NAMESPACE/NAME`.
    subscription: String,
    state: Mutex<State>,
    arrived: Notify,
}

#[derive(Debug, Default)]
struct State {
    events: VecDeque<(Arc<Event>, SystemTime)>,
    /// Places kept by publishers that have not filled them yet.
    reserved: usize,
    /// Events taken out and not done with, and since when they were there.
    in_flight: BTreeMap<u64, SystemTime>,
    /// The position of the next event that is taken out.
    next: u64,
    closed: bool,
}

impl Queue {
    fn new(subscription: &str) -> Self {
        Self { subscription: subscription.to_owned(), state: Mutex::default(), arrived: Notify::new() }
    }

    /// Keeps places, which have to be filled or released; false when there are not so many.
    fn reserve(&self, count: usize) -> bool {
        let mut state = self.state();
        let fits = state.events.len() + state.reserved + count <= QUEUE_LENGTH;
        if fits {
            state.reserved += count;
        }
        fits
    }

    fn release(&self, count: usize) {
        let mut state = self.state();
        state.reserved = state.reserved.saturating_sub(count);
    }

    /// Puts events into reserved places, unless the queue was closed meanwhile.
    fn fill(&self, events: &[Arc<Event>]) {
        let now = SystemTime::now();
        let mut state = self.state();
        state.reserved = state.reserved.saturating_sub(events.len());
        if !state.closed {
            state.events.extend(events.iter().map(|event| (Arc::clone(event), now)));
        }
        drop(state);
        self.arrived.notify_one();
    }

    fn finish(&self, position: u64) {
        self.state().in_flight.remove(&position);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // No holder can leave the state half changed, so a poisoned lock is as good as any.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn take(&mut self) -> Option<Taken> {
        let (event, since) = self.events.pop_front()?;
        let position = self.next;
        self.next += 1;
        self.in_flight.insert(position, since);
        Some(Taken { event, position })
    }
}

impl Cursor for Queue {
    fn next(&self) -> BoxFuture<'_, Option<Taken>> {
        async {
            loop {
                {
                    let mut state = self.state();
                    if let Some(taken) = state.take() {
                        return Some(taken);
                    }
                    if state.closed {
                        return None;
                    }
                }
                self.arrived.notified().await;
            }
        }
        .boxed()
    }

    fn ack(&self, position: u64) {
        self.finish(position);
    }

    fn give_back(&self, position: u64, _: Duration) {
        self.finish(position);
    }

    fn figures(&self) -> Figures {
        let state = self.state();
        let waiting = state.events.front().map(|(_, since)| *since);
        Figures {
            queued: state.events.len(),
            in_flight: state.in_flight.len(),
            redelivered: 0,
            lost: 0,
            oldest: state.in_flight.values().next().copied().or(waiting),
        }
    }

    fn is_idle(&self) -> bool {
        let state = self.state();
        state.events.is_empty() && state.reserved == 0 && state.in_flight.is_empty()
    }

    fn stop(&self) {
        self.close();
    }

    fn close(&self) -> usize {
        let mut state = self.state();
        state.closed = true;
        let dropped = state.events.len();
        state.events = VecDeque::new();
        drop(state);
        self.arrived.notify_one();
        dropped
    }
}
