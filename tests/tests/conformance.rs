//! Routing does what the specifications say, but for what `differences.yaml` lists.

use sluicegate_tests::conformance::{Differences, Report, read_directory, run};
use std::path::Path;

#[test]
fn routing_conforms_but_for_the_listed_differences() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("conformance/routing");
    let files = read_directory(&directory).expect("the cases can be read");
    let differences = Differences::read(&directory.join("differences.yaml")).expect("the list can be read");
    let report = Report::new(&run(&files, None), &differences, true);
    assert!(!report.has_drift(), "\n{}", report.drift());
}
