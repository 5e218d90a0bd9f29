//! Routing and events do what the specifications say, but for what `differences.yaml` lists.
#![allow(clippy::expect_used, reason = "a test may fail where it stands")]

use sluicegate_tests::conformance::{Differences, Report, check_expressions, read_directory, run};
use std::path::Path;

/// Runs all cases of a directory.
fn hold_to(cases: &str) {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("conformance").join(cases);
    let files = read_directory(&directory).expect("the cases can be read");
    let differences = Differences::read(&directory.join("differences.yaml")).expect("the list can be read");
    let report = Report::new(&run(&files, None), &differences, true);
    assert!(!report.has_drift(), "\n{}", report.drift());
}

#[test]
fn routing_conforms_but_for_the_listed_differences() {
    hold_to("routing");
}

#[test]
fn events_conform_but_for_the_listed_differences() {
    hold_to("events");
}

#[test]
fn expressions_of_filters_conform_but_for_the_listed_differences() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("conformance/expressions");
    let results = check_expressions(&directory).expect("the cases can be read");
    let differences = Differences::read(&directory.join("differences.yaml")).expect("the list can be read");
    let report = Report::new(&results, &differences, true);
    assert!(!report.has_drift(), "\n{}", report.drift());
}
