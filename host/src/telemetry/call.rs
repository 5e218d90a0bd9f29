//! What became of a call that an answer was composed of, for whoever runs the proxy.

use std::net::SocketAddr;
use std::time::Duration;

/// One call.
#[derive(Debug, Clone)]
pub struct CallReport {
    /// Its name in the plan.
    pub name: String,
    /// The service's name, as the plan has it.
    pub host: String,
    /// The service's port, where the plan has one.
    pub port: Option<u16>,
    /// The subset, where the plan has one.
    pub subset: Option<String>,
    /// How it ended.
    pub end: CallEnd,
    /// Where the response comes from.
    pub origin: Origin,
    /// How often it was tried. Nothing is known of the tries of a call that was given up.
    pub attempts: u32,
    /// The endpoint of the last try.
    pub endpoint: Option<SocketAddr>,
    /// From its beginning to its outcome.
    pub duration: Duration,
}

/// How a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallEnd {
    /// With a status that it accepts.
    Good(u16),
    /// With one that it does not.
    Unaccepted(u16),
    /// Without a response, for this reason, as the contract spells it.
    Failed(&'static str),
}

/// Where a response comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The service.
    Service,
    /// The cache.
    Hit,
    /// The cache, though it is past its time.
    Stale,
    /// The cache, after the service said that it is still good.
    Revalidated,
    /// An exchange that another call began.
    Shared,
}

impl CallReport {
    /// What metrics call it: what stands before a `[`, so that the calls of a list are counted together.
    pub fn label(&self) -> &str {
        self.name.split_once('[').map_or(self.name.as_str(), |(label, _)| label)
    }
}

impl Origin {
    /// What the cache had to do with it; nothing where it had nothing.
    pub fn word(self) -> Option<&'static str> {
        match self {
            Self::Service => None,
            Self::Hit => Some("hit"),
            Self::Stale => Some("stale"),
            Self::Revalidated => Some("revalidated"),
            Self::Shared => Some("shared"),
        }
    }
}
