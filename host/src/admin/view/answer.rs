//! What would become of a request, and why.

use super::ExplainPlan;
use crate::chain::{TraceCandidate, TraceStep};
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;

/// What would become of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExplainAnswer {
    /// The configuration's generation.
    pub generation: u64,
    /// As it was understood: `GET http://shop/orders`.
    pub request: String,
    /// What each filter decided, in order.
    pub steps: Vec<ExplainStep>,
    /// What comes of it.
    pub outcome: ExplainOutcome,
}

/// What one filter decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExplainStep {
    /// Its name.
    pub filter: String,
    /// Its version.
    pub version: String,
    /// `next`, `forward`, `respond`, `gather`, `publish`, `inspect-body` or `failed`.
    pub decision: String,
    /// In the filter's words, or the host's when it has none.
    pub summary: String,
    /// Changes of the request and the response, one line each.
    #[serde(default)]
    pub edits: Vec<String>,
    /// What it chose from.
    #[serde(default)]
    pub candidates: Vec<ExplainCandidate>,
}

/// One thing that a filter could have chosen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExplainCandidate {
    /// Such as `VirtualService default/shop, rule 2`.
    pub name: String,
    /// `file:line`.
    pub origin: String,
    /// Whether it was chosen.
    pub chosen: bool,
    /// Why, or why not.
    pub reason: String,
}

/// What comes of a request.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExplainOutcome {
    /// In a sentence.
    pub summary: String,
    /// The status, where the proxy itself would answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// Where it would be sent: one for a forward, one for each call of a composition or channel of a publication.
    #[serde(default)]
    pub destinations: Vec<ExplainDestination>,
    /// The calls of a composition, with what their plan says of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<ExplainPlan>,
}

/// Where a request would be sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExplainDestination {
    /// As the filter named it.
    pub name: String,
    /// The service or channel that this is; none when it is not known.
    pub service: Option<String>,
    /// Where it listens.
    pub endpoints: Vec<SocketAddr>,
    /// The endpoint that would be tried first, where that is already sure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chosen: Option<SocketAddr>,
}

impl From<TraceStep> for ExplainStep {
    fn from(step: TraceStep) -> Self {
        Self {
            filter: step.filter,
            version: step.version,
            decision: step.decision,
            summary: step.summary.unwrap_or_default(),
            edits: Vec::new(),
            candidates: step.candidates.into_iter().map(ExplainCandidate::from).collect(),
        }
    }
}

impl From<TraceCandidate> for ExplainCandidate {
    fn from(candidate: TraceCandidate) -> Self {
        let TraceCandidate { name, origin, chosen, reason } = candidate;
        Self { name, origin, chosen, reason }
    }
}
