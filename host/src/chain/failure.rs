//! What becomes of a request whose filter fails, or decides what cannot be carried out, and what is noted of it.

use super::link::{Link, Stopwatch};
use crate::error::RequestError;
use crate::request::RequestId;
use crate::telemetry::trace::Parent;
use crate::telemetry::{CallResult, Phase};
use crate::wasm::{Bound, Failure, FailureKind, OnFailure, Report, Verdict};
use std::time::Duration;

/// The call that failed.
pub(super) struct Failing<'a> {
    pub(super) phase: Phase,
    pub(super) parent: &'a Parent,
    pub(super) request: Option<RequestId>,
}

/// Counts a failure; the request goes on when the filter may fail open.
pub(super) fn failed(
    link: &Link,
    failing: &Failing<'_>,
    watch: &mut Stopwatch,
    failure: &Failure,
) -> Result<Duration, RequestError> {
    let mut took = Duration::ZERO;
    if failure.kind == FailureKind::Quarantined {
        link.metrics.skipped(failing.phase, CallResult::Quarantined);
    } else {
        took = link.called(failing.phase, result_of(failure.kind), watch, failing.parent);
        link.log(failure);
        link.note(failing.phase, failure, failing.request);
    }
    if link.is_bypassed(failing.phase) { Ok(took) } else { Err(link.refused(failure.kind.to_string())) }
}

/// Counts a header of a response that was left out, as there is no room for what the filter puts together.
pub(super) fn left_out(link: &Link) {
    let filter = &link.filter;
    let failure = Failure::too_long(filter.settings.bounds.edit_bytes);
    filter.count(&failure);
    if filter.may_log(failure.message.len()) {
        let version = &filter.code.manifest.version;
        tracing::warn!(target: "sluicegate::filter", filter = &*filter.name, version, "{}", failure.message);
    }
}

impl Link {
    /// Counts that what the filter decided cannot be carried out, although its calls went well: for the watch over a new
    /// version, and for quarantine.
    pub(super) fn overreached(&self, failure: &Failure, request: RequestId) {
        self.log(failure);
        // How much is in flight depends on what services take, and whoever is too slow is not the filter.
        if !failure.bound.is_some_and(Bound::is_in_flight) {
            self.metrics.erred();
            self.note(Phase::Request, failure, Some(request));
        }
    }

    /// Whether a request goes on without the filter, which is counted then.
    pub(super) fn is_bypassed(&self, phase: Phase) -> bool {
        let open = self.is_open();
        if open {
            self.metrics.skipped(phase, CallResult::Bypassed);
        }
        open
    }

    fn is_open(&self) -> bool {
        self.filter.settings.failure == OnFailure::Open
    }

    /// What a request fails with whose filter fails, or whose decision is refused.
    pub(super) fn refused(&self, reason: String) -> RequestError {
        let filter = self.filter.name.to_string();
        RequestError::Filter { filter, reason, answer: self.filter.settings.resilience.answer.clone() }
    }

    fn log(&self, failure: &Failure) {
        let filter = &self.filter;
        // A filter that fails every request must not fill the disk with it, either.
        if filter.may_log(failure.message.len()) {
            tracing::warn!(
                target: "sluicegate::filter",
                filter = &*filter.name,
                version = filter.code.manifest.version,
                kind = %failure.kind,
                open = self.is_open(),
                "the filter failed: {}", failure.message
            );
        }
    }

    /// Notes a failure for whoever asks about the filter, and leaves the filter out from now on if there were too many.
    pub fn note(&self, phase: Phase, failure: &Failure, request: Option<RequestId>) {
        let filter = &self.filter;
        let report = Report::of(phase.name(), failure, request);
        if let Verdict::Quarantined(pause) = filter.guard.failed(report, self.metrics.calls(phase)) {
            tracing::error!(
                target: "sluicegate::filter",
                filter = &*filter.name,
                version = filter.code.manifest.version,
                milliseconds = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX),
                "the filter failed again and again and is in quarantine; then one call tries it"
            );
        }
    }
}

/// How a failure is counted.
pub fn result_of(kind: FailureKind) -> CallResult {
    match kind {
        FailureKind::Trap | FailureKind::Instantiate => CallResult::Trap,
        FailureKind::Denied => CallResult::Denied,
        FailureKind::Limit => CallResult::Limit,
        FailureKind::Deadline => CallResult::Deadline,
        FailureKind::Memory => CallResult::Memory,
        FailureKind::Invalid => CallResult::Invalid,
        FailureKind::Crowded => CallResult::Crowded,
        FailureKind::Quarantined => CallResult::Quarantined,
    }
}
