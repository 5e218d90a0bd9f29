//! Requests that wait for an answer that an event brings.
//!
//! An exchange is opened before its event is published, so that no answer comes too early. The first answer counts;
//! others, and those that nobody waits for, are dropped and counted. Answers live in this process: it has to be the one
//! that delivers the event that brings them.

use crate::config::limits::{REPLIES, REPLIES_SWEEP, REPLY_BYTES};
use crate::wasm::bindings::sluicegate::filter::types::Answer;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;

/// All exchanges that are open.
#[derive(Debug, Default)]
pub struct Replies {
    table: Mutex<Table>,
    unclaimed: AtomicU64,
}

#[derive(Debug, Default)]
struct Table {
    slots: HashMap<String, Slot>,
    /// Of all keys, and of the answers that are there.
    bytes: usize,
    /// How many slots each filter has; those without any are left out.
    shares: HashMap<Arc<str>, usize>,
    /// When those that have expired were last looked for because there was no room.
    swept: Option<Instant>,
}

/// Who wants to open an exchange.
#[derive(Debug, Clone, Copy)]
pub struct Opener<'a> {
    /// The filter that decided so; its versions have one share.
    pub filter: &'a Arc<str>,
    /// How many it may have open.
    pub most: usize,
}

#[derive(Debug)]
struct Slot {
    filter: Arc<str>,
    answer: Option<Answer>,
    arrived: Arc<Notify>,
    expires: Instant,
}

/// Why no exchange can be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// As many are open as may be.
    #[error("as many answers are waited for already as may be")]
    Full,
    /// As many are open as the filter may have.
    #[error("as many answers are waited for already as its filter may have")]
    Share,
    /// There is one of this key.
    #[error("an answer of this key is waited for already")]
    Taken,
}

/// What came of a wait.
#[derive(Debug, Clone)]
pub enum Waited {
    /// The answer.
    Answered(Answer),
    /// None yet.
    Pending,
    /// No exchange of this key is open.
    Unknown,
}

/// An exchange that ends with the request that opened it, unless its answer is to be kept.
#[derive(Debug)]
pub struct Opened<'a> {
    replies: &'a Replies,
    key: String,
    keep: Duration,
}

