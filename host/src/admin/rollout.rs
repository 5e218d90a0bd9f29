//! What the admin endpoint shows of filters that fail, and what operators may do about it.

use serde::{Deserialize, Serialize};

/// The failures of one version of a filter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FilterTraps {
    /// The filter's name.
    pub filter: String,
    /// As its manifest says.
    pub version: String,
    /// SHA-256 of the component, in hexadecimal.
    pub digest: String,
    /// How many there were.
    pub failures: u64,
    /// The latest of them, latest last.
    pub reports: Vec<TrapStatus>,
}

/// One failure of a filter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrapStatus {
    /// When, as RFC 3339 has it.
    pub at: String,
    /// The hook that was called.
    pub hook: String,
    /// `trap`, `deadline`, `memory`, `denied`, `invalid` or `instantiate`.
    pub kind: String,
    /// What is known of it.
    pub message: String,
    /// The id of the request that it was about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
    /// The guest's functions, the innermost first; empty where it had returned.
    pub frames: Vec<FrameStatus>,
}

/// A function of a guest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FrameStatus {
    /// Its name; none in a component without names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub function: Option<String>,
    /// `file:line`; none in a component without debug information.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
}

/// Why a filter is not called for now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuarantineStatus {
    /// In how many milliseconds a call tries it.
    pub tried_in: u64,
    /// How often it was put in quarantine, failed trials included.
    pub times: u64,
}

/// What an operator may do with a filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FilterAction {
    /// Ends its quarantine.
    Enable,
    /// Puts the version that is tried in full force, or one that was taken back.
    Promote,
    /// Takes the version that is tried or in force back.
    Rollback,
    /// Keeps its component whatever the file says.
    Pin,
    /// Lets its file count again.
    Unpin,
}

impl FilterAction {
    /// All of them, with the last part of their path.
    pub const ALL: [(Self, &'static str); 5] = [
        (Self::Enable, "enable"),
        (Self::Promote, "promote"),
        (Self::Rollback, "rollback"),
        (Self::Pin, "pin"),
        (Self::Unpin, "unpin"),
    ];

    /// The last part of its path.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(action, _)| *action == self).map_or("", |(_, name)| name)
    }
}

/// What was done with a filter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FilterActed {
    /// Its name.
    pub filter: String,
    /// In a sentence.
    pub done: String,
}

/// A version that is not proven yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StageStatus {
    /// `shadow`, `canary` or `watch`.
    pub stage: String,
    /// As its manifest says.
    pub version: String,
    /// SHA-256 of its component, in hexadecimal.
    pub digest: String,
    /// Since when, as RFC 3339 has it.
    pub since: String,
    /// In the shadow: what came of the comparison so far.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shadow: Option<ShadowStatus>,
}

/// What a version in the shadow would have done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShadowStatus {
    /// Decisions that were compared.
    pub decisions: u64,
    /// Those that differ.
    pub different: u64,
    /// Calls of it that failed.
    pub failed: u64,
    /// Requests that there was no room for.
    pub skipped: u64,
    /// Some of the differences.
    pub differences: Vec<DifferenceStatus>,
}

/// A decision that differs between two versions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DifferenceStatus {
    /// The request's id.
    pub request: String,
    /// What differs.
    pub what: String,
    /// In the version in force.
    pub live: String,
    /// In the new one.
    pub shadow: String,
}

/// What became of the versions of a filter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FilterHistory {
    /// The filter's name.
    pub filter: String,
    /// The latest last.
    pub entries: Vec<HistoryEntry>,
}

/// One line of a filter's history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryEntry {
    /// When, as RFC 3339 has it.
    pub at: String,
    /// `in-force`, `shadow`, `canary`, `proven`, `rolled-back`, `superseded`, `pinned` or `unpinned`.
    pub event: String,
    /// As the version's manifest says.
    pub version: String,
    /// SHA-256 of its component, in hexadecimal.
    pub digest: String,
    /// Whether it differs from the version before in settings or documents alone.
    pub configuration_only: bool,
    /// Why.
    pub reason: String,
    /// Some of the decisions that differed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub differences: Vec<DifferenceStatus>,
}
