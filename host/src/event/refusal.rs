//! Why a channel does not take an event.

use super::store::StoreError;
use std::time::Duration;

/// Why a channel does not take an event.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PublishError {
    /// There is no such channel.
    #[error("no channel is called {channel}")]
    UnknownChannel {
        /// As asked for.
        channel: String,
    },
    /// The event is not one.
    #[error("the event for channel {channel} is not valid: {reason}")]
    Invalid {
        /// `NAMESPACE/NAME`.
        channel: String,
        /// What is wrong with it.
        reason: String,
    },
    /// As many events wait as may; none of the subscriptions got the event.
    #[error("channel {channel} is full: {reason}")]
    Full {
        /// `NAMESPACE/NAME`.
        channel: String,
        /// What is full.
        reason: String,
    },
    /// The channel's store has no space left; none of the subscriptions got the event.
    #[error("channel {channel} cannot store the event: {reason}")]
    NoSpace {
        /// `NAMESPACE/NAME`.
        channel: String,
        /// What the store says.
        reason: String,
    },
    /// The channel's store cannot be used. It may yet turn out to have the event.
    #[error("channel {channel} takes no events now: {reason}")]
    Unavailable {
        /// `NAMESPACE/NAME`.
        channel: String,
        /// What the store says.
        reason: String,
    },
    /// The process is about to end.
    #[error("channel {channel} takes no more events: the proxy is shutting down")]
    Draining {
        /// `NAMESPACE/NAME`.
        channel: String,
    },
}

impl PublishError {
    /// How long a client should wait before it tries again, where trying again may help.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Full { .. } | Self::Draining { .. } | Self::Unavailable { .. } | Self::NoSpace { .. } => {
                Some(Duration::from_secs(1))
            }
            Self::UnknownChannel { .. } | Self::Invalid { .. } => None,
        }
    }

    /// The channel that does not take the event, `NAMESPACE/NAME`.
    pub fn channel(&self) -> &str {
        match self {
            Self::UnknownChannel { channel }
            | Self::Invalid { channel, .. }
            | Self::Full { channel, .. }
            | Self::NoSpace { channel, .. }
            | Self::Unavailable { channel, .. }
            | Self::Draining { channel } => channel,
        }
    }

    pub(super) fn of_store(channel: &str, error: &StoreError) -> Self {
        let (channel, reason) = (channel.to_owned(), error.to_string());
        match error {
            StoreError::Full(_) => Self::Full { channel, reason },
            StoreError::TooLarge(_) => Self::Invalid { channel, reason },
            StoreError::NoSpace(_) => Self::NoSpace { channel, reason },
            StoreError::Unavailable(_) => Self::Unavailable { channel, reason },
        }
    }
}
