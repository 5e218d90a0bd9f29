//! What operators do with versions of a filter, and what else they change while one is tried.
#![allow(clippy::expect_used, reason = "a test may fail where it stands")]

use sluicegate_tests::{Fickle, Options, Proxy, Upstream, test_filter, wait_until};
use std::time::Duration;

/// Long enough for a change on a busy machine.
const SOON: Duration = Duration::from_secs(40);
/// No request is the share of the version that is tried.
const TRIED: &str = "rollout: {canary: {share: 0%, requests: 1000000}}";

/// A filter with a version that is tried beside it.
fn trying(upstream: &Upstream, word: &str) -> Fickle {
    let fickle = Fickle::start(&format!("{{{TRIED}}}"), upstream);
    fickle.replace(word);
    wait_until(SOON, || fickle.stage() == "canary");
    fickle
}

#[test]
fn an_operator_takes_back_promotes_and_pins() {
    let upstream = Upstream::start();
    let fickle = Fickle::start(&format!("{{{TRIED}}}"), &upstream);
    assert_eq!(fickle.act("rollback").0, Some(1), "there is nothing before it");
    fickle.replace("newer");
    wait_until(SOON, || fickle.stage() == "canary");
    assert_eq!(fickle.shown().as_deref(), Some("good"), "none of a hundred requests is its share");
    let (code, said) = fickle.act("promote");
    assert_eq!((code, fickle.shown().as_deref()), (Some(0), Some("newer")), "{said}");
    let (code, said) = fickle.act("rollback");
    assert_eq!((code, fickle.shown().as_deref()), (Some(0), Some("good")), "{said}");
    wait_until(SOON, || fickle.state()["state"] == "outdated");
    let (code, said) = fickle.act("promote");
    assert_eq!(code, Some(0), "{said}");
    wait_until(SOON, || fickle.shown().as_deref() == Some("newer"));
    let (code, said) = fickle.act("pin");
    assert_eq!(code, Some(0), "{said}");
    fickle.replace("newest");
    wait_until(SOON, || fickle.state()["last_refusal"]["diagnostics"][0]["code"] == "SG0606");
    assert_eq!(fickle.shown().as_deref(), Some("newer"));
    assert_eq!(fickle.act("unpin").0, Some(0));
    wait_until(SOON, || fickle.stage() == "canary");
    assert_eq!(fickle.act("promote").0, Some(0));
    assert_eq!(fickle.shown().as_deref(), Some("newest"));
}

#[test]
fn a_filter_is_switched_off_and_on_while_a_version_of_it_is_tried() {
    let upstream = Upstream::start();
    let fickle = trying(&upstream, "newer");
    fickle.specify(&format!("{{enabled: false, {TRIED}}}"));
    wait_until(SOON, || fickle.shown().is_none());
    fickle.specify(&format!("{{{TRIED}}}"));
    wait_until(SOON, || fickle.shown().as_deref() == Some("good"));
    assert_eq!(fickle.stage(), "canary", "it is tried on");
}

#[test]
fn a_version_that_is_taken_back_leaves_the_switch_as_it_is() {
    let upstream = Upstream::start();
    let fickle = Fickle::start("{enabled: false}", &upstream);
    fickle.replace("newer");
    wait_until(SOON, || fickle.events().len() == 2);
    fickle.specify("{enabled: true}");
    wait_until(SOON, || fickle.shown().as_deref() == Some("newer"));
    assert_eq!(fickle.act("rollback").0, Some(0));
    assert_eq!(fickle.shown().as_deref(), Some("good"), "the document says that it is on");
}

#[test]
fn a_pin_goes_with_the_version_before_when_the_pinned_one_is_taken_back() {
    let upstream = Upstream::start();
    let fickle = Fickle::start("{}", &upstream);
    fickle.replace("newer");
    wait_until(SOON, || fickle.shown().as_deref() == Some("newer"));
    assert_eq!(fickle.act("pin").0, Some(0));
    assert_eq!(fickle.act("rollback").0, Some(0));
    let newest = |fickle: &Fickle| fickle.history().pop().map(|entry| entry["event"].to_string());
    assert_eq!(newest(&fickle).as_deref(), Some("\"pinned\""));
    fickle.replace("newest");
    wait_until(SOON, || fickle.state()["last_refusal"]["diagnostics"][0]["code"] == "SG0606");
    fickle.replace("good");
    wait_until(SOON, || fickle.state()["state"] == "active");
    assert_eq!(fickle.shown().as_deref(), Some("good"), "its own file is not kept out");
}

#[test]
fn a_filter_that_was_pinned_and_is_gone_may_come_back_as_another() {
    let upstream = Upstream::start();
    let fickle = Fickle::start("{}", &upstream);
    assert_eq!(fickle.act("pin").0, Some(0));
    fickle.proxy.filters().remove("fickle.wasm");
    wait_until(SOON, || fickle.shown().is_none());
    fickle.replace("newer");
    wait_until(SOON, || fickle.shown().as_deref() == Some("newer"));
}

