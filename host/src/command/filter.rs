//! `sluice filter`.

mod contents;
mod history;
mod known;
mod traps;

use super::exit::{Failure, Verdict};
use super::explain::instance;
use super::print::{self, harmless};
use crate::args::{Filter, FilterInspect, FilterList, Format};
use contents::Contents;
use sluicegate::admin::AdminClient;
use sluicegate::admin::rollout::FilterAction;
use sluicegate::admin::view::{FilterState, FilterStatus};
use std::fmt::Write;
use std::path::Path;

/// Shows filters.
pub(crate) fn filter(filter: Filter) -> Result<Verdict, Failure> {
    match filter {
        Filter::List(list) => show_all(&list),
        Filter::Inspect(inspect) => show_one(&inspect),
        Filter::Traps(arguments) => traps::traps(&arguments),
        Filter::Enable(named) => traps::act(FilterAction::Enable, &named),
        Filter::History(arguments) => history::history(&arguments),
        Filter::Rollback(named) => traps::act(FilterAction::Rollback, &named),
        Filter::Promote(named) => traps::act(FilterAction::Promote, &named),
        Filter::Pin(named) => traps::act(FilterAction::Pin, &named),
        Filter::Unpin(named) => traps::act(FilterAction::Unpin, &named),
    }
}

fn show_all(list: &FilterList) -> Result<Verdict, Failure> {
    let filters = AdminClient::new(instance(Some(&list.ask.admin))?).filters()?;
    match list.ask.output {
        Format::Json => print::json(&filters)?,
        Format::Table => print::text(&overview(&filters))?,
    }
    let all_in_force = filters.iter().all(|filter| filter.state == FilterState::Active);
    Ok(if all_in_force { Verdict::Fine } else { Verdict::Findings })
}

fn show_one(inspect: &FilterInspect) -> Result<Verdict, Failure> {
    let path = Path::new(&inspect.filter);
    if is_component(path) {
        let contents = Contents::read(path, &inspect.manifests, &inspect.filter_keys)?;
        match inspect.ask.output {
            Format::Json => print::json(&contents)?,
            Format::Table => print::text(&contents.describe())?,
        }
        return Ok(if contents.is_taken() { Verdict::Fine } else { Verdict::Findings });
    }
    let filters = AdminClient::new(instance(Some(&inspect.ask.admin))?).filters()?;
    let filter = known::find(&filters, &inspect.filter)?;
    match inspect.ask.output {
        Format::Json => print::json(filter)?,
        Format::Table => print::text(&details(filter))?,
    }
    Ok(Verdict::Fine)
}

/// Whether a component's file is meant, be it there or not, instead of a filter of that name.
fn is_component(path: &Path) -> bool {
    path.is_file() || path.extension().is_some_and(|extension| extension == "wasm")
}

/// A line for each filter, and below it why newer files were refused.
fn overview(filters: &[FilterStatus]) -> String {
    if filters.is_empty() {
        return "no filters\n".into();
    }
    let row = |filter: &FilterStatus| {
        vec![
            filter.name.clone(),
            filter.version.clone(),
            filter.digest.chars().take(12).collect(),
            state(filter.state).into(),
            filter.priority.to_string(),
            filter.failure.clone(),
            filter.since.clone(),
            filter.hooks.join(","),
            filter.claims.join(","),
        ]
    };
    let headings = ["NAME", "VERSION", "DIGEST", "STATE", "PRIORITY", "FAILURE", "SINCE", "HOOKS", "CLAIMS"];
    let table = print::table(&headings, &filters.iter().map(row).collect::<Vec<_>>());
    filters.iter().fold(table, |text, filter| text + &stage(filter) + &quarantine(filter) + &refusal(filter))
}

fn details(filter: &FilterStatus) -> String {
    let rows = [
        ("name", filter.name.clone()),
        ("version", filter.version.clone()),
        ("digest", filter.digest.clone()),
        ("file", filter.origin.clone()),
        ("state", format!("{} since {}", state(filter.state), filter.since)),
        ("priority", filter.priority.to_string()),
        ("failure", filter.failure.clone()),
        ("hooks", list(&filter.hooks)),
        ("claims", list(&filter.claims)),
        ("reads", list(&filter.reads)),
        ("capabilities", list(&filter.capabilities)),
        ("forwards to", list(&filter.grants.forward)),
        ("calls", list(&filter.grants.call)),
        ("publishes to", list(&filter.grants.publish)),
    ];
    describe(&rows) + &stage(filter) + &quarantine(filter) + &refusal(filter)
}

fn stage(filter: &FilterStatus) -> String {
    let Some(rollout) = &filter.rollout else { return String::new() };
    let digest: String = rollout.digest.chars().take(12).collect();
    let name = harmless(&filter.name);
    let mut text = format!(
        "\n{name}: version {} ({digest}) is in the stage `{}` since {}\n",
        harmless(&rollout.version),
        rollout.stage,
        harmless(&rollout.since)
    );
    if let Some(shadow) = &rollout.shadow {
        // Writing into memory cannot fail.
        let _ =
            writeln!(text, "  {} of {} decisions differ, {} failed", shadow.different, shadow.decisions, shadow.failed);
        history::write_differences(&shadow.differences, &mut text);
    }
    text
}

