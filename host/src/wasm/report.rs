//! What is known of a filter's failures: where in the guest, in which hook, for which request.

use super::failure::{Failure, FailureKind};
use crate::request::RequestId;
use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

/// Reports of one version: the latest ones say what there is to say.
const REPORTS: usize = 16;
/// Versions of one filter: the one in force, the one before it and a few that did not last.
const VERSIONS: usize = 4;
/// What is kept of a message, in bytes; the whole of it is in the log.
const MESSAGE: usize = 1 << 10;

/// A function of the guest that was running, the innermost first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// Its name, as the compiler writes it; none without the names.
    pub function: Option<String>,
    /// The source file; none without debug information.
    pub file: Option<String>,
    /// The line in it.
    pub line: Option<u32>,
}

/// One failure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// When.
    pub at: SystemTime,
    /// The hook that was called.
    pub hook: &'static str,
    /// What went wrong.
    pub kind: FailureKind,
    /// What is known of it.
    pub message: String,
    /// Where, the innermost first; empty where the guest had returned.
    pub frames: Vec<Frame>,
    /// The request that it was about.
    pub request: Option<RequestId>,
}

impl Report {
    /// What a failure tells.
    pub fn of(hook: &'static str, failure: &Failure, request: Option<RequestId>) -> Self {
        let Failure { kind, message, frames, .. } = failure;
        let cut = message.floor_char_boundary(MESSAGE.min(message.len()));
        let message = message.get(..cut).unwrap_or_default().to_owned();
        Self { at: SystemTime::now(), hook, kind: *kind, message, frames: frames.to_vec(), request }
    }
}

/// The reports of one version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionReports {
    /// As its manifest says.
    pub version: String,
    /// SHA-256 of the component.
    pub digest: String,
    /// How many failures there were; the latest are here.
    pub failures: u64,
    /// The latest last.
    pub reports: VecDeque<Report>,
}

/// The reports of all versions of one filter that are remembered.
#[derive(Debug, Default)]
pub struct Reports(Mutex<VecDeque<VersionReports>>);

impl Reports {
    /// All of them, the version last that failed last for the first time.
    pub fn all(&self) -> Vec<VersionReports> {
        self.lock().iter().cloned().collect()
    }

    pub(super) fn keep(&self, (version, digest): &(String, String), report: Report) {
        let mut versions = self.lock();
        if !versions.iter().any(|known| known.digest == *digest) {
            if versions.len() == VERSIONS {
                versions.pop_front();
            }
            let (version, digest) = (version.clone(), digest.clone());
            versions.push_back(VersionReports { version, digest, failures: 0, reports: VecDeque::new() });
        }
        let Some(mine) = versions.iter_mut().find(|known| known.digest == *digest) else { return };
        mine.failures += 1;
        if mine.reports.len() == REPORTS {
            mine.reports.pop_front();
        }
        mine.reports.push_back(report);
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<VersionReports>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(message: &str) -> Report {
        Report::of("request", &Failure::new(FailureKind::Trap, message), None)
    }

    #[test]
    fn the_latest_reports_of_the_latest_versions_are_kept() {
        let reports = Reports::default();
        for digest in 0..=VERSIONS {
            for number in 0..=REPORTS {
                reports.keep(&("1.0.0".to_owned(), digest.to_string()), report(&number.to_string()));
            }
        }
        let all = reports.all();
        assert_eq!(all.len(), VERSIONS);
        assert_eq!((all[0].digest.as_str(), all[0].failures, all[0].reports.len()), ("1", 17, REPORTS));
        assert_eq!(all[0].reports.front().map(|report| report.message.as_str()), Some("1"));
    }

    #[test]
    fn a_long_message_is_cut_between_characters() {
        assert_eq!(report(&"ä".repeat(MESSAGE)).message, "ä".repeat(MESSAGE / 2));
    }
}
