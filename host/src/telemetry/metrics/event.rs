//! What channels take and what becomes of it.

use super::Section;
use super::histogram::{Amount, Count};
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use std::fmt;
use std::time::Duration;

/// Where the figures come from.
pub trait EventFigures: fmt::Debug + Send + Sync {
    /// All channels that are in use.
    fn channels(&self) -> Vec<ChannelFigures>;
    /// Answers by events that no request waited for.
    fn unclaimed(&self) -> u64;
}

/// The figures of one channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChannelFigures {
    /// `NAMESPACE/NAME`.
    pub channel: String,
    /// Events that it took.
    pub received: u64,
    /// Times that it did not.
    pub refused: u64,
    /// Events that were answered for before they were stored, and then were not.
    pub lost: u64,
    /// Clients that listen to it.
    pub listeners: usize,
    /// Events that were sent to such clients.
    pub streamed: u64,
    /// Its dead letters that are there.
    pub dead_letters: usize,
    /// Dead letters that were dropped for newer ones.
    pub evicted: u64,
    /// Those of its subscriptions.
    pub subscriptions: Vec<SubscriptionFigures>,
}

/// The figures of one subscription.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubscriptionFigures {
    /// `NAMESPACE/NAME`.
    pub subscription: String,
    /// What became of events, by name.
    pub results: [(&'static str, u64); 5],
    /// Deliveries that followed a failed one.
    pub retries: u64,
    /// Events that the store gave out again.
    pub redelivered: u64,
    /// Events that wait.
    pub queued: usize,
    /// Events that are being delivered.
    pub in_flight: usize,
    /// How long the oldest of those has been there.
    pub oldest: Option<Duration>,
}

/// Writes all of them.
pub(super) fn encode(figures: &dyn EventFigures, encoder: &mut DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
    let all = figures.channels();
    encode_channels(&all, encoder)?;
    encode_results(&all, encoder)?;
    encode_subscriptions(&all, encoder)?;
    let help = "Answers by events that no request waited for.";
    let section = Section::counter(encoder, "sluicegate_events_unclaimed_answers", help)?;
    Count(figures.unclaimed()).encode(section.metric)
}

fn encode_channels(all: &[ChannelFigures], encoder: &mut DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
    type Value = fn(&ChannelFigures) -> u64;
    let counters: [(&str, &str, Value); 5] = [
        ("sluicegate_events_received", "Events that channels took.", |one| one.received),
        ("sluicegate_events_refused", "Times that channels did not take events.", |one| one.refused),
        ("sluicegate_events_unacknowledged_lost", "Events that were answered for and then not stored.", |one| one.lost),
        ("sluicegate_events_streamed", "Events that were sent to clients that listen.", |one| one.streamed),
        ("sluicegate_events_dead_letters_evicted", "Dead letters that were dropped for newer ones.", |one| one.evicted),
    ];
    for (name, help, value) in counters {
        let mut section = Section::counter(encoder, name, help)?;
        for one in all {
            section.series(&[("channel", &*one.channel)], &Count(value(one)))?;
        }
    }
    let gauges: [(&str, &str, Value); 2] = [
        ("sluicegate_events_dead_letters", "Dead letters that are kept.", |one| size(one.dead_letters)),
        ("sluicegate_events_listeners", "Clients that listen to a channel.", |one| size(one.listeners)),
    ];
    for (name, help, value) in gauges {
        let mut section = Section::gauge(encoder, name, help)?;
        for one in all {
            let amount = Amount(i64::try_from(value(one)).unwrap_or(i64::MAX));
            section.series(&[("channel", &*one.channel)], &amount)?;
        }
    }
    Ok(())
}

fn encode_results(all: &[ChannelFigures], encoder: &mut DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
    let mut section = Section::counter(encoder, "sluicegate_events_delivered", "What became of events.")?;
    for (channel, one) in subscriptions(all) {
        for (result, count) in one.results {
            let [channel, subscription] = labels(channel, one);
            section.series(&[channel, subscription, ("result", result)], &Count(count))?;
        }
    }
    Ok(())
}

fn encode_subscriptions(all: &[ChannelFigures], encoder: &mut DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
    type Value = fn(&SubscriptionFigures) -> u64;
    let counters: [(&str, &str, Value); 2] = [
        ("sluicegate_events_retries", "Deliveries that follow a failed one.", |one| one.retries),
        ("sluicegate_events_redelivered", "Events that the store gave out again.", |one| one.redelivered),
    ];
    for (name, help, value) in counters {
        let mut section = Section::counter(encoder, name, help)?;
        for (channel, one) in subscriptions(all) {
            section.series(&labels(channel, one), &Count(value(one)))?;
        }
    }
    let gauges: [(&str, &str, Value); 3] = [
        ("sluicegate_events_queued", "Events that wait for their delivery.", |one| size(one.queued)),
        ("sluicegate_events_in_flight", "Events that are being delivered, or wait for their next try.", |one| {
            size(one.in_flight)
        }),
        ("sluicegate_events_oldest_seconds", "How long the oldest event has waited or been under way.", |one| {
            one.oldest.unwrap_or_default().as_secs()
        }),
    ];
    for (name, help, value) in gauges {
        let mut section = Section::gauge(encoder, name, help)?;
        for (channel, one) in subscriptions(all) {
            section.series(&labels(channel, one), &Amount(i64::try_from(value(one)).unwrap_or(i64::MAX)))?;
        }
    }
    Ok(())
}

fn subscriptions(all: &[ChannelFigures]) -> impl Iterator<Item = (&str, &SubscriptionFigures)> {
    all.iter().flat_map(|channel| channel.subscriptions.iter().map(|one| (&*channel.channel, one)))
}

fn labels<'a>(channel: &'a str, one: &'a SubscriptionFigures) -> [(&'static str, &'a str); 2] {
    [("channel", channel), ("subscription", &one.subscription)]
}

fn size(size: usize) -> u64 {
    u64::try_from(size).unwrap_or(u64::MAX)
}
