//! What was refused so that others could be served, and connections that could not be accepted.

use super::Section;
use super::histogram::Count;
use crate::priority::Priority;
use crate::shed::{Shed, ShedReason};
use prometheus_client::encoding::DescriptorEncoder;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

const REASONS: usize = ShedReason::ALL.len();
const PRIORITIES: usize = Priority::ALL.len();

/// Counters of overload. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct OverloadMetrics(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    shed: [[AtomicU64; PRIORITIES]; REASONS],
    accept_failures: AtomicU64,
}

impl OverloadMetrics {
    /// Counts a request that was refused.
    pub fn shed(&self, shed: Shed) {
        let of_reason = self.0.shed.get(shed.reason as usize);
        if let Some(count) = of_reason.and_then(|counts| counts.get(shed.priority as usize)) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Counts an `accept` that failed for want of descriptors or memory.
    pub fn accept_failed(&self) {
        self.0.accept_failures.fetch_add(1, Ordering::Relaxed);
    }

    /// How often `accept` has failed so.
    pub fn accept_failures(&self) -> u64 {
        self.0.accept_failures.load(Ordering::Relaxed)
    }

    /// What was refused: reason, priority, and how often.
    pub fn counts(&self) -> Vec<(&'static str, &'static str, u64)> {
        let of_reason = |(reason, counts): (&ShedReason, &[AtomicU64; PRIORITIES])| {
            let named = Priority::ALL.iter().zip(counts);
            let count = |(priority, count): (&Priority, &AtomicU64)| {
                (reason.name(), priority.name(), count.load(Ordering::Relaxed))
            };
            named.map(count).collect::<Vec<_>>()
        };
        ShedReason::ALL.iter().zip(&self.0.shed).flat_map(of_reason).collect()
    }

    pub(super) fn encode(&self, encoder: &mut DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let help = "Requests refused so that others could be served, by what was short and by their priority.";
        let mut section = Section::counter(encoder, "sluicegate_requests_shed", help)?;
        for (reason, priority, count) in self.counts() {
            section.series(&[("reason", reason), ("priority", priority)], &Count(count))?;
        }
        let help = "Connections that could not be accepted for want of descriptors or memory; they are tried again.";
        let section = Section::counter(encoder, "sluicegate_accept_failures", help)?;
        prometheus_client::encoding::EncodeMetric::encode(&Count(self.accept_failures()), section.metric)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_and_priorities_stand_at_the_index_of_their_meaning() {
        assert!(ShedReason::ALL.iter().enumerate().all(|(index, reason)| *reason as usize == index));
        assert!(Priority::ALL.iter().enumerate().all(|(index, priority)| *priority as usize == index));
        let metrics = OverloadMetrics::default();
        metrics.shed(Shed::new(ShedReason::ClientRate, Priority::High));
        assert_eq!(metrics.counts().into_iter().find(|(_, _, count)| *count > 0), Some(("client_rate", "high", 1)));
    }
}
