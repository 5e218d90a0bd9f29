//! Capability `store`: a small map of the filter's own, held by the proxy in memory and shared by all instances, workers and
//! versions of the filter. It is local to a process and lost at its end.
//!
//! What is made of the value before it, such as a count, is written with [`update`] or [`swap`], so that two workers do not
//! overwrite each other. Natively each thread has a store of its own without bounds, which starts empty in each test.
//!
//! ```
//! use sluicegate_sdk::capability::store;
//! use std::time::Duration;
//!
//! let minute = Some(Duration::from_mins(1));
//! let count = |entry: Option<&store::Entry>| match entry {
//!     Some(entry) => (vec![entry.value[0].saturating_add(1)], entry.left()),
//!     None => (vec![1], minute),
//! };
//! assert_eq!(store::update("visits", count), Ok(vec![1]));
//! assert_eq!(store::update("visits", count), Ok(vec![2]));
//! assert!(store::delete("visits"));
//! ```

use super::wit::store as wit;
use std::time::Duration;

mod native;

pub use wit::{Entry, Refusal, SwapRefusal};

impl Entry {
    /// The time until it expires; none: it does not.
    pub fn left(&self) -> Option<Duration> {
        self.remaining.map(Duration::from_millis)
    }
}

/// What is there.
pub fn get(key: &str) -> Option<Entry> {
    if cfg!(target_family = "wasm") { wit::get(key) } else { native::get(key) }
}

/// Writes a value, which expires after its lifetime or never, and gives its version.
///
/// # Errors
/// When there is no room.
pub fn set(key: &str, value: &[u8], lifetime: Option<Duration>) -> Result<u64, Refusal> {
    let lifetime = lifetime.map(milliseconds);
    if cfg!(target_family = "wasm") { wit::set(key, value, lifetime) } else { Ok(native::set(key, value, lifetime)) }
}

/// Takes a value out, and says whether there was one.
pub fn delete(key: &str) -> bool {
    if cfg!(target_family = "wasm") { wit::delete(key) } else { native::delete(key) }
}

/// Writes a value in the place of the one with this version; none: where there is none.
///
/// # Errors
/// When another is there, which comes with the error, or when there is no room.
pub fn swap(key: &str, expected: Option<u64>, value: &[u8], lifetime: Option<Duration>) -> Result<u64, SwapRefusal> {
    let lifetime = lifetime.map(milliseconds);
    if cfg!(target_family = "wasm") {
        return wit::swap(key, expected, value, lifetime);
    }
    let there = native::get(key);
    if there.as_ref().map(|entry| entry.version) != expected {
        return Err(SwapRefusal::Changed(there));
    }
    Ok(native::set(key, value, lifetime))
}

/// Replaces a value by what is made of it, again from the start whenever another was faster, and gives what was written.
/// `change` says the value and its lifetime; [`Entry::left`] keeps the end that the value has.
///
/// # Errors
/// When there is no room.
pub fn update(
    key: &str,
    mut change: impl FnMut(Option<&Entry>) -> (Vec<u8>, Option<Duration>),
) -> Result<Vec<u8>, Refusal> {
    let mut there = get(key);
    loop {
        let (value, lifetime) = change(there.as_ref());
        // Each turn means that another has written: all of them together always get on, and the call has its deadline.
        match swap(key, there.as_ref().map(|entry| entry.version), &value, lifetime) {
            Ok(_) => return Ok(value),
            Err(SwapRefusal::Changed(now)) => there = now,
            Err(SwapRefusal::Refused(refusal)) => return Err(refusal),
        }
    }
}

fn milliseconds(lifetime: Duration) -> u64 {
    u64::try_from(lifetime.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_swap_that_was_too_late_says_what_is_there() {
        let first = swap("a", None, b"1", None).unwrap();
        let Err(SwapRefusal::Changed(Some(there))) = swap("a", None, b"2", None) else { panic!("there is one") };
        assert_eq!((there.version, there.value.as_slice(), there.left()), (first, &b"1"[..], None));
        let second = swap("a", Some(first), b"2", None).unwrap();
        assert!(second != first && delete("a") && !delete("a"));
        assert_eq!(swap("a", Some(second), b"3", None), Err(SwapRefusal::Changed(None)));
    }

    #[test]
    fn a_value_that_lives_for_no_time_is_gone() {
        set("a", b"1", Some(Duration::ZERO)).unwrap();
        assert_eq!(get("a"), None);
        set("a", b"1", Some(Duration::from_mins(1))).unwrap();
        assert!(get("a").and_then(|entry| entry.left()).is_some_and(|left| left > Duration::from_secs(50)));
    }
}
