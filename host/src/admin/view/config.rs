//! What is in force: documents, and the services, channels and listeners that come of them.

use super::ReloadFailure;
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;

/// What is in force.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigStatus {
    /// Goes up with every change that is put in force.
    pub generation: u64,
    /// Manifests.
    pub documents: Vec<DocumentStatus>,
    /// Services and their endpoints.
    pub services: Vec<ServiceStatus>,
    /// Channels and their subscriptions.
    pub channels: Vec<ChannelStatus>,
    /// Listeners of Gateway documents and of `--listen-tls`.
    #[serde(default)]
    pub listeners: Vec<ListenerStatus>,
    /// When a change was last put in force, as RFC 3339 has it.
    pub last_reload_success: Option<String>,
    /// The last change that was refused, unless one after it was taken.
    pub last_reload_failure: Option<ReloadFailure>,
}

/// One manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DocumentStatus {
    /// Such as `networking.istio.io/v1`.
    pub api_version: String,
    /// Such as `VirtualService`.
    pub kind: String,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// `file:line`.
    pub origin: String,
    /// The filter that implements it, or `host`; none when nobody does.
    pub claimed_by: Option<String>,
}

/// One service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceStatus {
    /// The full name.
    pub name: String,
    /// Its ports.
    pub ports: Vec<PortStatus>,
}

/// One port of a service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PortStatus {
    /// None takes any port.
    pub number: Option<u16>,
    /// Where it has one.
    pub name: Option<String>,
    /// Where requests go.
    pub endpoints: Vec<SocketAddr>,
}

/// One channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChannelStatus {
    /// `NAMESPACE/NAME`.
    pub name: String,
    /// `NAMESPACE/NAME` of each.
    pub subscriptions: Vec<String>,
}

/// One listener.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListenerStatus {
    /// `gateway`, or `mesh` for the command line's.
    pub name: String,
    /// The port as declared.
    pub port: u16,
    /// Where it listens.
    pub address: SocketAddr,
    /// Whether it speaks TLS.
    pub tls: bool,
}
