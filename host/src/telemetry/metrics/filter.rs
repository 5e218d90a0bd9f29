//! What filters do and cost, by version, phase and result.

use super::super::call::CallEnd;
use super::super::shard::Sharded;
use super::Section;
use super::call::NamedCalls;
use super::family::Live;
use super::histogram::{Buckets, Count, Level, Total};
use prometheus_client::encoding::DescriptorEncoder;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// A warm call takes a microsecond; the last bound but one is the default deadline, the last is `configure`'s.
const BOUNDS: [Duration; 12] = [
    Duration::from_micros(1),
    Duration::from_nanos(2_500),
    Duration::from_micros(5),
    Duration::from_micros(10),
    Duration::from_micros(25),
    Duration::from_micros(50),
    Duration::from_micros(100),
    Duration::from_micros(250),
    Duration::from_millis(1),
    Duration::from_micros(2_500),
    Duration::from_millis(10),
    Duration::from_secs(1),
];

/// When a filter is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// `on-request`.
    Request,
    /// `on-request` again, with the body.
    Body,
    /// `on-response`.
    Response,
    /// `on-gathered`.
    Gathered,
    /// `on-event`.
    Event,
    /// `on-delivered`.
    Delivered,
    /// `on-connection`.
    Connection,
    /// `explain`.
    Explain,
    /// `configure`.
    Configure,
}

impl Phase {
    const ALL: [(Self, &'static str); 9] = [
        (Self::Request, "request"),
        (Self::Body, "body"),
        (Self::Response, "response"),
        (Self::Gathered, "gathered"),
        (Self::Event, "event"),
        (Self::Delivered, "delivered"),
        (Self::Connection, "connection"),
        (Self::Explain, "explain"),
        (Self::Configure, "configure"),
    ];

    /// As metrics and spans have it.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(phase, _)| *phase == self).map_or("", |(_, name)| name)
    }
}

/// How a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallResult {
    /// The chain goes on.
    Next,
    /// The filter answered.
    Respond,
    /// The request is sent on.
    Forward,
    /// Calls are made and gathered.
    Gather,
    /// An answer is put together of the calls' bodies.
    Assemble,
    /// Events are published.
    Publish,
    /// The client listens to a channel.
    Subscribe,
    /// The filter asked for the body.
    Inspect,
    /// The filter crashed.
    Trap,
    /// It took too long.
    Deadline,
    /// It wanted more memory than it may have.
    Memory,
    /// Its decision breaks a rule.
    Invalid,
    /// It was left out, as it may fail open.
    Bypassed,
    /// Done, for phases that decide nothing more.
    Ok,
}

impl CallResult {
    const ALL: [(Self, &'static str); 14] = [
        (Self::Next, "next"),
        (Self::Respond, "respond"),
        (Self::Forward, "forward"),
        (Self::Gather, "gather"),
        (Self::Assemble, "assemble"),
        (Self::Publish, "publish"),
        (Self::Subscribe, "subscribe"),
        (Self::Inspect, "inspect"),
        (Self::Trap, "trap"),
        (Self::Deadline, "deadline"),
        (Self::Memory, "memory"),
        (Self::Invalid, "invalid"),
        (Self::Bypassed, "bypassed"),
        (Self::Ok, "ok"),
    ];

    /// As metrics and spans have it.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(result, _)| *result == self).map_or("", |(_, name)| name)
    }

    /// Whether there was no decision to carry out.
    pub fn is_failure(self) -> bool {
        matches!(self, Self::Trap | Self::Deadline | Self::Memory | Self::Invalid)
    }
}

/// The labels of a version.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct FilterKey {
    pub(super) name: String,
    pub(super) version: String,
}

/// The counters of one version of a filter.
#[derive(Debug, Default)]
pub struct FilterMetrics {
    calls: Sharded<Calls>,
    instances: Level,
    /// The calls that it has made for it.
    pub(super) gathered: NamedCalls,
    /// Of the component that was loaded last under this version.
    digest: Mutex<String>,
}

/// One thread's counters, by phase.
#[derive(Debug, Default)]
struct Calls([PhaseCalls; Phase::ALL.len()]);

