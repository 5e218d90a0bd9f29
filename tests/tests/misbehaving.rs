//! Whatever a filter does, every request gets exactly one answer and everybody else goes on.

use sluicegate_tests::{Options, Proxy, Request, Upstream};

/// Every way to fail on the way in.
const FAILING: [&str; 9] = [
    "trap",
    "spin",
    "hungry",
    "deep-recursion",
    "garbage-header",
    "garbage-value",
    "framing-header",
    "garbage-path",
    "garbage-status",
];

fn open(name: &str) -> String {
    let head = "apiVersion: sluicegate.dev/v1alpha1\nkind: Filter\nmetadata:\n";
    format!("{head}  name: {name}\nspec:\n  failure: open\n")
}

fn misbehaving(options: Options, upstream: &Upstream) -> Proxy {
    Proxy::start(options.filter("misbehave").upstream("shop", upstream.address()))
}

#[test]
fn a_failing_filter_answers_503_and_the_next_request_is_fine() {
    let upstream = Upstream::start();
    let proxy = misbehaving(Options::new(), &upstream);
    let mut connection = proxy.connect();
    for mode in FAILING {
        let failed = connection.send(Request::get("http://shop/a").header("x-misbehave", mode)).expect(mode);
        assert_eq!(failed.status, 503, "{mode}");
        let fine = connection.send(Request::get("http://shop/b")).expect(mode);
        assert_eq!(fine.status, 200, "after {mode}");
    }
    let targets: Vec<String> = upstream.requests().into_iter().map(|request| request.target).collect();
    assert_eq!(targets, vec!["/b"; FAILING.len()], "no request of a failing filter may reach the service");
}

#[test]
fn with_failure_open_the_very_request_goes_through_unmodified() {
    let upstream = Upstream::start();
    let proxy = misbehaving(Options::new().manifest("open.yaml", open("misbehave")), &upstream);
    for mode in FAILING {
        let answer = proxy.send(Request::post("http://shop/a?b=1", "body").header("x-misbehave", mode));
        assert_eq!(answer.status, 200, "{mode}");
        let arrived = upstream.requests().pop().expect(mode);
        assert_eq!((arrived.target.as_str(), &arrived.body[..]), ("/a?b=1", &b"body"[..]), "{mode}");
        assert_eq!(arrived.header("x-misbehave-edited"), None, "{mode}: half of a decision was applied");
    }
    assert_eq!(upstream.arrived(), FAILING.len());
}

#[test]
fn a_failing_response_phase_answers_503_once() {
    let upstream = Upstream::start();
    let proxy = misbehaving(Options::new(), &upstream);
    for mode in ["panic-in-response", "spin-in-response"] {
        let answer = proxy.send(Request::get("http://shop/").header("x-misbehave", mode));
        assert_eq!(answer.status, 503, "{mode}");
    }
    assert_eq!(proxy.get("http://shop/").status, 200);
}

#[test]
fn a_flood_of_log_lines_is_cut() {
    let upstream = Upstream::start();
    let proxy = misbehaving(Options::new(), &upstream);
    for mode in ["log-flood", "log-large"] {
        assert_eq!(proxy.send(Request::get("http://shop/").header("x-misbehave", mode)).status, 200, "{mode}");
    }
    assert!(proxy.log().len() < 64 << 10, "the log has {} bytes", proxy.log().len());
}

#[test]
fn a_filter_that_wants_what_it_was_not_granted_is_refused_with_advice() {
    let said = Proxy::try_start(Options::new().filter("greedy")).expect_err("it is refused");
    assert!(said.contains("which is not granted: add `capabilities: ["), "{said}");
}
