//! What channels take and what becomes of it.

use super::Section;
use super::family::Live;
use super::histogram::{Counter, Histogram, Level};
use prometheus_client::encoding::DescriptorEncoder;
use std::fmt;
use std::time::Duration;

/// From a fast subscriber's millisecond to a backoff of minutes.
const BOUNDS: [Duration; 10] = [
    Duration::from_millis(1),
    Duration::from_millis(5),
    Duration::from_millis(10),
    Duration::from_millis(50),
    Duration::from_millis(100),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(5),
    Duration::from_secs(30),
    Duration::from_mins(5),
];

/// What became of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliveryResult {
    /// The subscriber took it.
    Success,
    /// The filter was done with it without sending it.
    Acknowledged,
    /// The dead letter sink took it.
    DeadLetter,
    /// Nobody took it.
    Lost,
}

impl DeliveryResult {
    const ALL: [(Self, &'static str); 4] = [
        (Self::Success, "success"),
        (Self::Acknowledged, "acknowledged"),
        (Self::DeadLetter, "dead_letter"),
        (Self::Lost, "lost"),
    ];
}

/// The labels of a channel.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ChannelKey {
    pub(super) name: String,
}

/// The counters of one channel.
#[derive(Debug, Default)]
pub struct ChannelMetrics {
    received: Counter,
    refused: Counter,
}

impl ChannelMetrics {
    /// Counts an event that was taken.
    pub fn received(&self) {
        self.received.add();
    }

    /// Counts an event that was not: the queue is full, or the proxy ends.
    pub fn refused(&self) {
        self.refused.add();
    }
}

/// The labels of a subscription.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct SubscriptionKey {
    pub(super) channel: String,
    pub(super) subscription: String,
}

/// The counters of one subscription.
#[derive(Debug, Default)]
pub struct SubscriptionMetrics {
    results: [Counter; DeliveryResult::ALL.len()],
    retries: Counter,
    in_flight: Level,
    durations: Histogram<{ BOUNDS.len() }>,
}

impl SubscriptionMetrics {
    /// Counts an event as waiting or under way.
    pub fn taken(&self) {
        self.in_flight.change(1);
    }

    /// Counts an event as neither any more; call it once for each [`taken`](Self::taken).
    pub fn done(&self) {
        self.in_flight.change(-1);
    }

    /// Counts what became of an event, and the time since the channel took it.
    pub fn delivered(&self, result: DeliveryResult, duration: Duration) {
        if let Some(count) = self.results.get(result as usize) {
            count.add();
        }
        self.durations.observe(&BOUNDS, duration);
    }

    /// Counts a delivery that follows a failed one.
    pub fn retried(&self) {
        self.retries.add();
    }
}

/// Writes all channels.
pub(super) fn encode_channels(
    channels: &Live<ChannelKey, ChannelMetrics>,
    encoder: &mut DescriptorEncoder<'_>,
) -> Result<(), fmt::Error> {
    let all = channels.all();
    let mut section = Section::counter(encoder, "sluicegate_events_received", "Events that channels took.")?;
    for (key, metrics) in &all {
        section.series(&[("channel", &*key.name)], &metrics.received.total())?;
    }
    let mut section = Section::counter(encoder, "sluicegate_events_refused", "Events that channels did not take.")?;
    for (key, metrics) in &all {
        section.series(&[("channel", &*key.name)], &metrics.refused.total())?;
    }
    Ok(())
}

/// Writes all subscriptions.
pub(super) fn encode_subscriptions(
    subscriptions: &Live<SubscriptionKey, SubscriptionMetrics>,
    encoder: &mut DescriptorEncoder<'_>,
) -> Result<(), fmt::Error> {
    let all = subscriptions.all();
    let mut section = Section::counter(encoder, "sluicegate_events_delivered", "What became of events.")?;
    for (key, metrics) in &all {
        for (counter, (_, result)) in metrics.results.iter().zip(DeliveryResult::ALL) {
            let labels = [("channel", &*key.channel), ("subscription", &key.subscription), ("result", result)];
            section.series(&labels, &counter.total())?;
        }
    }
    let mut section = Section::counter(encoder, "sluicegate_events_retries", "Deliveries that follow a failed one.")?;
    for (key, metrics) in &all {
        section.series(&labels(key), &metrics.retries.total())?;
    }
    let mut section = Section::gauge(encoder, "sluicegate_events_in_flight", "Events that wait or are under way.")?;
    for (key, metrics) in &all {
        section.series(&labels(key), &metrics.in_flight.total())?;
    }
    let help = "From a channel's taking an event to its end.";
    let mut section = Section::histogram(encoder, "sluicegate_events_delivery_duration_seconds", help)?;
    for (key, metrics) in &all {
        section.series(&labels(key), &metrics.durations.total(&BOUNDS))?;
    }
    Ok(())
}

fn labels(key: &SubscriptionKey) -> [(&'static str, &str); 2] {
    [("channel", &key.channel), ("subscription", &key.subscription)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stand_at_the_index_of_their_meaning() {
        assert!(DeliveryResult::ALL.iter().enumerate().all(|(index, (result, _))| *result as usize == index));
    }
}
