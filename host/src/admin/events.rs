//! What the admin endpoint shows of channels.

use serde::{Deserialize, Serialize};

/// A channel and what became of its events, since the process began.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChannelFiguresStatus {
    /// `NAMESPACE/NAME`.
    pub name: String,
    /// As configurations call it, such as `memory` or `nats`.
    pub store: String,
    /// Events that it took.
    pub received: u64,
    /// Times that it refused events: it was full, or its store could not be used.
    pub refused: u64,
    /// Events that it took while it had no subscription.
    pub unsubscribed: u64,
    /// Events that were answered for before they were stored, and then were not.
    #[serde(default)]
    pub lost: u64,
    /// Clients that listen to it.
    #[serde(default)]
    pub listeners: usize,
    /// Its dead letters that are kept.
    #[serde(default)]
    pub dead_letters: usize,
    /// Dead letters that were dropped for newer ones.
    #[serde(default)]
    pub evicted: u64,
    /// How far each subscription is.
    pub subscriptions: Vec<SubscriptionFiguresStatus>,
}

/// A subscription and how far it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubscriptionFiguresStatus {
    /// `NAMESPACE/NAME`.
    pub name: String,
    /// Events that were delivered.
    pub delivered: u64,
    /// Tries after the first.
    pub retried: u64,
    /// Events that the store gave out again.
    pub redelivered: u64,
    /// Events that the dead letter sink took.
    pub dead_lettered: u64,
    /// Events that were put to the channel's dead letters.
    #[serde(default)]
    pub kept: u64,
    /// Events that its filters did not let pass.
    #[serde(default)]
    pub filtered: u64,
    /// Events that nobody took.
    pub dropped: u64,
    /// Events that wait: how far it is behind.
    pub queued: usize,
    /// Events that are being delivered, or wait for their next try.
    pub in_flight: usize,
    /// How long the oldest of those has been there, in milliseconds; none when there are none.
    pub oldest_milliseconds: Option<u64>,
}
