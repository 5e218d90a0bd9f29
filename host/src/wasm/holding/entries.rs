//! A filter's store: values by key, each with a version and perhaps an end.
//!
//! One lock for each filter, held for a look-up and no longer: never while a guest runs, and values are copied for guests
//! outside of it.

use crate::config::limits;
use bytes::Bytes;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// A value as it is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The value.
    pub value: Bytes,
    /// Tells it from every other that was ever written.
    pub version: u64,
    /// When it is no more.
    pub expires: Option<Instant>,
}

/// How much there may be.
#[derive(Debug, Clone, Copy)]
pub struct Space {
    /// Keys, values and what an entry takes itself, all together.
    pub bytes: usize,
    /// Entries.
    pub keys: usize,
}

/// Why something was not written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Full {
    /// There would be too many entries.
    Keys,
    /// There would be too many bytes.
    Bytes,
}

/// Why something was not written in the place of another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Swap {
    /// Another is there, or none.
    Changed(Option<Entry>),
    /// There is no room.
    Full(Full),
}

/// All of a filter's.
#[derive(Debug, Default)]
pub struct Entries(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    by_key: HashMap<Arc<str>, Entry>,
    /// Keys of those that expire, the next first.
    expiring: BTreeMap<(Instant, u64), Arc<str>>,
    bytes: usize,
    /// The version that was given last.
    last: u64,
}

impl Entries {
    /// What is there.
    pub fn get(&self, key: &str, now: Instant) -> Option<Entry> {
        self.lock().live(key, now).cloned()
    }

    /// Writes a value, and says its version. With `dry` nothing is written.
    ///
    /// # Errors
    /// When there is no room, though what has expired is gone.
    pub fn set(
        &self,
        key: &str,
        (value, expires): (Bytes, Option<Instant>),
        room: Space,
        (now, dry): (Instant, bool),
    ) -> Result<u64, Full> {
        self.lock().write(key, (value, expires), room, (now, dry))
    }

    /// Takes a value out; whether there was one. With `dry` it stays.
    pub fn delete(&self, key: &str, (now, dry): (Instant, bool)) -> bool {
        let mut inner = self.lock();
        let there = inner.live(key, now).is_some();
        if there && !dry {
            inner.remove(key);
        }
        there
    }

    /// Writes a value in the place of the one with this version; without a version, where there is none.
    ///
    /// # Errors
    /// When something else is there, or there is no room.
    pub fn swap(
        &self,
        (key, expected): (&str, Option<u64>),
        value: (Bytes, Option<Instant>),
        room: Space,
        at: (Instant, bool),
    ) -> Result<u64, Swap> {
        let mut inner = self.lock();
        let there = inner.live(key, at.0);
        if there.map(|entry| entry.version) != expected {
            return Err(Swap::Changed(there.cloned()));
        }
        inner.write(key, value, room, at).map_err(Swap::Full)
    }

    /// Takes out what has expired: a bounded number.
    pub fn sweep(&self, now: Instant) {
        self.lock().sweep(now);
    }

    /// Takes everything out. Versions go on as they were.
    pub fn clear(&self) {
        let inner = &mut *self.lock();
        *inner = Inner { last: inner.last, ..Inner::default() };
    }

