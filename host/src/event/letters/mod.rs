//! Dead letters: events that a subscription has given up and that no dead letter sink took.
//!
//! They are a log of the same store as their channel's, under a name that no channel can have, and its one subscription
//! is the operator: what was taken from it is shown, and what is dropped or put back is acknowledged. So they are kept as
//! safely as the channel's events, in every store. There is one log for each channel and not for each subscription: a
//! letter names its subscription, and outlives it.

mod letter;

pub use letter::Letter;
pub(super) use letter::shortened;

use super::store::{Cursor, Log, StoreError, Taken};
use crate::config::limits::{DEAD_LETTER_BYTES, DEAD_LETTERS};
use crate::wasm::bindings::sluicegate::filter::types::Event;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Between two tries to make room where the store is full, for it to notice that there is some.
const ROOM: Duration = Duration::from_millis(50);
/// How often that is tried.
const ROOMS: usize = 40;

/// The dead letters of one channel.
#[derive(Debug)]
pub(super) struct DeadLetters {
    /// `NAMESPACE/NAME` of the channel.
    channel: String,
    log: Arc<dyn Log>,
    cursor: Arc<dyn Cursor>,
    state: Mutex<State>,
    evicted: AtomicU64,
}

#[derive(Debug, Default)]
struct State {
    /// As their log has them, by their number.
    letters: BTreeMap<u64, Arc<Event>>,
    bytes: usize,
}

/// A dead letter and where it is.
#[derive(Debug, Clone)]
pub struct Numbered {
    /// `NAMESPACE/NAME` of the channel.
    pub channel: String,
    /// Its number, which it keeps for as long as it is there.
    pub number: u64,
    /// When it was put there (RFC 3339).
    pub since: String,
    /// What it is.
    pub letter: Letter,
}

/// What sets the log of a channel's dead letters apart from its own.
const SUFFIX: &str = "!dead-letters";

/// The name of the log of a channel's dead letters.
pub(super) fn log_of(channel: &str) -> String {
    format!("{channel}{SUFFIX}")
}

/// What a log may take that may take so many bytes: one of dead letters never as much, and servers put aside what a log may
/// take at most.
pub(super) fn bytes_of(log: &str, most: u64) -> u64 {
    let letters = u64::try_from(DEAD_LETTER_BYTES).unwrap_or(u64::MAX).saturating_mul(2);
    if log.ends_with(SUFFIX) { most.min(letters) } else { most }
}

/// For how long a log keeps what everybody is done with: one of dead letters for no time.
pub(super) fn history_of(log: &str, history: Option<Duration>) -> Option<Duration> {
    history.filter(|_| !log.ends_with(SUFFIX))
}

impl DeadLetters {
    /// Those of a channel, in a log of its store.
    ///
    /// # Errors
    /// When the log gives none out.
    pub(super) fn open(channel: &str, log: Arc<dyn Log>) -> Result<Self, StoreError> {
        let cursor = log.subscribe("operator")?;
        let (channel, evicted) = (channel.to_owned(), AtomicU64::new(0));
        Ok(Self { channel, log, cursor, state: Mutex::default(), evicted })
    }

    /// Takes in what the log has, until it is closed.
    pub(super) async fn run(&self) {
        while let Some(taken) = self.cursor.next().await {
            if Letter::of_event(&taken.event).is_none() {
                let (channel, number) = (&self.channel, taken.position);
                tracing::warn!(channel, number, "a dead letter cannot be read and is dropped");
                self.cursor.ack(taken.position);
                continue;
            }
            self.insert(taken);
        }
    }

