//! `sluice dead-letter`: events that subscriptions have given up.

use super::exit::{Failure, Verdict};
use super::explain::instance;
use super::print;
use crate::args::dead_letter::{Chosen, DeadLetter, DeadLetterList, DeadLetterShow, full_name};
use crate::args::{Ask, Format};
use anyhow::anyhow;
use sluicegate::admin::AdminClient;
use sluicegate::admin::dead_letters::{DeadLetterStatus, ReplayedStatus};
use sluicegate::event::Selection;

/// Does what is asked.
pub(crate) fn dead_letter(command: &DeadLetter) -> Result<Verdict, Failure> {
    match command {
        DeadLetter::List(list) => show_all(list),
        DeadLetter::Show(show) => show_one(show),
        DeadLetter::Replay(replay) => put_back(&replay.chosen, &replay.ask),
        DeadLetter::Drop(drop) => drop_for_good(&drop.chosen, &drop.ask),
    }
}

fn client(ask: &Ask) -> Result<AdminClient, Failure> {
    Ok(AdminClient::new(instance(Some(&ask.admin))?))
}

fn show_all(list: &DeadLetterList) -> Result<Verdict, Failure> {
    let letters = client(&list.ask)?.dead_letters(&list.of.selection())?;
    match list.ask.output {
        Format::Json => print::json(&letters)?,
        Format::Table => print::text(&table(&letters))?,
    }
    Ok(if letters.is_empty() { Verdict::Fine } else { Verdict::Findings })
}

fn show_one(show: &DeadLetterShow) -> Result<Verdict, Failure> {
    let channel = full_name(&show.channel);
    let selection = Selection { channel: Some(channel.clone()), numbers: vec![show.number], ..Selection::default() };
    let letters = client(&show.ask)?.dead_letters(&selection)?;
    let Some(letter) = letters.first() else {
        return Err(anyhow!("channel {channel} has no dead letter {}", show.number).into());
    };
    match show.ask.output {
        Format::Json => print::json(letter)?,
        Format::Table => print::text(&details(letter)?)?,
    }
    Ok(Verdict::Fine)
}

fn put_back(chosen: &Chosen, ask: &Ask) -> Result<Verdict, Failure> {
    let outcome = client(ask)?.replay_dead_letters(&chosen.selection(), chosen.all)?;
    match ask.output {
        Format::Json => print::json(&outcome)?,
        Format::Table => print::text(&said(&outcome))?,
    }
    Ok(if outcome.replayed > 0 && outcome.refused.is_empty() { Verdict::Fine } else { Verdict::Findings })
}

fn drop_for_good(chosen: &Chosen, ask: &Ask) -> Result<Verdict, Failure> {
    let outcome = client(ask)?.drop_dead_letters(&chosen.selection(), chosen.all)?;
    match ask.output {
        Format::Json => print::json(&outcome)?,
        Format::Table => print::text(&format!("{} dropped\n", outcome.dropped))?,
    }
    Ok(if outcome.dropped > 0 { Verdict::Fine } else { Verdict::Findings })
}

fn said(outcome: &ReplayedStatus) -> String {
    let refused = outcome.refused.iter();
    let refused = refused.map(|one| format!("{} {}: {}\n", one.channel, one.number, print::harmless(&one.reason)));
    format!("{} put back\n{}", outcome.replayed, refused.collect::<String>())
}

fn table(letters: &[DeadLetterStatus]) -> String {
    if letters.is_empty() {
        return "no dead letters\n".into();
    }
    let row = |letter: &DeadLetterStatus| {
        vec![
            letter.channel.clone(),
            letter.number.to_string(),
            letter.since.clone(),
            letter.subscription.clone(),
            letter.kind.clone(),
            letter.id.clone(),
            letter.tries.to_string(),
            letter.reason.clone(),
        ]
    };
    let headings = ["CHANNEL", "NUMBER", "SINCE", "SUBSCRIPTION", "TYPE", "ID", "TRIES", "REASON"];
    print::table(&headings, &letters.iter().map(row).collect::<Vec<_>>())
}

fn details(letter: &DeadLetterStatus) -> anyhow::Result<String> {
    let status = letter.status.map_or_else(|| "no answer".to_owned(), |status| status.to_string());
    let lines = [
        ("channel", &letter.channel),
        ("number", &letter.number.to_string()),
        ("subscription", &letter.subscription),
        ("since", &letter.since),
        ("reason", &letter.reason),
        ("last status", &status),
        ("tries", &letter.tries.to_string()),
        ("to", &letter.uri),
    ];
    let lines = lines.iter().map(|(name, value)| format!("{name:<13} {}", print::harmless(value)));
    let head = lines.collect::<Vec<_>>().join("\n");
    Ok(format!("{head}\n\n{}\n", serde_json::to_string_pretty(&letter.event)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn letter() -> DeadLetterStatus {
        DeadLetterStatus {
            channel: "default/orders".into(),
            number: 7,
            subscription: "default/stock".into(),
            since: "2026-01-01T00:00:00Z".into(),
            reason: "it answered 503\u{1b}[2J".into(),
            status: Some(503),
            tries: 4,
            uri: "http://stock/".into(),
            id: "1".into(),
            source: "/shop".into(),
            kind: "order.placed".into(),
            event: Some(json!({"id": "1"})),
        }
    }

    #[test]
    fn the_list_says_which_and_why() {
        let table = table(&[letter()]);
        let row: Vec<&str> = table.lines().nth(1).unwrap().split_whitespace().collect();
        assert_eq!(row[..4], ["default/orders", "7", "2026-01-01T00:00:00Z", "default/stock"]);
        assert!(table.contains("it answered 503") && !table.contains('\u{1b}'), "{table}");
    }

    #[test]
    fn one_is_shown_with_its_event() {
        let details = details(&letter()).unwrap();
        assert!(details.contains("last status   503\n") && details.contains("\"id\": \"1\""), "{details}");
    }
}
