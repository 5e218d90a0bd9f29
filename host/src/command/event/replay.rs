//! `sluice event replay`: publishes again what is kept.

use super::client;
use crate::args::Format;
use crate::args::dead_letter::full_name;
use crate::args::event::EventReplay;
use crate::command::exit::{Failure, Verdict};
use crate::command::print;
use sluicegate::admin::event_tools::{ReplayStatus, Stretch};

pub(super) fn replay(replay: &EventReplay) -> Result<Verdict, Failure> {
    let client = client(&replay.ask)?;
    let mut stretch = Stretch {
        channel: full_name(&replay.channel),
        subscription: replay.subscription.as_deref().map(full_name),
        from: replay.from,
        since: replay.since.clone(),
        to: replay.to,
        until: replay.until.clone(),
        filter: replay.filter.clone(),
    };
    let mut whole = client.replay(&stretch)?;
    while let Some(next) = whole.next {
        // What was published again meanwhile lies behind where the channel ended then.
        let to = Some(stretch.to.unwrap_or(u64::MAX).min(whole.end.saturating_sub(1)));
        stretch = Stretch { from: Some(next.max(1)), since: None, to, ..stretch };
        let more = client.replay(&stretch)?;
        whole.replayed += more.replayed;
        whole.missed |= more.missed;
        whole.next = more.next;
    }
    match replay.ask.output {
        Format::Json => print::json(&whole)?,
        Format::Table => print::text(&said(&whole))?,
    }
    Ok(if whole.replayed > 0 { Verdict::Fine } else { Verdict::Findings })
}

fn said(status: &ReplayStatus) -> String {
    let missed = if status.missed { "; some were not kept any more" } else { "" };
    format!("{} events published again{missed}\n", status.replayed)
}
