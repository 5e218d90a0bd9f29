//! What the program uses: every value understood, checked and there. [`super::resolve`] makes it.

use super::address::AdminAddress;
use super::events::StoreSettings;
use super::gateway_port::GatewayPort;
use super::tracing::Tracing;
use super::upstream::Upstream;
use clap::ValueEnum;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

/// Where requests are taken unless told otherwise: this machine only.
pub const DEFAULT_LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 8080);
/// Where the admin endpoint is unless told otherwise, the port that operators know from other proxies.
pub const DEFAULT_ADMIN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 9901);
/// What is logged unless told otherwise.
pub const DEFAULT_LOG: &str = "info";

/// What the program uses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Addresses that take requests; at least one.
    pub listen: Vec<SocketAddr>,
    /// Addresses that take requests over TLS, if there are any.
    pub listen_tls: Option<ListenTls>,
    /// Where the ports of Gateway documents are listened on; the others on the number they have.
    pub gateway_ports: Vec<GatewayPort>,
    /// The admin endpoint.
    pub admin: AdminAddress,
    /// Whether the admin endpoint may be reached from other machines.
    pub admin_allow_remote: bool,
    /// Directories of manifests, or files.
    pub manifests: Vec<PathBuf>,
    /// The directory of filters.
    pub filters: Option<PathBuf>,
    /// The directory of the filters that come with the proxy.
    pub stock_filters: Option<PathBuf>,
    /// Public keys that filters are signed by: PEM files.
    pub filter_keys: Vec<PathBuf>,
    /// Whether a filter that none of them has signed is refused; those that come with the proxy need no signature.
    pub require_signature: bool,
    /// Static endpoints.
    pub upstreams: Vec<Upstream>,
    /// The namespace of names that give none.
    pub namespace: String,
    /// What full service names end in.
    pub cluster_domain: String,
    /// Threads that serve requests; at least one.
    pub workers: usize,
    /// Whether and how requests are logged.
    pub access_log: AccessLogFormat,
    /// The file that they are appended to instead of standard output.
    pub access_log_file: Option<PathBuf>,
    /// Log levels, by module; valid.
    pub log: String,
    /// The name server to ask instead of the system's.
    pub dns: Option<SocketAddr>,
    /// How changes of the directories are noticed.
    pub watch: Watch,
    /// Where events are kept.
    pub events: StoreSettings,
    /// Whether and where traces go.
    pub tracing: Tracing,
    /// For requests in flight when the proxy ends.
    pub drain: Duration,
    /// The Unix socket by which a new process takes the place of the running one.
    pub take_over: Option<PathBuf>,
    /// Connections in total.
    pub connections: usize,
    /// Connections of one client address.
    pub connections_per_client: usize,
    /// The largest request body in bytes; none leaves it to routes, as bodies stream.
    pub request_body: Option<u64>,
    /// For responses to calls of plans that are kept, in bytes; 0 keeps none.
    pub response_cache: u64,
    /// For the memories of all instances of all filters, in bytes.
    pub filter_memory: usize,
}

/// Addresses that take requests over TLS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListenTls {
    /// The addresses; at least one.
    pub addresses: Vec<SocketAddr>,
    /// The certificate, with its chain: a PEM file.
    pub certificate: PathBuf,
    /// Its key: a PEM file.
    pub key: PathBuf,
}

/// Whether and how requests are logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum AccessLogFormat {
    /// One JSON object a line.
    Json,
    /// Not at all.
    Off,
}

/// How changes of the directories are noticed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Watch {
    /// By the system where it can, by looking where it cannot.
    Auto,
    /// By the system only.
    Native,
    /// By looking, for network mounts that send no events.
    Poll,
    /// Not at all.
    Off,
}
