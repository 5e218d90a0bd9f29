//! What became of spans.

use super::Section;
use super::histogram::Count;
use crate::telemetry::trace::Counts;
use prometheus_client::encoding::DescriptorEncoder;
use std::fmt;
use std::sync::atomic::Ordering;

/// Writes the counts, by result.
pub(super) fn encode(counts: &Counts, encoder: &mut DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
    let help = "Spans that have ended, by what became of them.";
    let mut section = Section::counter(encoder, "sluicegate_trace_spans", help)?;
    let Counts { exported, dropped, failed, rejected } = counts;
    for (result, count) in [("exported", exported), ("dropped", dropped), ("failed", failed), ("rejected", rejected)] {
        section.series(&[("result", result)], &Count(count.load(Ordering::Relaxed)))?;
    }
    Ok(())
}
