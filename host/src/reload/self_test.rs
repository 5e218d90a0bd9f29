//! The tests that lie beside a component: `NAME.cases.yaml` beside `NAME.wasm`, as `sluice test` reads them.
//!
//! They are asked of the filter alone, with the documents and services that it would serve with. The file is read when the
//! component is loaded, so it has to be in place before.

use super::configured::Configured;
use crate::chain::Chain;
use crate::gateway::Plan;
use crate::manifest::{Diagnostic, Diagnostics, Document, Location, codes};
use crate::snapshot::Snapshot;
use crate::trial::{self, Case, Suite};
use crate::upstream::registry::Registry;
use std::io::ErrorKind;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

/// The largest file of tests, in bytes.
const SIZE: u64 = 1 << 20;
/// Tests that are shown when they fail; more say no more.
const SHOWN: usize = 8;

/// What a version would serve with.
pub(super) struct Surroundings<'a> {
    pub(super) registry: &'a Arc<Registry>,
    pub(super) plan: &'a Plan,
    pub(super) documents: &'a [Arc<Document>],
}

/// What is wrong with a version by its own tests; nothing where there are none.
pub(super) fn run(new: &Configured, surroundings: &Surroundings<'_>) -> Diagnostics {
    let mut diagnostics = Diagnostics::new();
    let path = new.component.path.with_extension("cases.yaml");
    let Some(suite) = read(&path, &mut diagnostics) else { return diagnostics };
    let snapshot = Snapshot {
        generation: 0,
        chain: Arc::new(Chain::new(new.links(None))),
        registry: Arc::clone(surroundings.registry),
        overload: Arc::default(),
        gateway_ports: surroundings.plan.ports(),
        documents: surroundings.documents.to_vec(),
        built: SystemTime::now(),
    };
    let failed = suite.cases.iter().filter_map(|case| failure(&snapshot, case));
    diagnostics.extend(failed.take(SHOWN));
    diagnostics
}

fn read(path: &Path, diagnostics: &mut Diagnostics) -> Option<Suite> {
    let mut refuse = |message: String| {
        diagnostics.push(Diagnostic::error(codes::FILTER_SELF_TEST, message).at(Location::file(path)));
    };
    // A link that leads nowhere is there: its tests are meant to be passed.
    if std::fs::symlink_metadata(path).is_err_and(|error| error.kind() == ErrorKind::NotFound) {
        return None;
    }
    let size = match std::fs::metadata(path) {
        Ok(metadata) if metadata.is_file() => metadata.len(),
        Ok(_) => {
            refuse("the tests are no file".to_owned());
            return None;
        }
        Err(error) => {
            refuse(format!("the tests cannot be read: {error}"));
            return None;
        }
    };
    if size > SIZE {
        refuse(format!("the file of tests has {size} bytes, more than the {SIZE} that are read"));
        return None;
    }
    match std::fs::read_to_string(path) {
        Ok(text) => trial::read(path, text, diagnostics),
        Err(error) => {
            refuse(format!("the tests cannot be read: {error}"));
            None
        }
    }
}

/// The outcome of a test. A fault of the proxy on what a version decides refuses the version: without the thread that it
/// happens on nothing would be reloaded any more.
fn unless_it_faults<T>(run: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    // What is shared with others is behind locks and atomics that outlive a panic.
    let ran = catch_unwind(AssertUnwindSafe(run));
    ran.unwrap_or_else(|_| Err("the proxy itself fails on what the filter decides; please report it".to_owned()))
}

fn failure(snapshot: &Snapshot, case: &Case) -> Option<Diagnostic> {
    let outcome = match unless_it_faults(|| trial::run(snapshot, case)) {
        Ok(outcome) => outcome,
        Err(mistake) => return Some(Diagnostic::error(codes::FILTER_SELF_TEST, mistake).at(case.location.clone())),
    };
    if let [first, ..] = outcome.failures.as_slice() {
        let message = format!("the filter fails in `{}`: {first}", case.name);
        return Some(Diagnostic::error(codes::FILTER_SELF_TEST, message).at(case.location.clone()));
    }
    let mismatches = trial::compare(&case.expect, &outcome, &snapshot.registry.names);
    let first = mismatches.first()?;
    let message = format!(
        "the filter does not pass `{}`: {} should be {}, and is {}",
        case.name, first.what, first.expected, first.found
    );
    let help = format!("it was {}; mend the filter or the test", outcome.summary());
    Some(Diagnostic::error(codes::FILTER_SELF_TEST, message).at(case.location.clone()).help(help))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_of_the_proxy_is_a_test_that_fails() {
        assert_eq!(unless_it_faults(|| Ok(1)), Ok(1));
        let failed = unless_it_faults::<()>(|| panic!("a fault"));
        assert!(failed.is_err_and(|mistake| mistake.contains("please report it")));
    }
}