impl Replies {
    /// Opens an exchange for as long as its request waits and its answer is kept.
    ///
    /// # Errors
    /// When too many are open, altogether or for the filter, or one has this key.
    pub fn open(&self, opener: Opener<'_>, key: &str, wait: Duration, keep: Duration) -> Result<Opened<'_>, OpenError> {
        let now = Instant::now();
        let mut table = self.table();
        if table.room(opener, key).is_err() && table.swept.is_none_or(|swept| now >= swept + REPLIES_SWEEP) {
            table.sweep(now);
            table.swept = Some(now);
        }
        table.room(opener, key)?;
        if table.slots.get(key).is_some_and(|slot| slot.expires > now) {
            return Err(OpenError::Taken);
        }
        table.remove(key);
        let filter = Arc::clone(opener.filter);
        table.insert(key, Slot { filter, answer: None, arrived: Arc::default(), expires: now + wait + keep });
        Ok(Opened { replies: self, key: key.to_owned(), keep })
    }

    /// Gives an exchange its answer; whether it was taken.
    pub fn answer(&self, key: &str, answer: Answer) -> bool {
        let taken = self.table().answer(key, answer);
        if !taken {
            self.unclaimed.fetch_add(1, Ordering::Relaxed);
            tracing::debug!("an answer that nobody waits for was dropped");
        }
        taken
    }

    /// Waits for the answer of an exchange.
    pub async fn wait(&self, key: &str, timeout: Duration) -> Waited {
        let Some(arrived) = self.table().arrival(key) else { return Waited::Unknown };
        let notified = arrived.notified();
        tokio::pin!(notified);
        // From here on no answer is missed.
        notified.as_mut().enable();
        if let Some(answer) = self.table().found(key) {
            return Waited::Answered(answer);
        }
        // Whether it came in time shows in the table.
        let _ = tokio::time::timeout(timeout, notified).await;
        self.table().found(key).map_or(Waited::Pending, Waited::Answered)
    }

    /// How many answers came that nobody waited for.
    pub fn unclaimed(&self) -> u64 {
        self.unclaimed.load(Ordering::Relaxed)
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        // No holder can leave the table half changed, so a poisoned lock is as good as any.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    /// Whether one more slot may be made.
    fn room(&self, opener: Opener<'_>, key: &str) -> Result<(), OpenError> {
        if self.shares.get(opener.filter).copied().unwrap_or_default() >= opener.most {
            return Err(OpenError::Share);
        }
        let fits = self.slots.len() < REPLIES && self.bytes + key.len() <= REPLY_BYTES;
        if fits { Ok(()) } else { Err(OpenError::Full) }
    }

    fn insert(&mut self, key: &str, slot: Slot) {
        self.bytes += key.len();
        *self.shares.entry(Arc::clone(&slot.filter)).or_default() += 1;
        self.slots.insert(key.to_owned(), slot);
    }

    fn answer(&mut self, key: &str, answer: Answer) -> bool {
        let size = size(&answer);
        let now = Instant::now();
        if self.bytes + size > REPLY_BYTES {
            self.sweep(now);
        }
        let fits = self.bytes + size <= REPLY_BYTES;
        let open = |slot: &&mut Slot| slot.answer.is_none() && slot.expires > now && fits;
        let Some(slot) = self.slots.get_mut(key).filter(open) else { return false };
        slot.answer = Some(answer);
        slot.arrived.notify_waiters();
        self.bytes += size;
        true
    }

    fn arrival(&self, key: &str) -> Option<Arc<Notify>> {
        let slot = self.slots.get(key).filter(|slot| slot.expires > Instant::now())?;
        Some(Arc::clone(&slot.arrived))
    }

    fn found(&self, key: &str) -> Option<Answer> {
        self.slots.get(key)?.answer.clone()
    }

    fn sweep(&mut self, now: Instant) {
        let expired: Vec<String> =
            self.slots.iter().filter(|(_, slot)| slot.expires <= now).map(|(key, _)| key.clone()).collect();
        for key in expired {
            self.remove(&key);
        }
    }

    fn remove(&mut self, key: &str) {
        let Some(Slot { filter, answer, .. }) = self.slots.remove(key) else { return };
        self.bytes = self.bytes.saturating_sub(key.len() + answer.as_ref().map_or(0, size));
        if let Entry::Occupied(mut held) = self.shares.entry(filter) {
            *held.get_mut() -= 1;
            if *held.get() == 0 {
                held.remove();
            }
        }
    }
}

impl Opened<'_> {
    /// The request has its answer, whichever.
    pub fn end(self) {
        drop(self);
    }

    /// Its event was not published: no answer will come, and none is to be kept.
    pub fn cancel(mut self) {
        self.keep = Duration::ZERO;
    }
}

impl Drop for Opened<'_> {
    fn drop(&mut self) {
        if self.keep.is_zero() {
            self.replies.table().remove(&self.key);
        }
    }
}