#[test]
fn promoting_brings_back_what_was_taken_back_beside_a_version_that_is_watched() {
    let upstream = Upstream::start();
    let fickle = trying(&upstream, "newer");
    assert_eq!(fickle.act("promote").0, Some(0));
    assert_eq!(fickle.stage(), "watch");
    fickle.replace("newest");
    wait_until(SOON, || fickle.stage() == "canary");
    assert_eq!(fickle.act("rollback").0, Some(0));
    wait_until(SOON, || fickle.state()["state"] == "outdated");
    assert_eq!(fickle.act("promote").0, Some(0));
    wait_until(SOON, || fickle.shown().as_deref() == Some("newest"));
}

#[test]
fn a_file_that_is_refused_leaves_the_version_that_is_tried_alone() {
    let upstream = Upstream::start();
    let fickle = trying(&upstream, "newer");
    fickle.proxy.filters().replace("fickle.wasm", "no component");
    wait_until(SOON, || !fickle.state()["last_refusal"].is_null());
    assert_eq!(fickle.stage(), "canary");
    assert_eq!(fickle.events(), ["in-force", "canary"], "it was not superseded");
    assert_eq!(fickle.act("promote").0, Some(0));
    assert_eq!(fickle.shown().as_deref(), Some("newer"));
}

#[test]
#[allow(clippy::disallowed_methods, reason = "a test's own thread is no worker")]
fn a_file_that_is_gone_for_a_second_time_is_waited_for_as_long_as_the_first_time() {
    let upstream = Upstream::start();
    let fickle = Fickle::start("{}", &upstream);
    fickle.proxy.filters().remove("fickle.wasm");
    // Long enough to be noticed, and then for its time to be over.
    std::thread::sleep(Duration::from_secs(1));
    fickle.proxy.filters().write("fickle.wasm", "no component");
    wait_until(SOON, || !fickle.state()["last_refusal"].is_null());
    std::thread::sleep(Duration::from_secs(5));
    fickle.proxy.filters().remove("fickle.wasm");
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(fickle.shown().as_deref(), Some("good"));
    wait_until(SOON, || fickle.shown().is_none());
}

#[test]
fn a_version_that_is_tried_and_not_trusted_any_more_is_not_tried_on() {
    let upstream = Upstream::start();
    let fickle = trying(&upstream, "newer");
    let good = fickle.history()[0]["digest"].as_str().expect("a digest").to_owned();
    fickle.specify(&format!("{{digest: 'sha256:{good}', {TRIED}}}"));
    wait_until(SOON, || fickle.stage().is_empty());
    assert_eq!(fickle.shown().as_deref(), Some("good"));
}

fn gate(answer: &str) -> String {
    format!("apiVersion: test.sluicegate.dev/v1\nkind: Gate\nmetadata:\n  name: gate\nspec:\n  answer: {answer}\n")
}

#[test]
fn a_component_that_does_not_take_its_settings_is_refused_alone_where_there_was_one_before_it() {
    let upstream = Upstream::start();
    let settings = |name: &str| {
        let head = "apiVersion: sluicegate.dev/v1alpha1\nkind: Filter\nmetadata:\n";
        format!("{head}  name: {name}\nspec:\n  settings: {{configure: trap}}\n")
    };
    // It takes any settings.
    let options = Options::new().filter("headers").manifest("headers.yaml", settings("headers"));
    let options = options.filter("gate").manifest("gate.yaml", gate("one")).manifest("new.yaml", settings("new"));
    let proxy = Proxy::start(options.upstream("shop", upstream.address()));
    let shown = || proxy.get("http://shop/").header("x-gate").map(str::to_owned);
    let refusal = || {
        let filters = proxy.ask_admin("/filters").json();
        let mut filters = filters.as_array().expect("a list").iter();
        filters.find(|filter| filter["name"] == "headers").map(|gate| gate["last_refusal"].clone()).unwrap_or_default()
    };
    let unfit = std::fs::read(test_filter("failing")).expect("it was built");
    proxy.filters().replace("headers.wasm", &unfit);
    wait_until(SOON, || !refusal().is_null());
    proxy.manifests().replace("gate.yaml", gate("two"));
    wait_until(SOON, || shown().as_deref() == Some("two"));
    assert!(proxy.get("http://shop/").header("x-filter-response").is_some(), "the one before it serves");
    proxy.filters().replace("headers.wasm", std::fs::read(test_filter("headers")).expect("it was built"));
    wait_until(SOON, || refusal().is_null());
    // What is new holds up what may have come for it.
    proxy.filters().replace("new.wasm", &unfit);
    wait_until(SOON, || !proxy.ask_admin("/config").json()["last_reload_failure"].is_null());
    let before = proxy.ask_admin("/config").json()["last_reload_failure"].clone();
    proxy.manifests().replace("gate.yaml", gate("three"));
    wait_until(SOON, || proxy.ask_admin("/config").json()["last_reload_failure"] != before);
    assert_eq!(shown().as_deref(), Some("two"));
    proxy.filters().remove("new.wasm");
    wait_until(SOON, || shown().as_deref() == Some("three"));
}
