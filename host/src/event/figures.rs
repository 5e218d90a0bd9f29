//! The figures of channels, as metrics have them.

use super::channels::Channels;
use super::subscription::{ChannelStats, SubscriptionStats};
use crate::telemetry::metrics::{ChannelFigures, EventFigures, SubscriptionFigures};

impl EventFigures for Channels {
    fn unclaimed(&self) -> u64 {
        self.replies.unclaimed()
    }

    fn channels(&self) -> Vec<ChannelFigures> {
        self.stats().into_iter().map(channel).collect()
    }
}

fn channel(stats: ChannelStats) -> ChannelFigures {
    ChannelFigures {
        channel: stats.channel,
        received: stats.received,
        refused: stats.refused,
        lost: stats.lost,
        listeners: stats.listeners,
        streamed: stats.streamed,
        dead_letters: stats.dead_letters,
        evicted: stats.evicted,
        subscriptions: stats.subscriptions.into_iter().map(subscription).collect(),
    }
}

fn subscription(stats: SubscriptionStats) -> SubscriptionFigures {
    SubscriptionFigures {
        subscription: stats.subscription,
        results: [
            ("success", stats.delivered),
            ("filtered", stats.filtered),
            ("dead_letter", stats.dead_lettered),
            ("kept", stats.kept),
            ("lost", stats.dropped),
        ],
        retries: stats.retried,
        redelivered: stats.redelivered,
        queued: stats.queued,
        in_flight: stats.in_flight,
        oldest: stats.oldest,
    }
}
