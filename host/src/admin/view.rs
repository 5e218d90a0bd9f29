//! What the admin endpoint shows, as JSON has it. The composition root implements [`AdminView`].
//!
//! Nothing here holds header values, bodies or settings of filters: they may be secrets.

mod answer;
mod config;
mod filter;
mod plan;
mod question;
mod refusal;

pub use answer::{ExplainAnswer, ExplainCandidate, ExplainDestination, ExplainOutcome, ExplainStep};
pub use config::{ChannelStatus, ConfigStatus, DocumentStatus, ListenerStatus, PortStatus, ServiceStatus};
pub use filter::{FilterState, FilterStatus, GrantStatus};
pub use plan::{ExplainCache, ExplainCall, ExplainGroup, ExplainPlan};
pub use question::{ExplainListener, ExplainRequest};
pub use refusal::{DiagnosticStatus, ReloadFailure};

use super::endpoints::EndpointStatus;
use super::events::ChannelFiguresStatus;
use super::overload::OverloadStatus;
use super::reload::ReloadStatus;
use super::rollout::{FilterActed, FilterAction, FilterHistory, FilterTraps};
use crate::event::Channels;
use crate::telemetry::tap::Look;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// What the admin endpoint may see of the proxy.
pub trait AdminView: Send + Sync + 'static {
    /// Whether it takes requests.
    fn readiness(&self) -> Readiness;
    /// All filters, in the order of the chain, refused ones included.
    fn filters(&self) -> Vec<FilterStatus>;
    /// The failures of a filter, or of all, by version.
    fn traps(&self, _filter: Option<&str>) -> Vec<FilterTraps> {
        Vec::new()
    }
    /// What became of the versions of a filter, or of all.
    fn history(&self, _filter: Option<&str>) -> Vec<FilterHistory> {
        Vec::new()
    }
    /// Does something with a filter. Runs on a thread that may be blocked.
    ///
    /// # Errors
    /// With why that cannot be done.
    fn act(&self, action: FilterAction, filter: &str) -> Result<FilterActed, String> {
        let _ = action;
        Err(format!("there is no filter `{filter}`"))
    }
    /// Reads the directories anew. Runs on a thread that may be blocked.
    ///
    /// # Errors
    /// With why nothing is known of it.
    fn reload(&self) -> Result<ReloadStatus, String> {
        Err("nothing is reloaded here".to_owned())
    }
    /// What is in force.
    fn config(&self) -> ConfigStatus;
    /// All endpoints of all services, those that are out included.
    fn endpoints(&self) -> Vec<EndpointStatus>;
    /// Limits of overload, and what was refused.
    fn overload(&self) -> OverloadStatus {
        OverloadStatus::default()
    }
    /// All channels, and how far their subscriptions are.
    fn events(&self) -> Vec<ChannelFiguresStatus>;
    /// The channels themselves, for what operators do with their events.
    fn channels(&self) -> Arc<Channels>;
    /// Requests that have ended since the look that gave this number, or from now on.
    fn tap(&self, _after: Option<u64>) -> Look {
        Look::default()
    }
    /// What would become of a request. Runs on a thread that may be blocked.
    ///
    /// # Errors
    /// With what is wrong with the request.
    fn explain(&self, request: ExplainRequest) -> Result<ExplainAnswer, String>;
}

/// Requests that have ended.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
pub struct Tapped {
    /// Where the next look goes on.
    pub next: u64,
    /// How many were not seen.
    pub missed: u64,
    /// Their access records.
    pub records: Vec<serde_json::Value>,
}

/// Whether the proxy takes requests.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Readiness {
    /// A snapshot is in force.
    pub snapshot: bool,
    /// It ends and takes nothing new.
    pub draining: bool,
}

impl Readiness {
    /// Whether requests should be sent here.
    pub fn is_ready(&self) -> bool {
        self.snapshot && !self.draining
    }
}