fn quarantine(filter: &FilterStatus) -> String {
    let Some(quarantine) = &filter.quarantine else { return String::new() };
    let name = harmless(&filter.name);
    format!(
        "\n{name}: in quarantine for its failures, tried again in {} ms\n  help: `sluice filter traps {name}` shows them, \
         and `sluice filter enable {name}` lets it in at once\n",
        quarantine.tried_in
    )
}

fn refusal(filter: &FilterStatus) -> String {
    let Some(failure) = &filter.last_refusal else { return String::new() };
    let mut text = format!("\n{}: refused at {}\n", harmless(&filter.name), harmless(&failure.at));
    print::write_diagnostics(&failure.diagnostics, &mut text);
    text
}

fn state(state: FilterState) -> &'static str {
    match state {
        FilterState::Active => "active",
        FilterState::Outdated => "outdated",
        FilterState::Refused => "refused",
        FilterState::Quarantined => "quarantined",
    }
}

/// Names as a row has them.
fn list(names: &[String]) -> String {
    if names.is_empty() { "none".into() } else { names.join(", ") }
}

fn describe(rows: &[(&str, String)]) -> String {
    let lines = rows.iter().map(|(name, value)| format!("{name:<13} {}", harmless(value)));
    lines.fold(String::new(), |description, line| description + &line + "\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use sluicegate::admin::view::{DiagnosticStatus, GrantStatus, ReloadFailure};

    fn status() -> FilterStatus {
        FilterStatus {
            name: "auth".into(),
            version: "1.2.0".into(),
            digest: "0123456789abcdef".into(),
            origin: "filters/auth.wasm".into(),
            claims: Vec::new(),
            hooks: vec!["request".into(), "response".into()],
            reads: vec!["accept".into(), "x-tenant".into()],
            capabilities: Vec::new(),
            grants: GrantStatus { call: vec!["inventory-*".into()], ..GrantStatus::default() },
            priority: 10,
            failure: "closed".into(),
            state: FilterState::Active,
            since: "2026-01-01T00:00:00Z".into(),
            last_refusal: None,
            quarantine: None,
            rollout: None,
        }
    }

    #[test]
    fn the_list_shows_why_a_newer_file_was_refused() {
        let diagnostic = DiagnosticStatus {
            severity: "error".into(),
            code: "SG0601".into(),
            origin: "filters/auth.wasm".into(),
            message: "it is a core module\x07".into(),
            help: Some("build it for wasm32-wasip2".into()),
        };
        let failure = ReloadFailure { at: "2026-01-02T00:00:00Z".into(), diagnostics: vec![diagnostic] };
        let text = overview(&[
            status(),
            FilterStatus { state: FilterState::Outdated, last_refusal: Some(failure), ..status() },
        ]);
        assert!(text.starts_with("NAME  VERSION  DIGEST        STATE     PRIORITY"), "{text}");
        assert!(text.contains("auth  1.2.0    0123456789ab  active"), "{text}");
        let refusal = "auth: refused at 2026-01-02T00:00:00Z\n  filters/auth.wasm: error[SG0601]: it is a core \
                       module\u{fffd}\n    help: build it for wasm32-wasip2\n";
        assert!(text.ends_with(refusal), "{text}");
    }

    #[test]
    fn a_directory_that_is_called_as_a_filter_is_not_taken_for_its_file() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("auth");
        std::fs::write(&file, "").unwrap();
        for (path, expected) in [
            (directory.path(), false),
            (file.as_path(), true),
            (Path::new("gone/auth.wasm"), true),
            (Path::new("gone"), false),
        ] {
            assert_eq!(is_component(path), expected, "{}", path.display());
        }
    }

    #[test]
    fn a_name_that_is_none_is_answered_with_those_that_there_are() {
        let other = FilterStatus { name: "router".into(), ..status() };
        let filters = [status(), other];
        assert!(known::find(&filters, "auth").is_ok_and(|filter| filter.name == "auth"));
        let said = |filters: &[FilterStatus], name: &str| known::find(filters, name).unwrap_err().to_string();
        let close = "the instance has no filter `routre`\n  help: did you mean `router`? It has auth, router";
        assert_eq!(said(&filters, "routre"), close);
        assert_eq!(said(&filters, "x"), "the instance has no filter `x`\n  help: it has auth, router");
        assert_eq!(said(&[], "x"), "the instance has no filter `x`\n  help: it has none");
    }

    #[test]
    fn details_say_none_where_there_is_nothing() {
        let text = details(&status());
        assert!(text.contains("hooks         request, response\n"), "{text}");
        assert!(text.contains("reads         accept, x-tenant\n"), "{text}");
        assert!(text.contains("capabilities  none\n"), "{text}");
        assert!(text.contains("calls         inventory-*\n"), "{text}");
    }
}
