//! Failures of filters, and what becomes of their versions, as operators see them.

use crate::admin::rollout::{
    DifferenceStatus, FilterHistory, FilterTraps, FrameStatus, HistoryEntry, QuarantineStatus, ShadowStatus,
    StageStatus, TrapStatus,
};
use crate::reload::{Shown, Status, rfc3339};
use crate::rollout::{Difference, Entry};
use crate::wasm::report::VersionReports;
use crate::wasm::{Frame, Guard, Report};
use std::time::Duration;

/// The failures of one filter, or of all, by version.
pub(super) fn traps(status: &Status, filter: Option<&str>) -> Vec<FilterTraps> {
    let wanted = status.reports.iter().filter(|(name, _)| filter.is_none_or(|filter| filter == name.as_str()));
    wanted.flat_map(|(name, reports)| reports.all().into_iter().map(|version| version_traps(name, version))).collect()
}

/// Why a filter is not called for now, if it is not.
pub(super) fn quarantine(guard: &Guard) -> Option<QuarantineStatus> {
    let condition = guard.condition();
    let tried_in = milliseconds(condition.tried_in.unwrap_or_default());
    condition.quarantined.then_some(QuarantineStatus { tried_in, times: condition.quarantines })
}

/// What became of the versions of one filter, or of all.
pub(super) fn history(status: &Status, filter: Option<&str>) -> Vec<FilterHistory> {
    let histories = status.histories.of(filter).into_iter();
    let shown = |(filter, entries): (String, Vec<Entry>)| {
        let entries = entries.into_iter().map(history_entry).collect();
        FilterHistory { filter, entries }
    };
    histories.map(shown).collect()
}

/// A version that is tried or watched.
pub(super) fn stage(shown: &Shown) -> StageStatus {
    let shadow = shown.shadowing.as_ref().map(|shadowing| {
        let figures = shadowing.figures();
        ShadowStatus {
            decisions: figures.decisions,
            different: figures.different,
            failed: figures.calls.failures(),
            skipped: figures.skipped,
            differences: shadowing.samples().into_iter().map(difference).collect(),
        }
    });
    StageStatus {
        stage: shown.stage.to_owned(),
        version: shown.version.clone(),
        digest: shown.digest.clone(),
        since: rfc3339(shown.since),
        shadow,
    }
}

fn history_entry(entry: Entry) -> HistoryEntry {
    HistoryEntry {
        at: rfc3339(entry.at),
        event: entry.event.as_str().to_owned(),
        version: entry.version,
        digest: entry.digest,
        configuration_only: entry.configuration_only,
        reason: entry.reason,
        differences: entry.differences.into_iter().map(difference).collect(),
    }
}

fn difference(difference: Difference) -> DifferenceStatus {
    let Difference { request, what, live, shadow } = difference;
    DifferenceStatus { request, what, live, shadow }
}

fn version_traps(filter: &str, version: VersionReports) -> FilterTraps {
    let VersionReports { version, digest, failures, reports } = version;
    let reports = reports.into_iter().map(trap).collect();
    FilterTraps { filter: filter.to_owned(), version, digest, failures, reports }
}

fn trap(report: Report) -> TrapStatus {
    TrapStatus {
        at: rfc3339(report.at),
        hook: report.hook.to_owned(),
        kind: report.kind.as_str().to_owned(),
        message: report.message,
        request: report.request.map(|id| id.to_string()),
        frames: report.frames.into_iter().map(frame).collect(),
    }
}

fn frame(frame: Frame) -> FrameStatus {
    let place = frame.file.map(|file| frame.line.map_or_else(|| file.clone(), |line| format!("{file}:{line}")));
    FrameStatus { function: frame.function, place }
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
