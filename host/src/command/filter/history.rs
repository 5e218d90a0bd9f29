//! `sluice filter history`.

use super::super::exit::{Failure, Verdict};
use super::super::explain::instance;
use super::super::print::{self, harmless};
use super::known;
use crate::args::{FilterHistory as Arguments, Format};
use sluicegate::admin::AdminClient;
use sluicegate::admin::rollout::{DifferenceStatus, FilterHistory, HistoryEntry};
use std::fmt::Write;

/// The event of a version that was taken back.
const TAKEN_BACK: &str = "rolled-back";

/// Shows what became of versions.
pub(super) fn history(arguments: &Arguments) -> Result<Verdict, Failure> {
    let client = AdminClient::new(instance(Some(&arguments.ask.admin))?);
    let histories = client.filter_history(arguments.filter.as_deref())?;
    if histories.is_empty() {
        known::expect(&client, arguments.filter.as_deref())?;
    }
    match arguments.ask.output {
        Format::Json => print::json(&histories)?,
        Format::Table => print::text(&text(&histories))?,
    }
    let mut entries = histories.iter().flat_map(|history| &history.entries);
    Ok(if entries.any(|entry| entry.event == TAKEN_BACK) { Verdict::Findings } else { Verdict::Fine })
}

fn text(histories: &[FilterHistory]) -> String {
    let rows = histories.iter().flat_map(|history| history.entries.iter().map(|entry| row(&history.filter, entry)));
    let mut text =
        print::table(&["TIME", "FILTER", "VERSION", "DIGEST", "EVENT", "CHANGED", "WHY"], &rows.collect::<Vec<_>>());
    for entry in histories.iter().flat_map(|history| &history.entries) {
        if !entry.differences.is_empty() {
            let digest: String = entry.digest.chars().take(12).collect();
            // Writing into memory cannot fail.
            let _ = writeln!(text, "\ndecisions of {digest} that differed:");
            write_differences(&entry.differences, &mut text);
        }
    }
    text
}

fn row(filter: &str, entry: &HistoryEntry) -> Vec<String> {
    vec![
        entry.at.clone(),
        filter.to_owned(),
        entry.version.clone(),
        entry.digest.chars().take(12).collect(),
        entry.event.clone(),
        if entry.configuration_only { "configuration" } else { "component" }.to_owned(),
        entry.reason.clone(),
    ]
}

/// A line for each decision that differs.
pub(super) fn write_differences(differences: &[DifferenceStatus], text: &mut String) {
    for DifferenceStatus { request, what, live, shadow } in differences {
        let line = format!("{request}: {what} was {live}, and would be {shadow}");
        let _ = writeln!(text, "  {}", harmless(&line));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_for_each_event_and_below_it_what_differed() {
        let difference = DifferenceStatus {
            request: "00ff".into(),
            what: "status".into(),
            live: "200".into(),
            shadow: "403".into(),
        };
        let entry = HistoryEntry {
            at: "2026-01-01T00:00:00Z".into(),
            event: TAKEN_BACK.into(),
            version: "1.2.0".into(),
            digest: "0123456789abcdef".into(),
            configuration_only: true,
            reason: "9 of 9 decisions in the shadow differed".into(),
            differences: vec![difference],
        };
        let shown = text(&[FilterHistory { filter: "auth".into(), entries: vec![entry] }]);
        let line = "2026-01-01T00:00:00Z  auth    1.2.0    0123456789ab  rolled-back  configuration  9 of 9 decisions";
        assert!(shown.contains(line), "{shown}");
        assert!(shown.ends_with("  00ff: status was 200, and would be 403\n"), "{shown}");
    }
}
