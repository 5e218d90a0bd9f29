//! `sluice event list`: how far subscriptions are behind.

use super::client;
use crate::args::Format;
use crate::args::event::EventList;
use crate::command::exit::{Failure, Verdict};
use crate::command::print;
use sluicegate::admin::events::{ChannelFiguresStatus, SubscriptionFiguresStatus};
use std::time::Duration;

pub(super) fn list(list: &EventList) -> Result<Verdict, Failure> {
    let channels = client(&list.ask)?.channels()?;
    match list.ask.output {
        Format::Json => print::json(&channels)?,
        Format::Table => print::text(&table(&channels))?,
    }
    Ok(Verdict::Fine)
}

fn table(channels: &[ChannelFiguresStatus]) -> String {
    if channels.is_empty() {
        return "no channels\n".into();
    }
    let headings = [
        "CHANNEL",
        "STORE",
        "SUBSCRIPTION",
        "LAG",
        "OLDEST",
        "DELIVERED",
        "FILTERED",
        "RETRIED",
        "DEAD",
        "LOST",
        "DEAD-LETTERS",
    ];
    print::table(&headings, &channels.iter().flat_map(rows).collect::<Vec<_>>())
}

/// One row for each subscription of a channel, and one for a channel without any.
fn rows(channel: &ChannelFiguresStatus) -> Vec<Vec<String>> {
    let head = || vec![channel.name.clone(), channel.store.clone()];
    let tail = || channel.dead_letters.to_string();
    if channel.subscriptions.is_empty() {
        let dashes = std::iter::repeat_n("-".to_owned(), 8);
        return vec![head().into_iter().chain(dashes).chain([tail()]).collect()];
    }
    let row = |one: &SubscriptionFiguresStatus| {
        let mut row = head();
        row.extend([
            one.name.clone(),
            (one.queued + one.in_flight).to_string(),
            one.oldest_milliseconds.map_or_else(|| "-".into(), age),
            one.delivered.to_string(),
            one.filtered.to_string(),
            one.retried.to_string(),
            (one.dead_lettered + one.kept).to_string(),
            one.dropped.to_string(),
            tail(),
        ]);
        row
    };
    channel.subscriptions.iter().map(row).collect()
}

/// In the two units that say most.
fn age(milliseconds: u64) -> String {
    let seconds = Duration::from_millis(milliseconds).as_secs();
    match seconds {
        0 => format!("{milliseconds}ms"),
        1..60 => format!("{seconds}s"),
        60..3_600 => format!("{}m{}s", seconds / 60, seconds % 60),
        _ => format!("{}h{}m", seconds / 3_600, seconds % 3_600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_says_how_far_each_subscription_is_behind() {
        let subscription = SubscriptionFiguresStatus {
            name: "default/stock".into(),
            delivered: 10,
            retried: 3,
            redelivered: 0,
            dead_lettered: 1,
            kept: 2,
            filtered: 4,
            dropped: 0,
            queued: 5,
            in_flight: 1,
            oldest_milliseconds: Some(75_000),
        };
        let channel = ChannelFiguresStatus {
            name: "default/orders".into(),
            store: "file".into(),
            received: 20,
            refused: 0,
            unsubscribed: 0,
            lost: 0,
            listeners: 0,
            dead_letters: 2,
            evicted: 0,
            subscriptions: vec![subscription],
        };
        let alone = ChannelFiguresStatus { subscriptions: Vec::new(), dead_letters: 0, ..channel.clone() };
        let text = table(&[channel, alone]);
        let words = |line: usize| text.lines().nth(line).unwrap().split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(words(1), "default/orders file default/stock 6 1m15s 10 4 3 3 0 2");
        assert_eq!(words(2), "default/orders file - - - - - - - - 0");
        assert_eq!([age(12), age(59_000), age(7_260_000)], ["12ms", "59s", "2h1m"]);
    }
}
