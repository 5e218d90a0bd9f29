//! Suites that others have made for HTTP/2, WebSocket and gRPC pass through a chain of filters, but for what is listed.
#![allow(clippy::expect_used, reason = "a test may fail where it stands")]

use sluicegate_tests::conformance::{CaseResult, Differences, Report, Standing};
use sluicegate_tests::suites;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

/// Each suite has its own ideas of what is slow, and the machine to itself.
static TURN: Mutex<()> = Mutex::new(());

/// Runs a suite and holds it against its list.
fn hold_to(list: &str, suite: fn() -> Result<Vec<CaseResult>, String>) -> Report {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let list = Path::new(env!("CARGO_MANIFEST_DIR")).join("conformance").join(list);
    let differences = Differences::read(&list).expect("the list can be read");
    let report = Report::new(&suite().expect("the suite runs"), &differences, true);
    assert!(!report.has_drift(), "\n{}", report.drift());
    report
}

#[test]
fn http2_does_what_httpwg_asks_but_for_the_listed_differences() {
    let report = hold_to("http2.yaml", suites::http2);
    let (passed, known) = (report.count(Standing::Passed), report.count(Standing::Known));
    assert!(passed >= 99 && passed + known == 107, "{passed} passed, {known} differ as is known");
}

#[test]
fn websocket_is_the_same_through_filters_as_directly() {
    let report = hold_to("websocket.yaml", suites::websocket);
    assert!(report.count(Standing::Passed) >= 247, "the suite has shrunk:\n{report}");
}

#[test]
fn grpc_interoperates_directly_through_the_proxy_and_through_filters() {
    let report = hold_to("grpc.yaml", suites::grpc);
    assert_eq!(report.count(Standing::Passed), 3 * 14);
}
