//! Access records for whoever looks on (`sluice tap`).
//!
//! Closed, which is nearly always, a request costs one load of an atomic. A look opens the tap for some seconds; then
//! the latest records are kept for the next look. Nobody is waited for: who looks too seldom misses records and is told
//! how many, and so it is with a record that comes while somebody takes a look.

use super::record::AccessRecord;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Records that are kept between two looks: some 400 KiB, and a second of a few hundred requests.
pub const KEPT: usize = 512;
/// How long a look keeps the tap open: several times the pause between looks.
const OPEN: Duration = Duration::from_secs(5);

/// Takes access records while somebody looks. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Tap(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    open: AtomicBool,
    /// Records that came while somebody took a look.
    passed: AtomicU64,
    ring: Mutex<Ring>,
}

#[derive(Debug, Default)]
struct Ring {
    /// Lines of JSON without their ends.
    records: VecDeque<String>,
    /// How many there have been: the number of the next one.
    next: u64,
    until: Option<Instant>,
}

/// What a look shows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Look {
    /// Where the next look goes on.
    pub next: u64,
    /// Records that nobody sees any more.
    pub missed: u64,
    /// Records as JSON objects, in the order in which they ended.
    pub records: Vec<String>,
}

impl Tap {
    /// Keeps a record if somebody looks on. Never waits.
    pub fn write(&self, record: &AccessRecord<'_>) {
        if self.0.open.load(Ordering::Relaxed) {
            self.keep(record);
        }
    }

    fn keep(&self, record: &AccessRecord<'_>) {
        let mut line = Vec::new();
        record.write_line(&mut line);
        let Ok(mut ring) = self.0.ring.try_lock() else {
            self.0.passed.fetch_add(1, Ordering::Relaxed);
            return;
        };
        if ring.until.is_none_or(|until| until < Instant::now()) {
            self.0.open.store(false, Ordering::Relaxed);
            ring.records = VecDeque::new();
            return;
        }
        if ring.records.len() >= KEPT {
            ring.records.pop_front();
        }
        ring.records.push_back(String::from_utf8_lossy(&line).trim_end().to_owned());
        ring.next += 1;
    }

    /// The records since the look that gave this number; the first look, without one, begins with what comes after it.
    pub fn look(&self, after: Option<u64>) -> Look {
        let mut ring = self.0.ring.lock().unwrap_or_else(PoisonError::into_inner);
        ring.until = Instant::now().checked_add(OPEN);
        self.0.open.store(true, Ordering::Relaxed);
        let passed = self.0.passed.swap(0, Ordering::Relaxed);
        let kept = u64::try_from(ring.records.len()).unwrap_or(u64::MAX);
        let first = ring.next.saturating_sub(kept);
        // A number of another process's life is as good as none.
        let after = after.filter(|after| *after <= ring.next).unwrap_or(ring.next);
        let skipped = usize::try_from(after.saturating_sub(first)).unwrap_or(usize::MAX);
        let records = ring.records.iter().skip(skipped).cloned().collect();
        Look { next: ring.next, missed: first.saturating_sub(after).saturating_add(passed), records }
    }
}

impl Look {
    /// As JSON: the records are JSON already.
    pub fn to_json(&self) -> String {
        format!("{{\"next\":{},\"missed\":{},\"records\":[{}]}}\n", self.next, self.missed, self.records.join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::super::record::tests::record;
    use super::*;

    fn paths(look: &Look) -> Vec<String> {
        let value: serde_json::Value = serde_json::from_str(&look.to_json()).unwrap();
        let records = value["records"].as_array().unwrap();
        records.iter().map(|record| record["url.path"].as_str().unwrap().to_owned()).collect()
    }

    fn write(tap: &Tap, path: &str) {
        tap.write(&AccessRecord { path, ..record() });
    }

    #[test]
    fn nothing_is_kept_until_somebody_looks() {
        let tap = Tap::default();
        write(&tap, "/before");
        assert_eq!(tap.look(None), Look::default());
        write(&tap, "/after");
        assert_eq!(paths(&tap.look(Some(0))), ["/after"]);
    }

    #[test]
    fn a_look_goes_on_where_the_last_one_ended() {
        let tap = Tap::default();
        let mut look = tap.look(None);
        for path in ["/1", "/2"] {
            write(&tap, path);
            look = tap.look(Some(look.next));
            assert_eq!(paths(&look), [path]);
        }
        assert_eq!(paths(&tap.look(Some(0))), ["/1", "/2"], "others may look as well");
        assert!(tap.look(Some(99)).records.is_empty(), "a number that never was");
    }

    #[test]
    fn who_looks_too_seldom_is_told_what_was_missed() {
        let tap = Tap::default();
        let look = tap.look(None);
        (0..KEPT + 3).for_each(|_| write(&tap, "/"));
        let look = tap.look(Some(look.next));
        assert_eq!((look.records.len(), look.missed), (KEPT, 3));
    }

    #[test]
    fn a_record_does_not_wait_for_a_look() {
        let tap = Tap::default();
        tap.look(None);
        let looking = tap.0.ring.lock().unwrap();
        write(&tap, "/");
        drop(looking);
        assert_eq!(tap.look(Some(0)).missed, 1);
    }

    #[test]
    fn the_tap_closes_when_nobody_looks_any_more() {
        let tap = Tap::default();
        tap.look(None);
        write(&tap, "/kept");
        tap.0.ring.lock().unwrap().until = Instant::now().checked_sub(Duration::from_millis(1));
        write(&tap, "/late");
        assert!(!tap.0.open.load(Ordering::Relaxed) && tap.0.ring.lock().unwrap().records.is_empty());
    }
}
