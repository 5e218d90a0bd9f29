//! The store of a native test.

use super::Entry;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

#[derive(Default)]
struct Kept {
    entries: BTreeMap<String, (Vec<u8>, u64, Option<Instant>)>,
    last: u64,
}

thread_local! {
    /// A test's thread is its own.
    static KEPT: RefCell<Kept> = RefCell::default();
}

pub(super) fn get(key: &str) -> Option<Entry> {
    let now = Instant::now();
    KEPT.with_borrow(|kept| {
        let (value, version, expires) = kept.entries.get(key)?;
        if expires.is_some_and(|expires| expires <= now) {
            return None;
        }
        let remaining = expires.map(|expires| super::milliseconds(expires.saturating_duration_since(now)));
        Some(Entry { value: value.clone(), version: *version, remaining })
    })
}

pub(super) fn set(key: &str, value: &[u8], lifetime: Option<u64>) -> u64 {
    let expires = lifetime.and_then(|lifetime| Instant::now().checked_add(Duration::from_millis(lifetime)));
    KEPT.with_borrow_mut(|kept| {
        kept.last += 1;
        kept.entries.insert(key.to_owned(), (value.to_vec(), kept.last, expires));
        kept.last
    })
}

pub(super) fn delete(key: &str) -> bool {
    let there = get(key).is_some();
    KEPT.with_borrow_mut(|kept| kept.entries.remove(key));
    there
}
