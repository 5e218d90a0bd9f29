//! A new version that is worse than the one before is taken back by itself, and nobody has to be there.
#![allow(clippy::expect_used, reason = "a test may fail where it stands")]
#![allow(clippy::disallowed_methods, reason = "a test's own thread is no worker")]

use sluicegate_tests::{
    Directory, Fickle, Load, LoadReport, Options, Proxy, Request, Times, Upstream, renumbered, stock_filter,
    test_filter, wait_until,
};
use std::time::{Duration, Instant};

/// How long to wait for what happens by itself; how long it took is printed.
const BY_ITSELF: Duration = Duration::from_secs(40);
/// Requests a second.
const RATE: u32 = 500;
/// The same of requests that are composed.
const FEW: u32 = 100;
/// Of no filter that there is.
const ANOTHER: &str = "apiVersion: sluicegate.dev/v1alpha1\nkind: Filter\nmetadata: {name: another}\nspec: {}\n";

fn load(proxy: &Proxy) -> Load {
    let load = Load::start(proxy.address(), RATE, &Request::get("http://shop/"), Some("x-fickle"));
    // What the version in force does is known before another comes.
    wait_until(BY_ITSELF, || load.report().sent >= 500);
    load
}

/// Puts a version into the directory under load, waits until it is taken back, and tells how long that took, in requests too.
fn taken_back(fickle: &Fickle, load: &Load, word: &str) -> (Duration, u64, String) {
    fickle.replace(word);
    wait_until(BY_ITSELF, || fickle.events().iter().any(|event| event != "in-force") || fickle.events().len() > 1);
    let (began, sent) = (Instant::now(), load.report().sent);
    wait_until(BY_ITSELF, || fickle.events().last().is_some_and(|event| event == "rolled-back"));
    let reason = fickle.history().last().expect("an entry")["reason"].as_str().expect("a reason").to_owned();
    let (took, requests) = (began.elapsed(), load.report().sent - sent);
    println!("`{word}` taken back after {took:?} and {requests} requests: {reason}");
    (took, requests, reason)
}

