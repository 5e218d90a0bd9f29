//! What is counted for a cluster as a whole, and held against the limits of its policy.

use super::adaptive::{Adaptive, AdaptiveFigures};
use super::slots::Slots;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

/// What is counted for all endpoints of a cluster together.
#[derive(Debug, Default)]
pub struct ClusterState {
    /// Requests whose response has not ended.
    pub(super) requests: Gauge,
    /// Requests that wait for a connection.
    pub(super) pending: Gauge,
    /// Retries under way.
    pub(super) retries: Gauge,
    /// Its connections, where its policy rules them.
    pub(super) slots: Arc<Slots>,
    /// How many may wait for a response, by its latency.
    pub(super) adaptive: Arc<Adaptive>,
    /// What was refused, by limit.
    overflows: [AtomicU64; Limit::ALL.len()],
    /// Held while an endpoint is ejected, so that two do not go where only one may.
    pub(super) ejecting: Mutex<()>,
}

/// What a policy limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// Requests that wait for a connection.
    Pending,
    /// Requests at the same time.
    Requests,
    /// Retries at the same time.
    Retries,
    /// Requests that wait for a response, by its latency.
    Adaptive,
}

impl Limit {
    /// All of them, with their names.
    pub const ALL: [(Self, &'static str); 4] = [
        (Self::Pending, "pending"),
        (Self::Requests, "requests"),
        (Self::Retries, "retries"),
        (Self::Adaptive, "adaptive"),
    ];
}

impl ClusterState {
    /// Counts something that was refused.
    pub(super) fn overflowed(&self, limit: Limit) {
        if let Some(count) = self.overflows.get(limit as usize) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// How often a limit was met.
    pub fn overflows(&self, limit: Limit) -> u64 {
        self.overflows.get(limit as usize).map_or(0, |count| count.load(Ordering::Relaxed))
    }

    /// Its adaptive limit; none where there is none, or nothing has been measured yet.
    pub fn adaptive(&self) -> Option<AdaptiveFigures> {
        self.adaptive.figures()
    }

    /// How many requests are active.
    pub fn requests(&self) -> u32 {
        self.requests.now()
    }

    /// How many requests wait for a connection.
    pub fn pending(&self) -> u32 {
        self.pending.now()
    }

    /// How many retries are under way.
    pub fn retries(&self) -> u32 {
        self.retries.now()
    }

    /// How many connections are open; only counted where a policy rules them.
    pub fn connections(&self) -> u32 {
        self.slots.open()
    }
}

/// Something that goes up and down. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(super) struct Gauge(Arc<AtomicU32>);

/// One of what a gauge counts.
#[derive(Debug)]
pub(super) struct Counted(Gauge);

impl Gauge {
    /// One more, unless there are as many as the limit allows.
    pub(super) fn enter(&self, limit: Option<u32>) -> Option<Counted> {
        // Counted before it is compared, so that two at the same time cannot both be the last one.
        let counted = Counted(self.clone());
        let before = self.0.fetch_add(1, Ordering::Relaxed);
        if limit.is_some_and(|limit| before >= limit) { None } else { Some(counted) }
    }

    /// How many there are.
    pub(super) fn now(&self) -> u32 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gauge_stops_at_its_limit_and_opens_again() {
        let gauge = Gauge::default();
        let first = gauge.enter(Some(1)).unwrap();
        assert!(gauge.enter(Some(1)).is_none());
        assert_eq!(gauge.now(), 1);
        drop(first);
        assert!(gauge.enter(Some(1)).is_some());
        assert_eq!(gauge.now(), 0);
    }

    #[test]
    fn names_of_limits_stand_at_the_index_of_their_meaning() {
        assert!(Limit::ALL.iter().enumerate().all(|(index, (limit, _))| *limit as usize == index));
    }
}
