//! A plan of calls, as it is explained.

use super::ExplainDestination;
use serde::{Deserialize, Serialize};

/// Calls that a request would be composed of. Times are whole milliseconds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExplainPlan {
    /// For all calls together; none leaves it to the proxy's own limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<u64>,
    /// Calls that belong together.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<ExplainGroup>,
    /// Calls of no group.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub calls: Vec<ExplainCall>,
    /// The status of the answer when all calls go as expected; none asks the filter again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected: Option<u16>,
}

/// Calls that belong together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExplainGroup {
    /// How many may run at once.
    pub concurrency: u32,
    /// How many good ones are enough; none waits for all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enough: Option<u32>,
    /// Whether the plan is given up when there cannot be enough.
    pub required: bool,
    /// The calls.
    pub calls: Vec<ExplainCall>,
}

/// One call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExplainCall {
    /// Its name.
    pub name: String,
    /// Such as `GET /orders/1`.
    pub request: String,
    /// Where it goes.
    pub destination: ExplainDestination,
    /// Whether its failure gives the plan up.
    pub required: bool,
    /// For all of its tries; none leaves it to the proxy's own limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<u64>,
    /// The statuses that are good, such as `200-299`; empty: every one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub accept: Vec<String>,
    /// How often it is tried again at most.
    #[serde(default)]
    pub retries: u32,
    /// What becomes of the body: `read`, `read-json`, `splice` or `splice-json`.
    pub body: String,
    /// How its responses are kept, if they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache: Option<ExplainCache>,
    /// The call whose response it shares.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub same_as: Option<String>,
}

/// How responses are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ExplainCache {
    /// For how long one counts as fresh that does not say so itself; none: it is not kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_lifetime: Option<u64>,
    /// For how long after its freshness one is used while a new one is fetched.
    pub stale_while_revalidate: u64,
    /// For how long after its freshness one stands in for a failure.
    pub stale_if_error: u64,
}
