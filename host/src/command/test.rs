//! `sluice test`.

use super::exit::{Failure, Verdict};
use super::print::harmless;
use super::{composition, print};
use crate::args::{Format, Test};
use serde::Serialize;
use sluicegate::config::Settings;
use sluicegate::manifest::{Diagnostic, Diagnostics, Location, codes};
use sluicegate::snapshot::Snapshot;
use sluicegate::trial::{self, Case, Mismatch, Outcome, Suite};
use std::fmt::{self, Write};
use std::path::{Path, PathBuf};

/// What came of all tests.
#[derive(Debug, Default, Serialize)]
struct Report {
    passed: usize,
    failed: usize,
    tests: Vec<Tested>,
}

/// What came of one test.
#[derive(Debug, Serialize)]
struct Tested {
    name: String,
    /// `file:line:column`.
    origin: String,
    /// Such as `GET http://shop/orders`.
    request: String,
    passed: bool,
    mismatches: Vec<Mismatch>,
    /// What became of the request.
    outcome: String,
    /// What the filter chose, and where that is written.
    #[serde(skip_serializing_if = "Option::is_none")]
    route: Option<String>,
    /// Why, in the filter's words.
    reason: String,
}

/// Runs the files of tests one after the other.
pub(crate) fn test(test: &Test) -> Result<Verdict, Failure> {
    let suites = read(&test.files)?;
    let given = test.names_manifests();
    let mut loaded: Option<(Vec<PathBuf>, Snapshot)> = None;
    let mut report = Report::default();
    for suite in suites {
        // Files that name the same manifests share what was loaded of them.
        let snapshot = match loaded.take().filter(|(manifests, _)| given || *manifests == suite.manifests) {
            Some((_, snapshot)) => snapshot,
            None => load(test, &suite)?,
        };
        for case in &suite.cases {
            report.add(run(&snapshot, case)?);
        }
        loaded = Some((suite.manifests, snapshot));
    }
    match test.output {
        Format::Json => print::json(&report)?,
        Format::Table => print::text(&lines(&report))?,
    }
    Ok(if report.failed == 0 { Verdict::Fine } else { Verdict::Findings })
}

/// Reads all files before any test runs. What is wrong with one is a matter of usage.
fn read(files: &[PathBuf]) -> Result<Vec<Suite>, Failure> {
    let mut diagnostics = Diagnostics::new();
    let mut suites = Vec::new();
    for file in files {
        match std::fs::read_to_string(file) {
            Ok(text) => suites.extend(trial::read(file, text, &mut diagnostics)),
            Err(error) => {
                let error = Diagnostic::error(codes::UNREADABLE, format!("the file cannot be read: {error}"));
                diagnostics.push(error.at(Location::file(file)));
            }
        }
    }
    if !diagnostics.has_errors() {
        return Ok(suites);
    }
    let colored = std::io::IsTerminal::is_terminal(&std::io::stderr());
    // Nobody is left to tell when standard error is gone.
    let _ = diagnostics.render(&mut std::io::stderr().lock(), colored);
    Err(Failure::Usage(format!("the tests cannot be read: {}", diagnostics.summary())))
}

fn load(test: &Test, suite: &Suite) -> Result<Snapshot, Failure> {
    let path = |path: &Path| path.to_string_lossy().into_owned();
    let manifests = if test.names_manifests() {
        test.manifests.clone()
    } else {
        suite.manifests.iter().map(|manifest| path(manifest)).collect()
    };
    let (file, flags) = test.sources.clone().into_flags(manifests);
    Ok(composition::rehearse(&Settings::load(file.as_deref(), flags)?)?)
}

fn run(snapshot: &Snapshot, case: &Case) -> Result<Tested, Failure> {
    let outcome = trial::run(snapshot, case).map_err(Failure::Usage)?;
    let mismatches = trial::compare(&case.expect, &outcome, &snapshot.registry.names);
    Ok(Tested::new(case, &outcome, mismatches))
}

impl Tested {
    fn new(case: &Case, outcome: &Outcome, mismatches: Vec<Mismatch>) -> Self {
        Self {
            name: case.name.clone(),
            origin: case.location.to_string(),
            request: format!("{} {}", case.request.method, case.request.url),
            passed: mismatches.is_empty(),
            mismatches,
            outcome: match &outcome.filter {
                Some(filter) => format!("{} by {filter}", outcome.summary()),
                None => format!("{} (no filter decided)", outcome.summary()),
            },
            route: outcome.route.as_ref().map(|route| format!("{} ({})", route.name, route.origin)),
            reason: outcome.reason.clone(),
        }
    }
}

impl Report {
    fn add(&mut self, tested: Tested) {
        *if tested.passed { &mut self.passed } else { &mut self.failed } += 1;
        self.tests.push(tested);
    }
}

/// A line for each test, what differs below it, and how many passed.
fn lines(report: &Report) -> String {
    let mut lines = String::new();
    // Writing into memory cannot fail.
    let _ = report.tests.iter().try_for_each(|tested| write_test(tested, &mut lines));
    let _ = writeln!(lines, "\n{} passed, {} failed", report.passed, report.failed);
    lines
}

fn write_test(tested: &Tested, lines: &mut String) -> fmt::Result {
    if tested.passed {
        return writeln!(lines, "ok    {}", harmless(&tested.name));
    }
    writeln!(lines, "FAIL  {}", harmless(&tested.name))?;
    writeln!(lines, "      --> {}", tested.origin)?;
    if tested.name != tested.request {
        writeln!(lines, "      {}", harmless(&tested.request))?;
    }
    for mismatch in &tested.mismatches {
        writeln!(lines, "      {}", harmless(&mismatch.what))?;
        writeln!(lines, "        - {}", harmless(&mismatch.expected))?;
        writeln!(lines, "        + {}", harmless(&mismatch.found))?;
    }
    writeln!(lines, "      it was {}", harmless(&tested.outcome))?;
    match &tested.route {
        Some(route) => writeln!(lines, "      {}", harmless(route)),
        None if !tested.reason.is_empty() => writeln!(lines, "      {}", harmless(&tested.reason)),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tested(name: &str, mismatches: Vec<Mismatch>) -> Tested {
        Tested {
            name: name.into(),
            origin: "routes.yaml:3:3".into(),
            request: "GET http://shop/a".into(),
            passed: mismatches.is_empty(),
            mismatches,
            outcome: "sent on to b:80 by router".into(),
            route: Some("VirtualService default/shop, rule 1 (shop.yaml:1)".into()),
            reason: String::new(),
        }
    }

    #[test]
    fn a_failure_shows_what_differs_and_who_decided() {
        let mut report = Report::default();
        report.add(tested("a passes", Vec::new()));
        let mismatch = Mismatch { what: "destination".into(), expected: "a:80".into(), found: "b:\x1b80".into() };
        report.add(tested("b fails", vec![mismatch]));
        let expected = "\
ok    a passes
FAIL  b fails
      --> routes.yaml:3:3
      GET http://shop/a
      destination
        - a:80
        + b:\u{fffd}80
      it was sent on to b:80 by router
      VirtualService default/shop, rule 1 (shop.yaml:1)

1 passed, 1 failed
";
        assert_eq!(lines(&report), expected);
    }
}