    /// Keeps a letter. Where the store is full the oldest ones make room.
    ///
    /// # Errors
    /// When the store does not take it.
    pub(super) async fn put(&self, letter: &Letter) -> Result<(), StoreError> {
        let event = letter.to_event().ok_or_else(|| StoreError::TooLarge("it cannot be written".to_owned()))?;
        let event = Arc::new(event);
        for _ in 0..ROOMS {
            match self.log.reserve(vec![Arc::clone(&event)]) {
                Err(StoreError::Full(_)) if self.evict() => tokio::time::sleep(ROOM).await,
                Err(error) => return Err(error),
                Ok(room) => return room.commit().await,
            }
        }
        Err(StoreError::Full("its dead letters leave no room".to_owned()))
    }

    /// Those that a condition holds for, oldest first.
    pub(super) fn list(&self, wanted: impl Fn(&Numbered) -> bool) -> Vec<Numbered> {
        let letters: Vec<(u64, Arc<Event>)> =
            self.state().letters.iter().map(|(number, event)| (*number, Arc::clone(event))).collect();
        letters.into_iter().filter_map(|(number, event)| self.numbered(number, &event)).filter(wanted).collect()
    }

    /// Is done with a letter; whether it was there.
    pub(super) fn remove(&self, number: u64) -> bool {
        let removed = self.state().remove(number);
        if removed {
            self.cursor.ack(number);
        }
        removed
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.state().letters.len()
    }

    /// How many were dropped for newer ones.
    pub(super) fn evicted(&self) -> u64 {
        self.evicted.load(Ordering::Relaxed)
    }

    /// Gives out nothing more. What a durable store holds stays for the next process, or for the channel to come back.
    pub(super) fn stop(&self) {
        let count = self.len();
        if count > 0 && !self.log.is_durable() {
            tracing::warn!(channel = self.channel, count, "dead letters are gone: their channel keeps them in memory");
        }
        self.cursor.stop();
    }

    fn numbered(&self, number: u64, event: &Event) -> Option<Numbered> {
        let (channel, since) = (self.channel.clone(), event.time.clone().unwrap_or_default());
        Some(Numbered { channel, number, since, letter: Letter::of_event(event)? })
    }

    fn insert(&self, Taken { event, position }: Taken) {
        {
            let mut state = self.state();
            state.bytes += size(&event);
            state.letters.insert(position, event);
        }
        while self.is_over() && self.evict() {}
    }

    fn is_over(&self) -> bool {
        let state = self.state();
        state.letters.len() > DEAD_LETTERS || state.bytes > DEAD_LETTER_BYTES
    }

    /// Drops the oldest; false when there is only one.
    fn evict(&self) -> bool {
        let oldest = {
            let mut state = self.state();
            let oldest = state.letters.keys().next().copied().filter(|_| state.letters.len() > 1);
            oldest.filter(|oldest| state.remove(*oldest))
        };
        let Some(oldest) = oldest else { return false };
        self.cursor.ack(oldest);
        if self.evicted.fetch_add(1, Ordering::Relaxed) == 0 {
            let channel = &self.channel;
            tracing::warn!(channel, "there are more dead letters than are kept: the oldest are dropped, and counted");
        }
        true
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // No holder can leave the state half changed, so a poisoned lock is as good as any.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn remove(&mut self, number: u64) -> bool {
        let removed = self.letters.remove(&number);
        self.bytes -= removed.as_ref().map_or(0, |event| size(event)).min(self.bytes);
        removed.is_some()
    }
}

/// About what a letter takes in memory.
fn size(event: &Event) -> usize {
    let extensions = event.extensions.iter().map(|entry| entry.name.len() + entry.value.len()).sum::<usize>();
    event.data.as_ref().map_or(0, Vec::len) + extensions + 256
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_of_dead_letters_puts_little_aside_and_that_of_a_channel_what_it_may_take() {
        let (log, most) = (log_of("default/orders"), 1 << 40);
        assert_eq!(bytes_of("default/orders", most), most);
        assert_eq!(bytes_of(&log, most), 32 << 20);
        assert_eq!(bytes_of(&log, 1 << 20), 1 << 20);
        let day = Some(Duration::from_hours(24));
        assert_eq!((history_of("default/orders", day), history_of(&log, day)), (day, None));
    }
}
