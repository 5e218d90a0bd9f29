//! The bounded queue of one subscription.

use crate::wasm::bindings::sluicegate::filter::types::Event;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// Events that wait for one subscription. At 64 KiB each, the size that every intermediary has to carry, a subscriber
/// that is gone costs 64 MiB; usual events are a hundredth of that.
pub(super) const QUEUE_LENGTH: usize = 1_024;

/// What became of asking for room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Room {
    /// A place is kept.
    Reserved,
    /// There is none.
    Full,
    /// The subscription is gone.
    Closed,
}

/// Events in the order they came, with places reserved so that several queues take an event or none does.
#[derive(Debug, Default)]
pub(super) struct Queue {
    state: Mutex<State>,
    arrived: Notify,
}

#[derive(Debug, Default)]
struct State {
    events: VecDeque<Arc<Event>>,
    /// Places kept by publishers that have not filled them yet.
    reserved: usize,
    /// Events taken out and not done with.
    in_flight: usize,
    closed: bool,
}

impl Queue {
    /// Keeps a place; it has to be filled or released.
    pub(super) fn reserve(&self) -> Room {
        let mut state = self.state();
        if state.closed {
            return Room::Closed;
        }
        if state.events.len() + state.reserved >= QUEUE_LENGTH {
            return Room::Full;
        }
        state.reserved += 1;
        Room::Reserved
    }

    /// Gives a place back.
    pub(super) fn release(&self) {
        let mut state = self.state();
        state.reserved = state.reserved.saturating_sub(1);
    }

    /// Puts an event into a reserved place; false when the queue was closed meanwhile.
    pub(super) fn fill(&self, event: Arc<Event>) -> bool {
        let mut state = self.state();
        state.reserved = state.reserved.saturating_sub(1);
        if state.closed {
            return false;
        }
        state.events.push_back(event);
        drop(state);
        self.arrived.notify_one();
        true
    }

    /// The next event, which counts as in flight until `finish`; none once the queue is closed. One task may wait.
    pub(super) async fn next(&self) -> Option<Arc<Event>> {
        loop {
            {
                let mut state = self.state();
                if let Some(event) = state.events.pop_front() {
                    state.in_flight += 1;
                    return Some(event);
                }
                if state.closed {
                    return None;
                }
            }
            self.arrived.notified().await;
        }
    }

    /// An event that `next` gave is done with.
    pub(super) fn finish(&self) {
        let mut state = self.state();
        state.in_flight = state.in_flight.saturating_sub(1);
    }

    /// Takes nothing any more; says how many events were dropped.
    pub(super) fn close(&self) -> usize {
        let mut state = self.state();
        state.closed = true;
        let dropped = state.events.len();
        state.events = VecDeque::new();
        drop(state);
        self.arrived.notify_one();
        dropped
    }

    /// How many events wait, and how many are in flight.
    pub(super) fn depth(&self) -> (usize, usize) {
        let state = self.state();
        (state.events.len(), state.in_flight)
    }

    /// Whether nothing waits, is about to come, or is in flight.
    pub(super) fn is_idle(&self) -> bool {
        let state = self.state();
        state.events.is_empty() && state.reserved == 0 && state.in_flight == 0
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // No holder can leave the state half changed, so a poisoned lock is as good as any.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
