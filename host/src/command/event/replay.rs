//! `sluice event replay`: publishes again what is kept.

use super::client;
use crate::args::Format;
use crate::args::dead_letter::full_name;
use crate::args::event::EventReplay;
use crate::command::exit::{Failure, Verdict};
use crate::command::print;
use sluicegate::admin::ClientError;
use sluicegate::admin::event_tools::{ReplayStatus, Stretch};

pub(super) fn replay(replay: &EventReplay) -> Result<Verdict, Failure> {
    let client = client(&replay.ask)?;
    let stretch = Stretch {
        channel: full_name(&replay.channel),
        subscription: replay.subscription.as_deref().map(full_name),
        from: replay.from,
        since: replay.since.clone(),
        to: replay.to,
        until: replay.until.clone(),
        filter: replay.filter.clone(),
    };
    let (whole, ended) = all(stretch, |stretch| client.replay(stretch))?;
    match replay.ask.output {
        Format::Json => print::json(&whole)?,
        Format::Table => print::text(&said(&whole, replay.to))?,
    }
    ended?;
    Ok(if whole.replayed > 0 { Verdict::Fine } else { Verdict::Findings })
}

/// Asks until everything is published again. What was published before something failed is said with how it ended.
fn all(
    mut stretch: Stretch,
    mut ask: impl FnMut(&Stretch) -> Result<ReplayStatus, ClientError>,
) -> Result<(ReplayStatus, Result<(), Failure>), Failure> {
    let mut whole = ask(&stretch)?;
    while let (Some(next), None) = (whole.next, &whole.failure) {
        stretch = Stretch { from: Some(next.max(1)), since: None, to: Some(last(&whole, stretch.to)), ..stretch };
        match ask(&stretch) {
            Ok(more) => {
                whole.replayed += more.replayed;
                whole.missed |= more.missed;
                (whole.next, whole.failure) = (more.next, more.failure);
            }
            Err(error) => {
                whole.failure = Some(error.to_string());
                return Ok((whole, Err(error.into())));
            }
        }
    }
    let ended = whole.failure.clone().map_or(Ok(()), |reason| Err(anyhow::anyhow!(reason).into()));
    Ok((whole, ended))
}

/// The position to end with: what was published again meanwhile lies behind where the channel ended then.
fn last(whole: &ReplayStatus, to: Option<u64>) -> u64 {
    to.unwrap_or(u64::MAX).min(whole.end.saturating_sub(1))
}

fn said(status: &ReplayStatus, to: Option<u64>) -> String {
    let missed = if status.missed { "; some were not kept any more" } else { "" };
    let rest = match (&status.failure, status.next) {
        (Some(_), Some(next)) => {
            format!("; go on with `--from {}` and `--to {}`, in place of yours", next.max(1), last(status, to))
        }
        _ => String::new(),
    };
    format!("{} events published again{missed}{rest}\n", status.replayed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(replayed: usize, next: Option<u64>, failure: Option<&str>) -> ReplayStatus {
        ReplayStatus { replayed, missed: false, next, end: 500, failure: failure.map(str::to_owned) }
    }

    fn refused() -> ClientError {
        ClientError::Refused { status: 400, message: "no room".into() }
    }

    /// What is asked for, and what comes of it.
    fn asked(answers: Vec<Result<ReplayStatus, ClientError>>) -> (Vec<Stretch>, ReplayStatus, Option<String>) {
        let (mut answers, mut asked) = (answers.into_iter(), Vec::new());
        let (whole, ended) = all(Stretch { from: Some(0), ..Stretch::default() }, |stretch| {
            asked.push(stretch.clone());
            answers.next().unwrap()
        })
        .unwrap();
        (asked, whole, ended.err().map(|failure| failure.to_string()))
    }

    #[test]
    fn it_goes_on_where_an_answer_ended_and_up_to_where_the_channel_did() {
        let (asked, whole, ended) = asked(vec![Ok(status(60, Some(61), None)), Ok(status(40, None, None))]);
        let stretches: Vec<_> = asked.iter().map(|stretch| (stretch.from, stretch.to)).collect();
        assert_eq!(stretches, [(Some(0), None), (Some(61), Some(499))]);
        assert_eq!((said(&whole, None).as_str(), ended), ("100 events published again\n", None));
    }

    #[test]
    fn what_was_published_before_it_failed_is_said_with_where_to_go_on() {
        let text = "100 events published again; go on with `--from 101` and `--to 499`, in place of yours\n";
        let by_itself = vec![Ok(status(60, Some(61), None)), Ok(status(40, Some(101), Some("no room")))];
        let unreached = vec![Ok(status(100, Some(101), None)), Err(refused())];
        for answers in [by_itself, unreached] {
            let (_, whole, ended) = asked(answers);
            assert_eq!((said(&whole, None).as_str(), ended.as_deref()), (text, Some("no room")));
            assert_eq!((whole.replayed, whole.next, whole.failure.as_deref()), (100, Some(101), Some("no room")));
        }
    }

    #[test]
    fn what_fails_at_once_has_published_nothing() {
        assert!(matches!(all(Stretch::default(), |_| Err(refused())), Err(Failure::Instance(_))));
    }
}
