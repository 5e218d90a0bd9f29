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
}

impl FilterAction {
    /// All of them, with the last part of their path.
    pub const ALL: [(Self, &'static str); 1] = [(Self::Enable, "enable")];

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