    /// How many entries there are, and how many bytes they take.
    pub fn size(&self) -> (usize, usize) {
        let inner = self.lock();
        (inner.by_key.len(), inner.bytes)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn live(&self, key: &str, now: Instant) -> Option<&Entry> {
        self.by_key.get(key).filter(|entry| entry.expires.is_none_or(|expires| expires > now))
    }

    fn write(
        &mut self,
        key: &str,
        (value, expires): (Bytes, Option<Instant>),
        room: Space,
        (now, dry): (Instant, bool),
    ) -> Result<u64, Full> {
        self.sweep(now);
        let size = size(key, &value);
        while let Some(full) = self.lacks(key, size, room) {
            if !self.expire_one(now) {
                return Err(full);
            }
        }
        if dry {
            // What a version that is never written would be called.
            return Ok(self.last.wrapping_add(1));
        }
        self.remove(key);
        self.last = self.last.wrapping_add(1);
        let (key, version) = (Arc::<str>::from(key), self.last);
        if let Some(expires) = expires {
            self.expiring.insert((expires, version), Arc::clone(&key));
        }
        self.by_key.insert(key, Entry { value, version, expires });
        self.bytes += size;
        Ok(version)
    }

    /// What there is too little of to write something of this size. What takes no more than what it replaces always fits.
    fn lacks(&self, key: &str, new: usize, room: Space) -> Option<Full> {
        let old = self.by_key.get(key).map(|entry| size(key, &entry.value));
        if old.is_none() && self.by_key.len() >= room.keys {
            return Some(Full::Keys);
        }
        let old = old.unwrap_or_default();
        let after = (self.bytes - old).saturating_add(new);
        (new > old && after > room.bytes).then_some(Full::Bytes)
    }

    fn sweep(&mut self, now: Instant) {
        for _ in 0..limits::FILTER_STORE_SWEEP {
            if !self.expire_one(now) {
                break;
            }
        }
    }

    /// Takes out the first to expire, if its time has come.
    fn expire_one(&mut self, now: Instant) -> bool {
        let Some(first) = self.expiring.first_entry().filter(|first| first.key().0 <= now) else { return false };
        let key = first.remove();
        self.remove(&key);
        true
    }

    fn remove(&mut self, key: &str) {
        let Some(entry) = self.by_key.remove(key) else { return };
        self.bytes -= size(key, &entry.value);
        if let Some(expires) = entry.expires {
            self.expiring.remove(&(expires, entry.version));
        }
    }
}

/// What an entry takes.
fn size(key: &str, value: &Bytes) -> usize {
    key.len().saturating_add(value.len()).saturating_add(limits::FILTER_STORE_ENTRY)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const WIDE: Space = Space { bytes: 1 << 20, keys: 1_000 };

    fn value(text: &str) -> (Bytes, Option<Instant>) {
        (Bytes::copy_from_slice(text.as_bytes()), None)
    }

    fn set(entries: &Entries, key: &str, text: &str, room: Space) -> Result<u64, Full> {
        entries.set(key, value(text), room, (Instant::now(), false))
    }

    #[test]
    fn a_value_is_there_until_it_is_deleted_or_expires() {
        let (entries, now) = (Entries::default(), Instant::now());
        let (second, at) = (Duration::from_secs(1), |offset| now + offset);
        entries.set("a", (Bytes::from_static(b"1"), Some(at(second))), WIDE, (now, false)).unwrap();
        set(&entries, "b", "2", WIDE).unwrap();
        assert_eq!(entries.get("a", now).unwrap().value, "1");
        assert_eq!(entries.get("a", at(second)), None);
        assert!(!entries.delete("a", (at(second), false)), "it is gone already");
        assert!(entries.delete("b", (now, false)) && !entries.delete("b", (now, false)));
        entries.sweep(at(second));
        assert_eq!(entries.size(), (0, 0));
    }

    #[test]
    fn a_swap_needs_the_version_that_is_there_and_none_is_given_twice() {
        let (entries, at) = (Entries::default(), (Instant::now(), false));
        let first = entries.swap(("a", None), value("1"), WIDE, at).unwrap();
        let Err(Swap::Changed(Some(there))) = entries.swap(("a", None), value("2"), WIDE, at) else { panic!() };
        assert_eq!((there.value.as_ref(), there.version), (&b"1"[..], first));
        let second = entries.swap(("a", Some(first)), value("2"), WIDE, at).unwrap();
        assert!(entries.delete("a", at));
        assert_eq!(entries.swap(("a", Some(second)), value("3"), WIDE, at), Err(Swap::Changed(None)));
        let third = set(&entries, "a", "1", WIDE).unwrap();
        assert!(first < second && second < third);
    }

    #[test]
    fn there_are_no_more_entries_and_bytes_than_may_be_and_what_is_there_can_still_be_replaced() {
        let entries = Entries::default();
        let room = Space { bytes: 2 * limits::FILTER_STORE_ENTRY + 6, keys: 2 };
        set(&entries, "a", "12", room).unwrap();
        assert_eq!(set(&entries, "b", "1234", room), Err(Full::Bytes));
        set(&entries, "b", "12", room).unwrap();
        assert_eq!(set(&entries, "c", "", room), Err(Full::Keys));
        assert_eq!(set(&entries, "a", "123", room), Err(Full::Bytes));
        set(&entries, "a", "21", room).unwrap();
        set(&entries, "a", "", Space { bytes: 1, keys: 0 }).unwrap();
        assert_eq!(entries.size(), (2, 2 * limits::FILTER_STORE_ENTRY + 4));
    }

    #[test]
    fn what_has_expired_makes_room_for_what_is_new() {
        let (entries, now) = (Entries::default(), Instant::now());
        let room = Space { bytes: 1 << 20, keys: 300 };
        for number in 0..300 {
            let ends = (number < 299).then(|| now + Duration::from_secs(1));
            entries.set(&format!("{number}"), (Bytes::new(), ends), room, (now, false)).unwrap();
        }
        assert_eq!(entries.set("new", value("x"), room, (now, false)), Err(Full::Keys));
        let later = now + Duration::from_secs(1);
        entries.set("new", value("x"), room, (later, false)).unwrap();
        assert!(entries.get("299", later).is_some(), "what has not expired stays");
        let large = (Bytes::from(vec![0; (1 << 20) - 500]), None);
        entries.set("large", large, room, (later, false)).unwrap();
        assert_eq!(entries.size().0, 3, "all of them were in the way");
    }

    #[test]
    fn a_value_that_is_written_again_has_its_new_end_alone() {
        let (entries, now) = (Entries::default(), Instant::now());
        let (soon, late) = (now + Duration::from_secs(1), now + Duration::from_secs(9));
        entries.set("a", (Bytes::new(), Some(soon)), WIDE, (now, false)).unwrap();
        entries.set("a", (Bytes::new(), Some(late)), WIDE, (now, false)).unwrap();
        entries.sweep(soon);
        assert!(entries.get("a", soon).is_some());
        set(&entries, "a", "", WIDE).unwrap();
        entries.sweep(late);
        assert!(entries.get("a", late).is_some());
    }

    #[test]
    fn what_is_written_dry_is_answered_and_changes_nothing() {
        let (entries, now) = (Entries::default(), Instant::now());
        assert!(entries.set("a", value("1"), WIDE, (now, true)).is_ok());
        assert_eq!(entries.get("a", now), None);
        let version = set(&entries, "a", "1", WIDE).unwrap();
        assert!(entries.swap(("a", Some(version)), value("2"), WIDE, (now, true)).is_ok());
        assert!(entries.delete("a", (now, true)));
        assert_eq!(entries.get("a", now).unwrap().value, "1");
    }

    #[test]
    fn threads_that_count_by_swaps_lose_nothing() {
        let entries = Entries::default();
        let count = || loop {
            let at = (Instant::now(), false);
            let there = entries.get("count", at.0);
            let number = there.as_ref().map_or(0, |entry| u32::from_be_bytes(entry.value[..].try_into().unwrap()));
            let next = (Bytes::copy_from_slice(&(number + 1).to_be_bytes()), None);
            if entries.swap(("count", there.map(|entry| entry.version)), next, WIDE, at).is_ok() {
                break;
            }
        };
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..500).for_each(|_| count()));
            }
        });
        assert_eq!(entries.get("count", Instant::now()).unwrap().value[..], 2_000_u32.to_be_bytes());
    }
}