#[derive(Debug, Default)]
struct PhaseCalls {
    results: [AtomicU64; CallResult::ALL.len()],
    durations: Buckets<{ BOUNDS.len() }>,
}

impl FilterMetrics {
    /// Counts a call. Lock-free.
    pub fn observe(&self, phase: Phase, result: CallResult, duration: Duration) {
        let Some(calls) = self.calls.mine().and_then(|calls| calls.0.get(phase as usize)) else { return };
        if let Some(count) = calls.results.get(result as usize) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        calls.durations.observe(&BOUNDS, duration);
    }

    /// Counts a call that was not made.
    pub fn bypassed(&self, phase: Phase) {
        let calls = self.calls.mine().and_then(|calls| calls.0.get(phase as usize));
        if let Some(count) = calls.and_then(|calls| calls.results.get(CallResult::Bypassed as usize)) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Counts a call of a plan, by its name.
    pub fn gathered(&self, name: &str, end: CallEnd, duration: Duration) {
        self.gathered.observe(name, end, duration);
    }

    /// One more instance is alive.
    pub fn instance_added(&self) {
        self.instances.change(1);
    }

    /// One instance less is alive.
    pub fn instance_removed(&self) {
        self.instances.change(-1);
    }

    pub(super) fn set_digest(&self, digest: &str) {
        digest.clone_into(&mut self.digest.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn digest(&self) -> String {
        self.digest.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn count(&self, phase: Phase, result: CallResult) -> u64 {
        let one =
            |calls: &Calls| Some(calls.0.get(phase as usize)?.results.get(result as usize)?.load(Ordering::Relaxed));
        self.calls.all().filter_map(one).sum()
    }

    fn durations(&self, phase: Phase) -> Total {
        let shards = self.calls.all().filter_map(|calls| calls.0.get(phase as usize)).map(|calls| &calls.durations);
        Total::of(shards, &BOUNDS)
    }
}

/// Writes all versions. Phases and results that never happened are left out: a filter has two or three of a hundred.
pub(super) fn encode(
    filters: &Live<FilterKey, FilterMetrics>,
    encoder: &mut DescriptorEncoder<'_>,
) -> Result<(), fmt::Error> {
    let all = filters.all();
    let mut section = Section::counter(encoder, "sluicegate_filter_calls", "Calls of filters.")?;
    for (key, metrics) in &all {
        for (phase, phase_name) in Phase::ALL {
            for (result, result_name) in CallResult::ALL {
                let count = metrics.count(phase, result);
                let labels =
                    [("filter", &*key.name), ("version", &key.version), ("phase", phase_name), ("result", result_name)];
                if count > 0 {
                    section.series(&labels, &Count(count))?;
                }
            }
        }
    }
    let mut section =
        Section::histogram(encoder, "sluicegate_filter_duration_seconds", "How long calls of filters take.")?;
    for (key, metrics) in &all {
        for (phase, phase_name) in Phase::ALL {
            let total = metrics.durations(phase);
            if !total.is_empty() {
                let labels = [("filter", &*key.name), ("version", &key.version), ("phase", phase_name)];
                section.series(&labels, &total)?;
            }
        }
    }
    let mut section = Section::gauge(encoder, "sluicegate_filter_instances", "Instances of filters that are alive.")?;
    for (key, metrics) in &all {
        section.series(&[("filter", &key.name), ("version", &key.version)], &metrics.instances.total())?;
    }
    let mut section = Section::gauge(encoder, "sluicegate_filter_info", "Filters that are loaded.")?;
    for (key, metrics) in &all {
        let digest = metrics.digest();
        let labels = [("filter", &key.name), ("version", &key.version), ("digest", &digest)];
        section.series(&labels, &super::histogram::Amount(1))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stand_at_the_index_of_their_meaning() {
        assert!(Phase::ALL.iter().enumerate().all(|(index, (phase, _))| *phase as usize == index));
        assert!(CallResult::ALL.iter().enumerate().all(|(index, (result, _))| *result as usize == index));
    }
}
