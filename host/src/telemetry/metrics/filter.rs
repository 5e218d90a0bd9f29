//! What filters do and cost, by version, phase and result.

use super::Section;
use super::family::Live;
use super::histogram::{Amount, Count};
use super::version::FilterSeries;
use crate::wasm::GuestMemory;
use crate::wasm::bound::BOUNDS;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use std::fmt;
use std::sync::Arc;

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
    pub(super) const ALL: [(Self, &'static str); 9] = [
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
    /// It reached for what it was not granted.
    Denied,
    /// It decided more than it may.
    Limit,
    /// Filters together had all the memory, or all the instances, that they may.
    Crowded,
    /// It was not called, as it is in quarantine.
    Quarantined,
    /// It was left out, as it may fail open.
    Bypassed,
    /// Done, for phases that decide nothing more.
    Ok,
}

impl CallResult {
    pub(super) const ALL: [(Self, &'static str); 18] = [
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
        (Self::Denied, "denied"),
        (Self::Limit, "limit"),
        (Self::Crowded, "crowded"),
        (Self::Quarantined, "quarantined"),
        (Self::Bypassed, "bypassed"),
        (Self::Ok, "ok"),
    ];

    /// As metrics and spans have it.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(result, _)| *result == self).map_or("", |(_, name)| name)
    }

    /// Whether there was no decision to carry out.
    pub fn is_failure(self) -> bool {
        matches!(
            self,
            Self::Trap
                | Self::Deadline
                | Self::Memory
                | Self::Invalid
                | Self::Denied
                | Self::Limit
                | Self::Crowded
                | Self::Quarantined
        )
    }
}

/// The labels of a version.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct FilterKey {
    pub(super) name: String,
    pub(super) version: String,
}

/// Writes all versions. Phases and results that never happened are left out: a filter has two or three of a hundred.
pub(super) fn encode(
    filters: &Live<FilterKey, FilterSeries>,
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
    let mut section =
        Section::counter(encoder, "sluicegate_filter_refusals", "What filters were refused, by what bounds them.")?;
    for (key, metrics) in &all {
        for row in &BOUNDS {
            let count = metrics.refusals(row.bound);
            if count > 0 {
                let labels = [("filter", &*key.name), ("version", &key.version), ("limit", row.name)];
                section.series(&labels, &Count(count))?;
            }
        }
    }
    let mut section = Section::gauge(encoder, "sluicegate_filter_instances", "Instances of filters that are alive.")?;
    for (key, metrics) in &all {
        let count = Amount(i64::try_from(metrics.instances()).unwrap_or(i64::MAX));
        section.series(&[("filter", &key.name), ("version", &key.version)], &count)?;
    }
    conditions(&all, encoder)?;
    let mut section = Section::gauge(encoder, "sluicegate_filter_info", "Filters that are loaded.")?;
    for (key, metrics) in &all {
        let digest = metrics.digest();
        let labels = [("filter", &key.name), ("version", &key.version), ("digest", &digest)];
        section.series(&labels, &Amount(1))?;
    }
    Ok(())
}

/// Writes how much memory all instances have together, and how much they may have.
pub(super) fn memory(memory: &GuestMemory, encoder: &mut DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
    let help = "Memory of all instances of filters as they see it, in bytes, touched or not.";
    let section = Section::gauge(encoder, "sluicegate_filter_memory_bytes", help)?;
    Amount(i64::try_from(memory.used()).unwrap_or(i64::MAX)).encode(section.metric)?;
    let help = "What it may be at most, in bytes.";
    let section = Section::gauge(encoder, "sluicegate_filter_memory_limit_bytes", help)?;
    Amount(i64::try_from(memory.most()).unwrap_or(i64::MAX)).encode(section.metric)
}

/// Writes which versions are in quarantine, and how often they were put there.
fn conditions(all: &[(FilterKey, Arc<FilterSeries>)], encoder: &mut DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
    let help = "1 while a filter is not called because it failed again and again.";
    let mut section = Section::gauge(encoder, "sluicegate_filter_quarantined", help)?;
    for (key, metrics) in all {
        let labels = [("filter", &*key.name), ("version", &key.version)];
        section.series(&labels, &Amount(i64::from(metrics.is_quarantined())))?;
    }
    let help = "How often filters were put in quarantine, failed trials included.";
    let mut section = Section::counter(encoder, "sluicegate_filter_quarantines", help)?;
    for (key, metrics) in all {
        section.series(&[("filter", &*key.name), ("version", &key.version)], &Count(metrics.quarantines()))?;
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
