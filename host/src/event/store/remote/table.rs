//! Events that a server gave out to this process, and what they are known by when they come again.

use super::AHEAD;
use crate::wasm::bindings::sluicegate::filter::types::Event;
use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::fmt::Debug;
use std::hash::Hash;
use std::sync::Arc;
use std::time::SystemTime;

/// Events whose end is remembered, for those that a server gives out again since it was not told in time: as many as may
/// have been under way when a connection breaks, and more.
const REMEMBERED: usize = 4_096;

/// An event that is here.
#[derive(Clone)]
pub(super) struct Held<M, T> {
    pub(super) event: Arc<Event>,
    pub(super) since: SystemTime,
    pub(super) tag: T,
    mark: Option<M>,
}

/// The events of one subscription. Positions are this table's own and grow in the order of arrival.
pub(super) struct Table<M, T> {
    waiting: BTreeMap<u64, Held<M, T>>,
    in_flight: BTreeMap<u64, Held<M, T>>,
    known: HashMap<M, u64>,
    done: Remembered<M>,
    next: u64,
}

impl<M, T> Default for Table<M, T> {
    fn default() -> Self {
        Self {
            waiting: BTreeMap::new(),
            in_flight: BTreeMap::new(),
            known: HashMap::new(),
            done: Remembered { order: VecDeque::new(), all: HashSet::new() },
            next: 0,
        }
    }
}

/// What became of an event that came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Put {
    /// It waits now.
    New,
    /// It was here already, and has a new tag.
    Here,
    /// The subscription was done with it before: the server has to be told again.
    Done,
}

impl<M: Clone + Eq + Hash, T: Clone> Table<M, T> {
    pub(super) fn put(&mut self, mark: Option<M>, event: Arc<Event>, since: SystemTime, tag: T) -> Put {
        if let Some(mark) = &mark {
            if self.done.all.contains(mark) {
                return Put::Done;
            }
            let known = self.known.get(mark);
            let here = known.and_then(|position| match self.waiting.get_mut(position) {
                Some(held) => Some(held),
                None => self.in_flight.get_mut(position),
            });
            if let Some(held) = here {
                held.tag = tag;
                return Put::Here;
            }
            self.known.insert(mark.clone(), self.next);
        }
        self.waiting.insert(self.next, Held { event, since, tag, mark });
        self.next += 1;
        Put::New
    }

    /// The first event that waits, which is in flight from now on.
    pub(super) fn take(&mut self) -> Option<(u64, Arc<Event>)> {
        let (position, held) = self.waiting.pop_first()?;
        let event = Arc::clone(&held.event);
        self.in_flight.insert(position, held);
        Some((position, event))
    }

    /// The subscription is done with an event: what to tell the server by.
    pub(super) fn finish(&mut self, position: u64) -> Option<T> {
        let held = self.in_flight.remove(&position)?;
        if let Some(mark) = held.mark {
            self.known.remove(&mark);
            self.done.add(mark);
        }
        Some(held.tag)
    }

    /// An event is in flight no longer, and is the server's.
    pub(super) fn release(&mut self, position: u64) -> Option<T> {
        let held = self.in_flight.remove(&position)?;
        held.mark.map(|mark| self.known.remove(&mark));
        Some(held.tag)
    }

    /// An event is in flight no longer, and waits where it was.
    pub(super) fn again(&mut self, position: u64) {
        if let Some(held) = self.in_flight.remove(&position) {
            self.waiting.insert(position, held);
        }
    }

    /// Everything that waits is the server's.
    pub(super) fn clear(&mut self) -> Vec<T> {
        let waiting = std::mem::take(&mut self.waiting).into_values();
        waiting.map(|held| (held.mark.map(|mark| self.known.remove(&mark)), held.tag).1).collect()
    }

    /// How many more may be fetched, once half of what may wait is gone.
    pub(super) fn room(&self) -> Option<usize> {
        let waiting = self.waiting.len();
        (waiting <= AHEAD / 2).then(|| AHEAD.saturating_sub(waiting))
    }

    pub(super) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    pub(super) fn in_flight(&self) -> usize {
        self.in_flight.len()
    }

    /// Since when the oldest is there.
    pub(super) fn oldest(&self) -> Option<SystemTime> {
        self.in_flight.values().chain(self.waiting.values()).map(|held| held.since).min()
    }

    /// The tags of all that is here, in the order of arrival.
    pub(super) fn tags(&self) -> Vec<T> {
        let mut all: Vec<_> = self.waiting.iter().chain(self.in_flight.iter()).collect();
        all.sort_by_key(|(position, _)| **position);
        all.into_iter().map(|(_, held)| held.tag.clone()).collect()
    }
}

/// The last marks that were added.
struct Remembered<M> {
    order: VecDeque<M>,
    all: HashSet<M>,
}

impl<M: Clone + Eq + Hash> Remembered<M> {
    fn add(&mut self, mark: M) {
        if !self.all.insert(mark.clone()) {
            return;
        }
        self.order.push_back(mark);
        if self.order.len() > REMEMBERED
            && let Some(first) = self.order.pop_front()
        {
            self.all.remove(&first);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::tests::harness::event;

    type Numbers = Table<u64, &'static str>;

    fn put(table: &mut Numbers, mark: u64, tag: &'static str) -> Put {
        table.put(Some(mark), Arc::new(event(&mark.to_string())), SystemTime::UNIX_EPOCH, tag)
    }

    fn take(table: &mut Numbers) -> Option<(u64, String)> {
        table.take().map(|(position, event)| (position, event.id.clone()))
    }

    #[test]
    fn an_event_that_comes_again_while_it_is_here_only_has_a_new_tag() {
        let mut table = Numbers::default();
        assert_eq!((put(&mut table, 7, "one"), put(&mut table, 7, "two")), (Put::New, Put::Here));
        let (position, id) = take(&mut table).unwrap();
        assert_eq!((id.as_str(), put(&mut table, 7, "three")), ("7", Put::Here));
        assert_eq!((take(&mut table), table.finish(position)), (None, Some("three")));
    }

    #[test]
    fn an_event_that_is_done_with_is_known_for_as_many_as_are_remembered() {
        let mut table = Numbers::default();
        for mark in 0..=REMEMBERED as u64 {
            assert_eq!(put(&mut table, mark, "tag"), Put::New);
            let (position, _) = table.take().unwrap();
            table.finish(position).unwrap();
        }
        assert_eq!(put(&mut table, REMEMBERED as u64, "again"), Put::Done);
        assert_eq!(put(&mut table, 0, "again"), Put::New, "forgotten");
    }

    #[test]
    fn what_is_given_back_waits_where_it_was_and_what_is_released_is_forgotten() {
        let mut table = Numbers::default();
        for mark in 1..=3 {
            put(&mut table, mark, "tag");
        }
        let (first, _) = take(&mut table).unwrap();
        let (second, _) = take(&mut table).unwrap();
        table.again(first);
        assert_eq!(take(&mut table), Some((first, "1".into())));
        assert_eq!((table.release(second), table.waiting(), table.in_flight()), (Some("tag"), 1, 1));
        assert_eq!((put(&mut table, 2, "tag"), table.clear().len()), (Put::New, 2));
        assert_eq!(put(&mut table, 3, "tag"), Put::New);
        assert_eq!((table.finish(first), table.finish(first)), (Some("tag"), None));
    }
}
