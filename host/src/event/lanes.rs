//! Which of the events that were taken may be delivered now.

use super::store::Taken;
use super::tuning::Ordering;
use crate::wasm::bindings::sluicegate::filter::types::Event;
use std::collections::{HashMap, VecDeque};

/// Events that were taken and wait for one of the same key: beyond, nothing more is taken, so that a key whose subscriber
/// hangs holds the other keys of its subscription only after so many of its own.
const LOOK_AHEAD: usize = 256;

/// The events of one subscription that were taken: ready ones, and ones whose key is being delivered.
#[derive(Debug, Default)]
pub(super) struct Lanes {
    ready: VecDeque<(Option<String>, Taken)>,
    /// Keys that are ready or being delivered, and what waits behind.
    busy: HashMap<String, VecDeque<Taken>>,
    waiting: usize,
}

impl Lanes {
    /// Whether another event may be taken.
    pub(super) fn has_room(&self) -> bool {
        self.waiting < LOOK_AHEAD && self.ready.is_empty()
    }

    /// An event was taken.
    pub(super) fn push(&mut self, ordering: Ordering, taken: Taken) {
        let Some(key) = key(ordering, &taken.event) else { return self.ready.push_back((None, taken)) };
        if let Some(lane) = self.busy.get_mut(&key) {
            lane.push_back(taken);
            self.waiting += 1;
        } else {
            self.busy.insert(key.clone(), VecDeque::new());
            self.ready.push_back((Some(key), taken));
        }
    }

    /// An event that may be delivered; [`finished`](Self::finished) has to follow for its key.
    pub(super) fn pop(&mut self) -> Option<(Option<String>, Taken)> {
        self.ready.pop_front()
    }

    /// The delivery of this key's event is over.
    pub(super) fn finished(&mut self, key: Option<String>) {
        let Some(key) = key else { return };
        match self.busy.get_mut(&key).and_then(VecDeque::pop_front) {
            Some(taken) => {
                self.waiting = self.waiting.saturating_sub(1);
                self.ready.push_back((Some(key), taken));
            }
            None => drop(self.busy.remove(&key)),
        }
    }

    /// Everything that is not being delivered, as it will not be any more.
    pub(super) fn clear(&mut self) -> impl Iterator<Item = Taken> {
        self.waiting = 0;
        let ready = std::mem::take(&mut self.ready).into_iter().map(|(_, taken)| taken);
        ready.chain(std::mem::take(&mut self.busy).into_values().flatten())
    }
}

/// What an event is ordered by: `partitionkey`, as the extension of that name has it, else its subject.
fn key(ordering: Ordering, event: &Event) -> Option<String> {
    match ordering {
        Ordering::None => None,
        Ordering::Key => {
            let extension = event.extensions.iter().find(|extension| extension.name == "partitionkey");
            let key = extension.map(|extension| &extension.value).or(event.subject.as_ref());
            Some(key.cloned().unwrap_or_default())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::harness::event;
    use super::*;
    use crate::wasm::bindings::sluicegate::filter::types::Attribute;
    use std::sync::Arc;

    fn taken(position: u64, subject: &str) -> Taken {
        let event = Event { subject: Some(subject.to_owned()), ..event("1") };
        Taken { event: Arc::new(event), position }
    }

    fn popped(lanes: &mut Lanes) -> Vec<u64> {
        std::iter::from_fn(|| lanes.pop()).map(|(_, taken)| taken.position).collect()
    }

    #[test]
    fn events_of_one_key_come_one_after_the_other_and_others_pass() {
        let mut lanes = Lanes::default();
        for (position, subject) in [(1, "a"), (2, "a"), (3, "b"), (4, "a")] {
            lanes.push(Ordering::Key, taken(position, subject));
        }
        assert_eq!(popped(&mut lanes), [1, 3]);
        lanes.finished(Some("b".into()));
        assert!(lanes.pop().is_none());
        lanes.finished(Some("a".into()));
        assert_eq!(popped(&mut lanes), [2]);
        lanes.finished(Some("a".into()));
        assert_eq!(popped(&mut lanes), [4]);
        lanes.finished(Some("a".into()));
        assert!(lanes.busy.is_empty() && lanes.waiting == 0);
    }

    #[test]
    fn the_partition_key_comes_before_the_subject() {
        let mut event = event("1");
        assert_eq!(key(Ordering::Key, &event).as_deref(), Some(""));
        event.subject = Some("subject".into());
        assert_eq!(key(Ordering::Key, &event).as_deref(), Some("subject"));
        event.extensions.push(Attribute { name: "partitionkey".into(), value: "key".into() });
        assert_eq!(key(Ordering::Key, &event).as_deref(), Some("key"));
        assert_eq!(key(Ordering::None, &event), None);
    }

    #[test]
    fn a_key_that_hangs_ends_the_look_ahead_and_what_it_held_comes_back() {
        let mut lanes = Lanes::default();
        let mut position = 0;
        while lanes.pop().is_some() || lanes.has_room() {
            lanes.push(Ordering::Key, taken(position, "a"));
            position += 1;
        }
        assert_eq!(position, LOOK_AHEAD as u64 + 1, "one is being delivered");
        let back: Vec<u64> = lanes.clear().map(|taken| taken.position).collect();
        assert_eq!((back.len(), back.first()), (LOOK_AHEAD, Some(&1)));
    }
}
