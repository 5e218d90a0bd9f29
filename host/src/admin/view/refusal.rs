//! Findings, and changes that were refused for them.

use crate::manifest::Diagnostic;
use serde::{Deserialize, Serialize};

/// A change that was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReloadFailure {
    /// When, as RFC 3339 has it.
    pub at: String,
    /// Why.
    pub diagnostics: Vec<DiagnosticStatus>,
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiagnosticStatus {
    /// `error`, `warning` or `note`.
    pub severity: String,
    /// Such as `SG0203`.
    pub code: String,
    /// `file:line:column`; empty when it is about no file.
    pub origin: String,
    /// What was found and what was expected.
    pub message: String,
    /// What to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
}

impl From<&Diagnostic> for DiagnosticStatus {
    fn from(diagnostic: &Diagnostic) -> Self {
        Self {
            severity: diagnostic.severity.as_str().into(),
            code: diagnostic.code.clone(),
            origin: diagnostic.location.as_ref().map(ToString::to_string).unwrap_or_default(),
            message: diagnostic.message.clone(),
            help: diagnostic.help.clone(),
        }
    }
}
