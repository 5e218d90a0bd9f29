//! What the admin endpoint shows of services' endpoints.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::SocketAddr;

/// One endpoint of one port of a service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndpointStatus {
    /// The service's full name.
    pub service: String,
    /// The service's port; none takes any.
    pub port: Option<u16>,
    /// Where it listens.
    pub address: SocketAddr,
    /// Where else it may be reached: addresses of the other family of its name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub alternatives: Vec<SocketAddr>,
    /// Its share against that of others.
    pub weight: u32,
    /// What subsets select by.
    pub labels: BTreeMap<String, String>,
    /// Subsets that it belongs to.
    pub subsets: Vec<String>,
    /// Whether it takes requests.
    pub state: EndpointCondition,
    /// Why it takes none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// For how many more milliseconds it is ejected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub returns_in: Option<u64>,
    /// Requests that it works on; none where they are not counted: a single endpoint without any policy.
    pub active: Option<u32>,
    /// How often it was ejected.
    pub ejections: u64,
}

/// Whether an endpoint takes requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EndpointCondition {
    /// It does, and health checks have found it well.
    Healthy,
    /// It does; nobody checks its health.
    InUse,
    /// Its manifest says that it ends. It takes requests only when no other does.
    Terminating,
    /// Its manifest says that it is not ready.
    NotReady,
    /// It is left out for its failures.
    Ejected,
    /// Health checks find it unwell.
    Unhealthy,
}

impl EndpointCondition {
    /// As it is written in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::InUse => "in-use",
            Self::Terminating => "terminating",
            Self::NotReady => "not-ready",
            Self::Ejected => "ejected",
            Self::Unhealthy => "unhealthy",
        }
    }

    /// Whether requests go to it.
    pub fn is_in(self) -> bool {
        matches!(self, Self::Healthy | Self::InUse)
    }
}
