//! A filter, as it is shown.

use super::ReloadFailure;
use crate::admin::rollout::{QuarantineStatus, StageStatus};
use serde::{Deserialize, Serialize};

/// What has become of a filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FilterState {
    /// It is in force.
    Active,
    /// It is in force, and a newer file was refused.
    Outdated,
    /// It was refused and no earlier version is there.
    Refused,
    /// It is in force, but not called for now, as it failed again and again.
    Quarantined,
}

/// One filter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FilterStatus {
    /// As its manifest says.
    pub name: String,
    /// As its manifest says.
    pub version: String,
    /// SHA-256 of the component, in hexadecimal.
    pub digest: String,
    /// The file it comes from.
    pub origin: String,
    /// Kinds of resources that it implements.
    pub claims: Vec<String>,
    /// Hooks that it exports.
    pub hooks: Vec<String>,
    /// Request headers that it gets with every call.
    #[serde(default)]
    pub reads: Vec<String>,
    /// Capabilities that it imports and has.
    pub capabilities: Vec<String>,
    /// Where its decisions may reach.
    #[serde(default)]
    pub grants: GrantStatus,
    /// Its place in the chain: higher comes first.
    pub priority: i32,
    /// `closed`: requests fail with it; `open`: they go on without it.
    pub failure: String,
    /// What has become of it.
    pub state: FilterState,
    /// Since when, as RFC 3339 has it.
    pub since: String,
    /// Why a newer file was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_refusal: Option<ReloadFailure>,
    /// Why it is not called for now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quarantine: Option<QuarantineStatus>,
    /// A version of it that is tried or watched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollout: Option<StageStatus>,
}

/// Where a filter's decisions may reach; `*` is everywhere.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GrantStatus {
    /// Services that requests may be sent to.
    pub forward: Vec<String>,
    /// Services that plans may call.
    pub call: Vec<String>,
    /// Channels that events may be published to.
    pub publish: Vec<String>,
}
