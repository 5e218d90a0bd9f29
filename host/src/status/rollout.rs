//! Failures of filters as operators see them.

use crate::admin::rollout::{FilterTraps, FrameStatus, QuarantineStatus, TrapStatus};
use crate::reload::{Status, rfc3339};
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
