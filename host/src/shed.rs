//! Why there was no room for a request.

use crate::priority::Priority;

/// A request that is refused so that others can be served.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{}", .reason.text())]
pub struct Shed {
    /// What was short.
    pub reason: ShedReason,
    /// How much the request would have mattered.
    pub priority: Priority,
    /// When it is worth to come again, in seconds; at least one.
    pub retry_after: u32,
}

impl Shed {
    /// Refused for this; worth another try in a second.
    pub fn new(reason: ShedReason, priority: Priority) -> Self {
        Self { reason, priority, retry_after: 1 }
    }
}

/// What was short.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ShedReason {
    /// Requests are in flight up to the limit for their priority.
    Requests,
    /// The memory of the process.
    Memory,
    /// The service answers more slowly the more it gets: its adaptive limit.
    Service,
    /// The client has as many requests in flight as one may.
    ClientRequests,
    /// The client sends more requests in a time than one may.
    ClientRate,
}

impl ShedReason {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Requests, Self::Memory, Self::Service, Self::ClientRequests, Self::ClientRate];

    /// As records and metrics have it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Requests => "requests",
            Self::Memory => "memory",
            Self::Service => "service",
            Self::ClientRequests => "client_requests",
            Self::ClientRate => "client_rate",
        }
    }

    /// Whether it is the client's own doing.
    pub const fn is_of_client(self) -> bool {
        matches!(self, Self::ClientRequests | Self::ClientRate)
    }

    const fn text(self) -> &'static str {
        match self {
            Self::Requests => "too many requests in flight",
            Self::Memory => "the proxy is short of memory",
            Self::Service => "the service has too much to do",
            Self::ClientRequests => "too many requests of this client at the same time",
            Self::ClientRate => "too many requests of this client",
        }
    }
}
