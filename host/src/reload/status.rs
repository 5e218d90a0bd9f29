//! What an operator wants to know of reloads: what is in force since when, and what was refused and why.

use super::asked::Reloaded;
use super::rollout::Shown;
use crate::admin::reload::{ReloadOutcome, ReloadStatus};
use crate::admin::view::{DiagnosticStatus, ReloadFailure};
use crate::listener::Open;
use crate::manifest::{Diagnostic, Diagnostics};
use crate::rollout::Histories;
use crate::wasm::Reports;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

/// A change that was refused.
#[derive(Debug, Clone)]
pub struct Failure {
    /// When.
    pub at: SystemTime,
    /// Why.
    pub diagnostics: Diagnostics,
}

/// What reloads have led to.
#[derive(Debug, Clone, Default)]
pub struct Status {
    /// When a change was last put in force.
    pub last_success: Option<SystemTime>,
    /// The last change that was refused, unless one after it was taken.
    pub last_failure: Option<Failure>,
    /// By file: filters that were refused, whether or not an earlier version serves.
    pub refused: BTreeMap<PathBuf, Failure>,
    /// By file: since when the filter in force is.
    pub since: BTreeMap<PathBuf, SystemTime>,
    /// By filter: what is known of its failures.
    pub reports: BTreeMap<String, Arc<Reports>>,
    /// By filter: a version that is being tried or watched.
    pub stages: BTreeMap<String, Shown>,
    /// What became of versions.
    pub histories: Arc<Histories>,
    /// Listeners beside those of `--listen`.
    pub listeners: Vec<Open>,
}

impl Failure {
    /// As the admin endpoint shows it.
    pub fn view(&self) -> ReloadFailure {
        ReloadFailure { at: rfc3339(self.at), diagnostics: shown(&self.diagnostics) }
    }
}

impl Reloaded {
    /// As the admin endpoint shows it.
    pub fn view(&self) -> ReloadStatus {
        let refused = self.diagnostics.has_errors();
        ReloadStatus {
            result: if refused { ReloadOutcome::Refused } else { ReloadOutcome::InForce },
            generation: self.generation,
            milliseconds: u64::try_from(self.took.as_millis()).unwrap_or(u64::MAX),
            compiling: self.compiling,
            diagnostics: shown(&self.diagnostics),
        }
    }
}

fn shown(diagnostics: &Diagnostics) -> Vec<DiagnosticStatus> {
    let one = |diagnostic: &Diagnostic| DiagnosticStatus {
        severity: diagnostic.severity.as_str().into(),
        code: diagnostic.code.clone(),
        origin: diagnostic.location.as_ref().map(ToString::to_string).unwrap_or_default(),
        message: diagnostic.message.clone(),
        help: diagnostic.help.clone(),
    };
    diagnostics.iter().map(one).collect()
}

/// A time as RFC 3339 has it, in UTC and to the millisecond.
pub fn rfc3339(time: SystemTime) -> String {
    humantime::format_rfc3339_millis(time).to_string()
}
