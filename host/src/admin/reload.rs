//! `POST /reload`: the directories are read anew, and who asks is told what came of it.

use super::routes::{Answer, TEXT, json, respond};
use super::view::{AdminView, DiagnosticStatus};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// What came of a reload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReloadStatus {
    /// Whether all of it is in force.
    pub result: ReloadOutcome,
    /// The number of the configuration that is in force now.
    pub generation: u64,
    /// How long it took.
    pub milliseconds: u64,
    /// Whether a large filter is still being compiled, which comes into force by itself.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub compiling: bool,
    /// Errors, warnings and notes about files.
    pub diagnostics: Vec<DiagnosticStatus>,
}

/// How a reload ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReloadOutcome {
    /// What the files say is in force.
    InForce,
    /// There are errors; what they are about stays as it was.
    Refused,
}

pub(super) async fn answer(view: &Arc<dyn AdminView>) -> Answer {
    let view = Arc::clone(view);
    match tokio::task::spawn_blocking(move || view.reload()).await {
        Ok(Ok(reloaded)) => json(StatusCode::OK, &reloaded),
        Ok(Err(reason)) => respond(StatusCode::SERVICE_UNAVAILABLE, TEXT, format!("{reason}\n")),
        Err(_) => respond(StatusCode::INTERNAL_SERVER_ERROR, TEXT, "that failed; see the log\n"),
    }
}