/// That the version before serves again, and that every answer was a whole one.
fn the_good_one_serves(fickle: &Fickle, load: Load) -> LoadReport {
    wait_until(BY_ITSELF, || fickle.shown().as_deref() == Some("good"));
    wait_until(BY_ITSELF, || fickle.state()["state"] == "outdated");
    let shown = fickle.state();
    assert!(shown["last_refusal"]["diagnostics"][0]["code"] == "SG0604", "{shown}");
    let metrics = fickle.proxy.ask_admin("/metrics").text();
    assert!(metrics.contains(r#"sluicegate_filter_rollbacks_total{filter="fickle"} 1"#), "{metrics}");
    let report = load.stop();
    assert_eq!(report.failed, 0, "{report:?}");
    report
}

#[test]
fn a_version_that_traps_on_one_request_of_a_hundred_is_taken_back() {
    let upstream = Upstream::start();
    let fickle = Fickle::start("{}", &upstream);
    let load = load(&fickle.proxy);
    let (_, requests, reason) = taken_back(&fickle, &load, "traps");
    assert!(reason.contains("trapped") && reason.contains("against 0 of"), "{reason}");
    let report = the_good_one_serves(&fickle, load);
    let failed = report.not(200);
    println!("{failed} of {} requests were answered 503", report.sent);
    assert!((5..=40).contains(&failed) && requests < 4_000, "{failed} failed, {requests} requests");
    // Its file is still there, and it does not come back by itself.
    fickle.proxy.manifests().write("another.yaml", ANOTHER);
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(fickle.shown().as_deref(), Some("good"));
    fickle.replace("mended");
    wait_until(BY_ITSELF, || fickle.shown().as_deref() == Some("mended"));
}

#[test]
fn a_version_that_takes_twenty_milliseconds_longer_is_taken_back() {
    let upstream = Upstream::start();
    let fickle = Fickle::start("{deadline: 500ms}", &upstream);
    let load = load(&fickle.proxy);
    let (_, requests, reason) = taken_back(&fickle, &load, "slow");
    assert!(reason.contains("took longer than"), "{reason}");
    assert!(requests < 1_000, "{requests} requests");
    assert!(the_good_one_serves(&fickle, load).all_were(200));
}

#[test]
fn a_version_that_answers_with_errors_is_taken_back() {
    let upstream = Upstream::start();
    let fickle = Fickle::start("{}", &upstream);
    let load = load(&fickle.proxy);
    let (_, _, reason) = taken_back(&fickle, &load, "errors");
    assert!(reason.contains("went wrong by its decisions"), "{reason}");
    the_good_one_serves(&fickle, load);
}

/// `misbehave` in the place of the good version, which does not know what its requests ask for.
fn a_version_that_misbehaves_is_taken_back(mode: &str) {
    let upstream = Upstream::start();
    let fickle = Fickle::start("{grants: {call: [shop]}, quarantine: {enabled: false}}", &upstream);
    let request = Request::get("http://shop/").header("x-misbehave", mode);
    let load = Load::start(fickle.proxy.address(), FEW, &request, Some("x-fickle"));
    wait_until(BY_ITSELF, || load.report().sent >= 200);
    let component = std::fs::read(test_filter("misbehave")).expect("it is built");
    fickle.proxy.filters().replace("fickle.wasm", component);
    wait_until(BY_ITSELF, || fickle.events().last().is_some_and(|event| event == "rolled-back"));
    let reason = fickle.history().last().expect("an entry")["reason"].as_str().expect("a reason").to_owned();
    assert!(reason.contains("went wrong by its decisions"), "{mode}: {reason}");
    the_good_one_serves(&fickle, load);
}

#[test]
fn a_version_that_gathers_without_end_is_taken_back() {
    a_version_that_misbehaves_is_taken_back("gather-forever");
}

#[test]
fn a_version_that_expects_an_error_is_taken_back() {
    a_version_that_misbehaves_is_taken_back("expect-error");
}

#[test]
fn a_version_that_answers_with_errors_in_place_of_responses_is_taken_back() {
    a_version_that_misbehaves_is_taken_back("error-in-response");
}

#[test]
fn wrong_decisions_are_found_in_the_shadow_and_no_request_notices() {
    let upstream = Upstream::start();
    let fickle = Fickle::start("{rollout: {shadow: {share: 50%, requests: 100000}}}", &upstream);
    let load = load(&fickle.proxy);
    let (_, _, reason) = taken_back(&fickle, &load, "wrong");
    assert!(reason.contains("decisions in the shadow differed"), "{reason}");
    let entry = fickle.history().pop().expect("an entry");
    let difference = &entry["differences"][0];
    assert_eq!((&difference["live"], &difference["shadow"]), (&"next".into(), &"respond 403".into()), "{entry:#}");
    assert!(the_good_one_serves(&fickle, load).all_were(200), "a request noticed");
    let printed = fickle.run(&["filter", "history", "fickle"]);
    let text = String::from_utf8_lossy(&printed.stdout);
    assert!(text.contains("rolled-back") && text.contains("decision was next, and would be respond 403"), "{text}");
    assert_eq!(printed.status.code(), Some(1));
}

#[test]
fn a_trap_in_the_shadow_is_nobodys_but_its_own() {
    let upstream = Upstream::start();
    let fickle = Fickle::start("{rollout: {shadow: {share: 100%, requests: 100000}}}", &upstream);
    let load = load(&fickle.proxy);
    let (_, _, reason) = taken_back(&fickle, &load, "broken");
    assert!(reason.contains("in the shadow") && reason.contains("trapped"), "{reason}");
    assert!(the_good_one_serves(&fickle, load).all_were(200), "a request noticed");
}

#[test]
fn a_canary_that_traps_is_felt_by_its_share_alone() {
    let upstream = Upstream::start();
    let fickle = Fickle::start("{rollout: {canary: {share: 10%, requests: 100000}}}", &upstream);
    let load = load(&fickle.proxy);
    let (_, requests, reason) = taken_back(&fickle, &load, "broken");
    assert!(reason.contains("trapped"), "{reason}");
    let report = the_good_one_serves(&fickle, load);
    assert!(report.not(200) <= 5 + requests / 5, "{} of {requests} failed", report.not(200));
}

#[test]
fn a_good_version_goes_through_all_stages() {
    let upstream = Upstream::start();
    let stages = "{share: 50%, requests: 200, duration: 30s";
    let spec =
        format!("{{rollout: {{shadow: {stages}, differences: 100%}}, canary: {stages}}}, watch: {{duration: 1s}}}}}}");
    let fickle = Fickle::start(&spec, &upstream);
    let load = load(&fickle.proxy);
    fickle.replace("newer");
    wait_until(BY_ITSELF, || fickle.events().last().is_some_and(|event| event == "proven"));
    assert_eq!(fickle.events(), ["in-force", "shadow", "canary", "in-force", "proven"]);
    assert_eq!(fickle.state()["state"], "active");
    assert_eq!(fickle.shown().as_deref(), Some("newer"));
    assert!(load.stop().all_were(200));
}

#[test]
fn a_version_that_is_as_good_stays() {
    let upstream = Upstream::start();
    let fickle = Fickle::start("{rollout: {watch: {duration: 3s}}}", &upstream);
    let load = load(&fickle.proxy);
    for word in ["one", "two", "three"] {
        fickle.replace(word);
        wait_until(BY_ITSELF, || fickle.shown().as_deref() == Some(word));
    }
    wait_until(BY_ITSELF, || fickle.events().last().is_some_and(|event| event == "proven"));
    assert!(!fickle.events().iter().any(|event| event == "rolled-back"), "{:?}", fickle.history());
    assert!(load.stop().all_were(200));
}

#[test]
fn a_version_that_does_not_pass_the_tests_beside_it_is_refused_with_their_place() {
    let upstream = Upstream::start();
    let fickle = Fickle::start("{}", &upstream);
    let tests = "tests:\n- name: everybody may come in\n  request: GET http://shop/\n  upstream: {status: 200}\n  \
                 expect: {status: 200}\n";
    fickle.proxy.filters().write("fickle.cases.yaml", tests);
    fickle.replace("wrong");
    wait_until(BY_ITSELF, || fickle.state()["last_refusal"]["diagnostics"][0]["code"] == "SG0605");
    let finding = fickle.state()["last_refusal"]["diagnostics"][0].clone();
    let origin = finding["origin"].as_str().expect("a place");
    assert!(origin.contains("fickle.cases.yaml:2:"), "{finding}");
    let message = finding["message"].as_str().expect("a message");
    assert!(message.contains("`everybody may come in`: status should be 200, and is 403"), "{finding}");
    assert_eq!(fickle.shown().as_deref(), Some("good"));
    fickle.replace("mended");
    wait_until(BY_ITSELF, || fickle.shown().as_deref() == Some("mended"));
}

#[test]
fn a_version_that_traps_in_its_own_tests_is_refused_although_requests_would_pass_it_over() {
    let upstream = Upstream::start();
    let fickle = Fickle::start("{failure: open}", &upstream);
    let tests = "tests:\n- request: GET http://shop/\n  upstream: {status: 200}\n  expect: {status: 200}\n";
    fickle.proxy.filters().write("fickle.cases.yaml", tests);
    fickle.replace("broken");
    wait_until(BY_ITSELF, || fickle.state()["last_refusal"]["diagnostics"][0]["code"] == "SG0605");
    let message = fickle.state()["last_refusal"]["diagnostics"][0]["message"].to_string();
    assert!(message.contains("the filter fails in `GET http://shop/`: trap"), "{message}");
    assert_eq!(fickle.shown().as_deref(), Some("good"));
}

#[test]
fn a_change_of_settings_that_is_worse_is_taken_back_and_the_next_one_is_taken() {
    let upstream = Upstream::start();
    let fickle = Fickle::start("{}", &upstream);
    fickle.replace("slow");
    // Within its deadline of a second it is the version in force, for want of anything known of the one before.
    fickle.specify("{deadline: 1s, rollout: {watch: {enabled: false}}}");
    wait_until(BY_ITSELF, || fickle.shown().as_deref() == Some("slow"));
    let load = Load::start(fickle.proxy.address(), 20, &Request::get("http://shop/"), Some("x-fickle"));
    wait_until(BY_ITSELF, || load.report().sent >= 20);
    fickle.specify("{deadline: 1ms}");
    wait_until(BY_ITSELF, || fickle.events().last().is_some_and(|event| event == "rolled-back"));
    let entry = fickle.history().pop().expect("an entry");
    assert_eq!(entry["configuration_only"], true, "{entry}");
    println!("a deadline that is too short: {}", entry["reason"]);
    wait_until(BY_ITSELF, || fickle.proxy.get("http://shop/").status == 200);
    load.stop();
}

#[test]
fn a_second_bad_version_is_not_measured_by_the_first() {
    let upstream = Upstream::start();
    let fickle = Fickle::start("{}", &upstream);
    let load = load(&fickle.proxy);
    fickle.replace("traps");
    wait_until(BY_ITSELF, || fickle.events().len() > 1);
    fickle.proxy.filters().replace("fickle.wasm", renumbered(&Fickle::version("traps"), 1));
    wait_until(BY_ITSELF, || fickle.events().len() > 2);
    assert_eq!(fickle.events(), ["in-force"; 3], "the second one came too late");
    wait_until(BY_ITSELF, || fickle.events().last().is_some_and(|event| event == "rolled-back"));
    the_good_one_serves(&fickle, load);
}

#[test]
fn a_version_in_force_is_watched_on_while_another_is_tried_beside_it() {
    let upstream = Upstream::start();
    let fickle = Fickle::start(
        "{rollout: {shadow: {share: 100%, requests: 100000, duration: 1h, differences: 100%}}}",
        &upstream,
    );
    let load = load(&fickle.proxy);
    let next = |word: &str, event: &str| {
        let before = fickle.events().len();
        fickle.replace(word);
        wait_until(BY_ITSELF, || fickle.events().get(before).is_some_and(|new| new == event));
    };
    next("path", "shadow");
    assert_eq!(fickle.run(&["filter", "promote", "fickle"]).status.code(), Some(0));
    next("newer", "shadow");
    assert_eq!(fickle.stage(), "shadow");
    // Enough to tell it from chance among the requests of the load.
    wait_until(BY_ITSELF, || {
        fickle.proxy.get("http://shop/trap");
        fickle.events().iter().any(|event| event == "rolled-back")
    });
    wait_until(BY_ITSELF, || fickle.events().len() == 6);
    assert_eq!(fickle.events(), ["in-force", "shadow", "in-force", "shadow", "rolled-back", "shadow"]);
    assert_eq!(fickle.proxy.get("http://shop/trap").header("x-fickle"), Some("good"));
    assert_eq!(fickle.run(&["filter", "promote", "fickle"]).status.code(), Some(0));
    assert_eq!(fickle.shown().as_deref(), Some("newer"), "what was tried is still there");
    assert!(load.stop().all_were(200), "its own requests met nothing of it");
}

#[test]
fn a_large_component_is_compiled_behind_what_serves_and_holds_nothing_up() {
    let upstream = Upstream::start();
    let large = std::fs::read(stock_filter("router")).expect("it was built");
    let cache = Directory::new();
    let small = std::fs::read(test_filter("headers")).expect("it was built");
    let options = Options::new().filter("headers").filter_as("large.wasm", stock_filter("router"));
    let options = options.environment("XDG_CACHE_HOME", &cache.path().to_string_lossy());
    let proxy = Proxy::start(options.argument("--access-log").argument("off").upstream("shop", upstream.address()));
    let load = load(&proxy);
    let quiet = load.report();
    let before = ["large", "headers"].map(|name| proxy.digest_of(name));
    proxy.filters().replace("large.wasm", renumbered(&large, 1));
    proxy.wait_for_log("is compiled behind", BY_ITSELF);
    let began = Instant::now();
    proxy.filters().replace("headers.wasm", renumbered(&small, 1));
    wait_until(BY_ITSELF, || proxy.digest_of("headers") != before[1]);
    let (small_in_force, behind) = (began.elapsed(), proxy.digest_of("large") == before[0]);
    wait_until(BY_ITSELF, || proxy.digest_of("large") != before[0]);
    let report = load.stop();
    println!(
        "{} bytes of component in force after {:?}, a small one beside it after {small_in_force:?}; p99 {:?} before, {:?} \
         while it was compiled",
        large.len(),
        began.elapsed(),
        quiet.percentile(99),
        report.since(&quiet).percentile(99)
    );
    assert!(report.all_were(200), "{report:?}");
    assert!(behind, "the compiler held the other one up");
    // What is compiled already is in force at once.
    proxy.filters().replace("large.wasm", &large);
    let began = Instant::now();
    wait_until(BY_ITSELF, || proxy.digest_of("large") == before[0]);
    println!("in force {:?} after its rename when its code is on disk", began.elapsed());
}

/// `SLUICE_RELOADS=1000` for the whole of it, which takes some minutes.
#[test]
fn reloads_under_load_lose_no_request_and_leave_nothing_behind() {
    let reloads: usize = std::env::var("SLUICE_RELOADS").ok().and_then(|count| count.parse().ok()).unwrap_or(40);
    let upstream = Upstream::start();
    let cache = Directory::new();
    let options = Options::new().environment("XDG_CACHE_HOME", &cache.path().to_string_lossy());
    let fickle = Fickle::with(options, &upstream);
    let (proxy, load) = (&fickle.proxy, load(&fickle.proxy));
    let (mut times, mut memory) = (Vec::new(), 0);
    for step in 0..reloads {
        // Eight versions, so that all but the first rounds find their code compiled.
        let took = fickle.in_force(&format!("v{}", step % 8), BY_ITSELF);
        if step >= 8 {
            times.push(took);
        }
        if step == 20 {
            memory = proxy.resident_memory();
        }
    }
    let (times, report) = (times.into_iter().collect::<Times>(), load.stop());
    // What the last versions took is given back within moments.
    let rested = Instant::now();
    let flat = |now: u64| now <= memory + memory / 20;
    while !flat(proxy.resident_memory()) && rested.elapsed() < Duration::from_secs(10) {
        std::thread::sleep(Duration::from_millis(100));
    }
    let (after, cached) = (proxy.resident_memory(), cache.size());
    println!(
        "{reloads} reloads, {} requests, {} lost; from rename to effect {:?} (median), {:?} (of 95 %), {:?} (of all); \
         memory {memory} -> {after}; {cached} bytes of code on disk",
        report.sent,
        report.not(200),
        times.percentile(50),
        times.percentile(95),
        times.percentile(100)
    );
    assert!(report.all_were(200), "{report:?}");
    assert!(flat(after), "memory grew from {memory} to {after}");
    assert!(cached < 512 << 20, "{cached} bytes of code are kept");
}
