//! What every request sees from start to end: one immutable set of filters, services and documents.

use crate::chain::Chain;
use crate::manifest::Document;
use crate::overload::Policy;
use crate::upstream::registry::Registry;
use std::sync::Arc;
use std::time::SystemTime;

/// A port of Gateway documents on which requests are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct GatewayPort {
    /// As declared, wherever it is listened on.
    pub number: u16,
    /// Whether TLS ends there.
    pub tls: bool,
}

/// One state of the configuration. A new one replaces it by a single pointer swap and it ends with its last request.
#[derive(Debug)]
pub struct Snapshot {
    /// Counts the swaps; the first is 1.
    pub generation: u64,
    /// The filters.
    pub chain: Arc<Chain>,
    /// The services.
    pub registry: Arc<Registry>,
    /// How much is taken in.
    pub overload: Arc<Policy>,
    /// The ports of Gateway documents on which requests are taken, lowest first.
    pub gateway_ports: Vec<GatewayPort>,
    /// The documents it was made of.
    pub documents: Vec<Arc<Document>>,
    /// When it was made.
    pub built: SystemTime,
}