fn size(answer: &Answer) -> usize {
    answer.body.len() + answer.headers.iter().map(|header| header.name.len() + header.value.len()).sum::<usize>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::limits::FILTER_REPLIES;

    const NOW: Duration = Duration::ZERO;
    const SOON: Duration = Duration::from_secs(1);

    /// Opens one for a filter.
    fn open<'a>(replies: &'a Replies, filter: &str, key: &str, keep: Duration) -> Result<Opened<'a>, OpenError> {
        replies.open(Opener { filter: &filter.into(), most: FILTER_REPLIES }, key, SOON, keep)
    }

    fn answer(body: &str) -> Answer {
        Answer { status: 200, headers: Vec::new(), body: body.into(), delay: None }
    }

    fn said(waited: Waited) -> String {
        match waited {
            Waited::Answered(answer) => String::from_utf8(answer.body).unwrap(),
            other => format!("{other:?}"),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_answer_is_given_to_whoever_waits_and_the_second_is_dropped() {
        let replies = Replies::default();
        let _opened = open(&replies, "bridge", "1", SOON).unwrap();
        let (one, other, taken) = tokio::join!(replies.wait("1", SOON), replies.wait("1", SOON), async {
            tokio::time::sleep(SOON / 2).await;
            (replies.answer("1", answer("first")), replies.answer("1", answer("second")))
        });
        assert_eq!((said(one), said(other)), ("first".to_owned(), "first".to_owned()));
        assert_eq!((taken, replies.unclaimed()), ((true, false), 1));
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_before_the_wait_is_not_missed() {
        let replies = Replies::default();
        let _opened = open(&replies, "bridge", "1", NOW).unwrap();
        assert!(replies.answer("1", answer("early")));
        assert_eq!(said(replies.wait("1", NOW).await), "early");
    }

    #[tokio::test(start_paused = true)]
    async fn a_wait_ends_in_time_and_a_kept_answer_is_there_for_later() {
        let replies = Replies::default();
        let opened = open(&replies, "bridge", "1", SOON * 10).unwrap();
        assert_eq!(said(replies.wait("1", SOON).await), "Pending");
        opened.end();
        assert!(replies.answer("1", answer("late")));
        assert_eq!(said(replies.wait("1", NOW).await), "late");
        tokio::time::advance(SOON * 11).await;
        assert_eq!(said(replies.wait("1", NOW).await), "Unknown");
        assert!(!replies.answer("1", answer("too late")));
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_not_kept_ends_with_its_request() {
        let replies = Replies::default();
        drop(open(&replies, "bridge", "1", NOW).unwrap());
        assert_eq!(said(replies.wait("1", SOON).await), "Unknown");
        assert!(!replies.answer("1", answer("nobody")));
        assert_eq!(replies.table().bytes, 0);
    }

    #[tokio::test(start_paused = true)]
    async fn an_exchange_whose_event_was_not_published_leaves_nothing() {
        let replies = Replies::default();
        open(&replies, "bridge", "1", SOON * 10).unwrap().cancel();
        assert_eq!(said(replies.wait("1", SOON).await), "Unknown");
        assert!(open(&replies, "bridge", "1", NOW).is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn keys_are_used_once_and_exchanges_are_bounded() {
        let replies = Replies::default();
        let _opened = open(&replies, "bridge", "0", SOON).unwrap();
        assert_eq!(open(&replies, "bridge", "0", SOON).err(), Some(OpenError::Taken));
        for key in 1..REPLIES {
            let filter = if key < FILTER_REPLIES { "bridge" } else { "other" };
            open(&replies, filter, &key.to_string(), SOON).unwrap();
        }
        assert_eq!(open(&replies, "third", "more", SOON).err(), Some(OpenError::Full));
        tokio::time::advance(SOON * 3).await;
        assert!(open(&replies, "third", "more", SOON).is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn one_filter_leaves_others_room_and_has_its_own_again_in_time() {
        let replies = Replies::default();
        for key in 0..FILTER_REPLIES {
            open(&replies, "greedy", &key.to_string(), SOON).unwrap();
        }
        assert_eq!(open(&replies, "greedy", "more", SOON).err(), Some(OpenError::Share));
        assert!(open(&replies, "bridge", "more", SOON).is_ok());
        tokio::time::advance(SOON * 3).await;
        assert!(open(&replies, "greedy", "more again", SOON).is_ok());
        assert_eq!(replies.table().shares.get("greedy"), Some(&1), "what has expired is none of its share");
    }

    #[tokio::test(start_paused = true)]
    async fn keys_take_the_room_of_answers() {
        let replies = Replies::default();
        let key = |number: usize| number.to_string().repeat(REPLY_BYTES / 4);
        let opened: Vec<_> = (0..4).map(|number| open(&replies, "bridge", &key(number), NOW).unwrap()).collect();
        assert_eq!(open(&replies, "bridge", "more", NOW).err(), Some(OpenError::Full));
        assert!(!replies.answer(&key(0), answer("x")));
        drop(opened);
        let table = replies.table();
        assert_eq!((table.bytes, table.shares.len()), (0, 0));
    }
}
