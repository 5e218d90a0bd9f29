//! The named calls of a filter's plans: how they end, and how long they take.
//!
//! Each thread has counters of its own, so the locks here are only ever waited for while the metrics are read.

use super::super::call::CallEnd;
use super::super::shard::Sharded;
use super::Section;
use super::family::Live;
use super::filter::FilterKey;
use super::histogram::{Buckets, Count, Total};
use super::version::FilterSeries;
use crate::config::limits;
use prometheus_client::encoding::DescriptorEncoder;
use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// From what a cache on the same machine takes to the longest that anybody waits.
const BOUNDS: [Duration; 12] = [
    Duration::from_micros(500),
    Duration::from_millis(1),
    Duration::from_micros(2_500),
    Duration::from_millis(5),
    Duration::from_millis(10),
    Duration::from_millis(25),
    Duration::from_millis(50),
    Duration::from_millis(100),
    Duration::from_millis(250),
    Duration::from_secs(1),
    Duration::from_millis(2_500),
    Duration::from_secs(10),
];

/// How calls end, as the contract spells it.
const RESULTS: [&str; 9] =
    ["good", "status", "deadline", "no-endpoint", "refused", "reset", "too-large", "cancelled", "not-json"];

/// What calls are counted as whose names are too many: the word that the HTTP conventions have for unknown methods.
const OTHER: &str = "_OTHER";

/// The counters of the calls of one filter, by name.
#[derive(Debug, Default)]
pub(super) struct NamedCalls {
    shards: Sharded<Mutex<HashMap<Box<str>, Named>>>,
    /// All names that are counted by themselves.
    names: Mutex<BTreeSet<Box<str>>>,
}

/// One thread's counters of one name.
#[derive(Debug, Default)]
struct Named {
    results: [u64; RESULTS.len()],
    durations: Buckets<{ BOUNDS.len() }>,
}

impl NamedCalls {
    pub(super) fn observe(&self, name: &str, end: CallEnd, duration: Duration) {
        let Some(shard) = self.shards.mine() else { return };
        let mut shard = lock(shard);
        if let Some(named) = shard.get_mut(name) {
            return named.observe(end, duration);
        }
        let name = if self.admit(name) { name } else { OTHER };
        shard.entry(name.into()).or_default().observe(end, duration);
    }

    /// Whether a name is counted by itself.
    fn admit(&self, name: &str) -> bool {
        let mut names = lock(&self.names);
        names.contains(name) || (names.len() < limits::CALL_NAMES && names.insert(name.into()))
    }

    /// The names that there are counters of.
    fn names(&self) -> BTreeSet<Box<str>> {
        self.shards.all().flat_map(|shard| lock(shard).keys().cloned().collect::<Vec<_>>()).collect()
    }

    fn count(&self, name: &str, result: usize) -> u64 {
        let of_shard = |shard: &Mutex<HashMap<Box<str>, Named>>| lock(shard).get(name)?.results.get(result).copied();
        self.shards.all().filter_map(of_shard).sum()
    }

    fn durations(&self, name: &str) -> Total {
        let shards: Vec<_> = self.shards.all().map(lock).collect();
        Total::of(shards.iter().filter_map(|shard| shard.get(name)).map(|named| &named.durations), &BOUNDS)
    }
}

impl Named {
    fn observe(&mut self, end: CallEnd, duration: Duration) {
        let result = match end {
            CallEnd::Good(_) => 0,
            CallEnd::Unaccepted(_) => 1,
            CallEnd::Failed(reason) => RESULTS.iter().position(|result| *result == reason).unwrap_or(1),
        };
        if let Some(count) = self.results.get_mut(result) {
            *count += 1;
        }
        self.durations.observe(&BOUNDS, duration);
    }
}

/// Writes the calls of all versions of all filters.
pub(super) fn encode(
    filters: &Live<FilterKey, FilterSeries>,
    encoder: &mut DescriptorEncoder<'_>,
) -> Result<(), fmt::Error> {
    let all = filters.all();
    let mut section = Section::counter(encoder, "sluicegate_gather_calls", "Calls of filters' plans.")?;
    for (key, metrics) in &all {
        for name in metrics.gathered.names() {
            for (result, word) in RESULTS.iter().enumerate() {
                let count = metrics.gathered.count(&name, result);
                if count > 0 {
                    let labels = [("filter", &*key.name), ("version", &key.version), ("call", &name), ("result", word)];
                    section.series(&labels, &Count(count))?;
                }
            }
        }
    }
    let help = "How long calls of filters' plans take.";
    let mut section = Section::histogram(encoder, "sluicegate_gather_call_duration_seconds", help)?;
    for (key, metrics) in &all {
        for name in metrics.gathered.names() {
            let labels = [("filter", &*key.name), ("version", &key.version), ("call", &name)];
            section.series(&labels, &metrics.gathered.durations(&name))?;
        }
    }
    Ok(())
}

/// A poisoned lock holds counts that are still right.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_beyond_the_limit_are_counted_together() {
        let calls = NamedCalls::default();
        for number in 0..limits::CALL_NAMES + 3 {
            for _ in 0..2 {
                calls.observe(&format!("call-{number}"), CallEnd::Good(200), Duration::from_millis(3));
            }
        }
        calls.observe("call-0", CallEnd::Failed("deadline"), Duration::from_mins(1));
        assert_eq!(calls.names().len(), limits::CALL_NAMES + 1);
        assert_eq!((calls.count("call-0", 0), calls.count("call-0", 2), calls.count(OTHER, 0)), (2, 1, 6));
        assert!(!calls.durations("call-0").is_empty());
    }
}
