//! What the admin endpoint shows of overload: limits, how near they are, and what was refused.

use serde::{Deserialize, Serialize};

/// How much there is to do.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct OverloadStatus {
    /// Requests in flight.
    pub in_flight: usize,
    /// By priority, the lowest first.
    pub priorities: Vec<PriorityStatus>,
    /// The memory of the process.
    pub memory: MemoryStatus,
    /// Clients that are known, where they have limits.
    pub clients: usize,
    /// Services whose adaptive limit is in force.
    pub services: Vec<AdaptiveStatus>,
    /// What was refused since the start, where something was.
    pub shed: Vec<ShedStatus>,
    /// How often a connection could not be accepted for want of descriptors or memory.
    pub accept_failures: u64,
}

/// One priority.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PriorityStatus {
    /// Such as `low`.
    pub priority: String,
    /// So many requests may be in flight for one more of it to be taken.
    pub requests: usize,
    /// How many of its requests are refused for memory, in percent.
    pub refused_for_memory: u32,
}

/// The memory of the process.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemoryStatus {
    /// The resident set in bytes, where there is a limit.
    pub used: Option<u64>,
    /// The limit in bytes.
    pub limit: Option<u64>,
    /// From which percentage of it on requests are refused.
    pub from: u8,
}

/// The adaptive limit of a service.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AdaptiveStatus {
    /// Its full name.
    pub service: String,
    /// Its port; none takes any.
    pub port: Option<u16>,
    /// The subset; none means all endpoints.
    pub subset: Option<String>,
    /// How many requests may wait for a response.
    pub limit: u32,
    /// How many do.
    pub waiting: u32,
    /// How long a response takes without a queue, in milliseconds.
    pub baseline_ms: f64,
    /// How long it took last.
    pub latency_ms: f64,
    /// How many were refused since the start.
    pub refused: u64,
}

/// What was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShedStatus {
    /// What was short.
    pub reason: String,
    /// How much it would have mattered.
    pub priority: String,
    /// How many requests.
    pub requests: u64,
}
