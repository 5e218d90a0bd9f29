//! The latest events of a channel whose store keeps no history, for whoever looks on: what this process publishes, from
//! the first look on, in memory, for as long as somebody looks.

use super::attention::Attention;
use super::{History, Kept, Reader, StoreError};
use crate::wasm::bindings::sluicegate::filter::types::Event;
use futures_util::future::{self, BoxFuture, FutureExt};
use std::collections::VecDeque;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

/// Events that are kept for readers that are behind, and for those that come back.
const EVENTS: usize = 4_096;
/// What they may take, in bytes of data.
const BYTES: usize = 8 << 20;
/// The microseconds since 1970, from 2001 to 2128.
const POSITIONS: Range<u64> = 1_000_000_000_000_000..5_000_000_000_000_000;
/// What a reader gets at once.
const BATCH: usize = 256;

/// The latest events.
#[derive(Debug)]
pub(in crate::event) struct Recent {
    state: Mutex<State>,
    attention: Attention,
}

#[derive(Debug)]
struct State {
    events: VecDeque<Kept>,
    bytes: usize,
    /// The position of the next event.
    next: u64,
}

impl Recent {
    /// Nothing yet. Positions begin at the microseconds since 1970, so that those of an earlier process lie before.
    pub(in crate::event) fn new() -> Arc<Self> {
        let begin = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_micros();
        let next = u64::try_from(begin).unwrap_or_default();
        let state = Mutex::new(State { events: VecDeque::new(), bytes: 0, next });
        Arc::new(Self { state, attention: Attention::default() })
    }

    /// Whether it is such a position, rather than one of a server's history: those of NATS count its events, and those of
    /// Redis are larger.
    pub(in crate::event) fn is_position(position: u64) -> bool {
        POSITIONS.contains(&position)
    }

    /// Whether somebody wants to have what comes.
    pub(in crate::event) fn is_wanted(&self) -> bool {
        self.attention.is_paid()
    }

    /// Takes in what the store has taken.
    pub(in crate::event) fn push(&self, events: Vec<Arc<Event>>) {
        let time = SystemTime::now();
        let mut state = self.state();
        for event in events {
            state.bytes += size(&event);
            let position = state.next;
            state.next += 1;
            state.events.push_back(Kept { position, time, event });
        }
        while state.events.len() > EVENTS || state.bytes > BYTES {
            let Some(oldest) = state.events.pop_front() else { break };
            state.bytes -= size(&oldest.event).min(state.bytes);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // No holder can leave the state half changed, so a poisoned lock is as good as any.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn span(&self) -> Range<u64> {
        self.events.front().map_or(self.next, |oldest| oldest.position)..self.next
    }
}

fn size(event: &Event) -> usize {
    event.data.as_ref().map_or(0, Vec::len) + 256
}

impl History for Arc<Recent> {
    fn span(&self) -> Range<u64> {
        self.state().span()
    }

    fn since(&self, time: SystemTime) -> u64 {
        let state = self.state();
        state.events.iter().find(|kept| kept.time >= time).map_or(state.next, |kept| kept.position)
    }

    fn reader(&self, from: u64) -> Box<dyn Reader> {
        self.attention.pay();
        Box::new(RecentReader { recent: Arc::clone(self), position: from })
    }
}

#[derive(Debug)]
struct RecentReader {
    recent: Arc<Recent>,
    position: u64,
}

impl Reader for RecentReader {
    fn next(&mut self) -> BoxFuture<'_, Result<Vec<Kept>, StoreError>> {
        self.recent.attention.pay();
        let batch: Vec<Kept> = {
            let state = self.recent.state();
            self.position = self.position.max(state.span().start);
            let skip = usize::try_from(self.position - state.span().start).unwrap_or(usize::MAX);
            state.events.iter().skip(skip).take(BATCH).cloned().collect()
        };
        self.position = batch.last().map_or(self.position, |last| last.position + 1);
        future::ready(Ok(batch)).boxed()
    }

    fn position(&self) -> u64 {
        self.position
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::tests::harness::event;
    use super::*;

    fn ids(batch: &[Kept]) -> Vec<String> {
        batch.iter().map(|kept| kept.event.id.clone()).collect()
    }

    #[tokio::test]
    async fn a_reader_gets_what_comes_and_one_that_is_behind_what_is_left() {
        let recent = Recent::new();
        assert!(!recent.is_wanted(), "nobody looks");
        let start = recent.span().start;
        let mut reader = recent.reader(start);
        assert!(recent.is_wanted());
        recent.push(vec![Arc::new(event("1")), Arc::new(event("2"))]);
        assert_eq!(ids(&reader.next().await.unwrap()), ["1", "2"]);
        assert!(reader.next().await.unwrap().is_empty());
        for _ in 0..EVENTS {
            recent.push(vec![Arc::new(event("more"))]);
        }
        assert_eq!(recent.span(), start + 2..start + 2 + EVENTS as u64);
        let mut late = recent.reader(start);
        assert_eq!((late.next().await.unwrap().len(), late.position()), (BATCH, start + 2 + BATCH as u64));
    }
}
