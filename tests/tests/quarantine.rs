//! A filter that fails again and again is not called for a while, and who looks sees where it failed.
#![allow(clippy::expect_used, reason = "a test may fail where it stands")]

use serde_json::Value;
use sluicegate_tests::{Answer, Behaviour, Client, Options, Proxy, Request, Upstream, sluice, wait_until};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

/// As many failures in a row as the proxy bears.
const FAILURES: usize = 10;

fn filter(name: &str, spec: &str) -> String {
    format!("apiVersion: sluicegate.dev/v1alpha1\nkind: Filter\nmetadata:\n  name: {name}\nspec: {spec}\n")
}

fn proxy(spec: &str, upstream: &Upstream) -> Proxy {
    let options = Options::new().filter("misbehave").manifest("filter.yaml", filter("misbehave", spec));
    Proxy::start(options.upstream("shop", upstream.address()))
}

fn fail(connection: &mut Client) -> Answer {
    connection.send(Request::get("http://shop/bad").header("x-misbehave", "trap")).expect("an answer")
}

fn state(proxy: &Proxy, name: &str) -> Value {
    let filters = proxy.ask_admin("/filters").json();
    filters.as_array().expect("a list").iter().find(|filter| filter["name"] == name).expect("it is there").clone()
}

fn run(proxy: &Proxy, arguments: &[&str]) -> Output {
    let admin = proxy.admin().to_string();
    Command::new(sluice()).args(arguments).args(["--admin", &admin]).output().expect("it runs")
}

#[test]
fn ten_failures_in_a_row_leave_a_filter_out_until_a_trial_goes_well() {
    let upstream = Upstream::start();
    let proxy = proxy("{quarantine: {pause: 1s}}", &upstream);
    let mut connection = proxy.connect();
    for _ in 0..FAILURES {
        assert_eq!(state(&proxy, "misbehave")["state"], "active");
        assert_eq!(fail(&mut connection).status, 503);
    }
    let began = Instant::now();
    assert_eq!(state(&proxy, "misbehave")["state"], "quarantined");
    assert!(
        proxy
            .ask_admin("/metrics")
            .text()
            .contains(r#"sluicegate_filter_quarantined{filter="misbehave",version="0.1.0"} 1"#)
    );
    // The filter would let it pass, but it is not asked.
    assert_eq!(connection.send(Request::get("http://shop/good")).expect("an answer").status, 503);
    wait_until(Duration::from_secs(10), || {
        connection.send(Request::get("http://shop/good")).is_ok_and(|answer| answer.status == 200)
    });
    println!("served again {:?} after the last failure, with a pause of 1 s", began.elapsed());
    assert!(began.elapsed() >= Duration::from_millis(900), "it was tried at once");
    assert_eq!(state(&proxy, "misbehave")["state"], "active");
    let metrics = proxy.ask_admin("/metrics").text();
    assert!(
        metrics.contains(r#"sluicegate_filter_quarantines_total{filter="misbehave",version="0.1.0"} 1"#),
        "{metrics}"
    );
    assert!(metrics.contains(r#"phase="request",result="quarantined"}"#), "{metrics}");
}

#[test]
fn while_it_is_left_out_an_open_filter_lets_requests_pass() {
    let headers = vec![("x-own".to_owned(), "kept".to_owned())];
    let upstream = Upstream::with(Behaviour::Answer { status: 418, headers, body: "short and stout".into() });
    let proxy = proxy("{failure: open, quarantine: {failures: 3, pause: 1m}}", &upstream);
    let mut connection = proxy.connect();
    for _ in 0..6 {
        let answer = fail(&mut connection);
        assert_eq!((answer.status, answer.header("x-own")), (418, Some("kept")), "as the service answered");
        assert_eq!(answer.text(), "short and stout");
    }
    let listed = run(&proxy, &["filter", "list"]);
    let text = String::from_utf8_lossy(&listed.stdout);
    assert!(text.contains("misbehave: in quarantine for its failures, tried again in"), "{text}");
    assert_eq!(listed.status.code(), Some(1));
}

#[test]
fn an_explanation_is_no_trial() {
    let upstream = Upstream::start();
    let proxy = proxy("{quarantine: {failures: 2, pause: 100ms}}", &upstream);
    let mut connection = proxy.connect();
    (0..2).for_each(|_| assert_eq!(fail(&mut connection).status, 503));
    // Its trial is due.
    wait_until(Duration::from_secs(10), || state(&proxy, "misbehave")["quarantine"]["tried_in"] == 0);
    for request in [&["http://shop/bad", "-H", "x-misbehave: trap"][..], &["http://shop/good"]] {
        let explained = run(&proxy, &[&["explain"], request].concat());
        assert_eq!(state(&proxy, "misbehave")["state"], "quarantined", "{explained:?}");
    }
    assert_eq!(state(&proxy, "misbehave")["quarantine"]["times"], 1, "nor a failed one");
}

#[test]
fn a_filter_that_decides_on_every_other_request_is_never_left_out() {
    let upstream = Upstream::start();
    let proxy = proxy("{}", &upstream);
    let mut connection = proxy.connect();
    for _ in 0..FAILURES * 3 {
        assert_eq!(fail(&mut connection).status, 503);
        assert_eq!(connection.send(Request::get("http://shop/good")).expect("an answer").status, 200);
    }
}

#[test]
fn a_filter_that_decides_what_cannot_be_carried_out_is_left_out() {
    let upstream = Upstream::start();
    let spec =
        "{grants: {call: [shop]}, quarantine: {failures: 3, pause: 1h, longest: 1h}, failureAnswer: {status: 429}}";
    let proxy = proxy(spec, &upstream);
    for _ in 0..3 {
        assert_eq!(state(&proxy, "misbehave")["state"], "active");
        assert_eq!(proxy.send(endless()).status, 429);
    }
    assert_eq!(state(&proxy, "misbehave")["state"], "quarantined");
    let traps = proxy.ask_admin("/filters/traps?filter=misbehave").json();
    let trap = &traps[0]["reports"][0];
    assert_eq!((&trap["kind"], &trap["message"]), (&"limit".into(), &"it gathers more than 8 times".into()), "{trap}");
}

#[test]
fn requests_go_on_without_an_open_filter_whose_decision_cannot_be_carried_out() {
    let upstream = Upstream::start();
    let proxy = proxy("{grants: {call: [shop]}, failure: open, quarantine: {failures: 3, pause: 1h}}", &upstream);
    for number in 1..=4 {
        let answer = proxy.send(endless().header("x-number", &number.to_string()));
        assert_eq!(answer.status, 200, "{}", answer.text());
        let last = upstream.requests().pop().expect("a request");
        assert_eq!((last.header("x-number"), last.header("x-misbehave").is_some()), (Some(number.to_string()), true));
    }
    assert_eq!(state(&proxy, "misbehave")["state"], "quarantined");
    // Each of three requests was composed of eight calls first.
    assert_eq!(upstream.arrived(), 3 * 9 + 1);
}

fn endless() -> Request {
    Request::get("http://shop/").header("x-misbehave", "gather-forever")
}

#[test]
fn an_operator_lets_it_in_at_once() {
    let upstream = Upstream::start();
    let proxy = proxy("{quarantine: {failures: 2, pause: 1h, longest: 1h}}", &upstream);
    let mut connection = proxy.connect();
    (0..2).for_each(|_| assert_eq!(fail(&mut connection).status, 503));
    assert_eq!(proxy.get("http://shop/good").status, 503);
    let enabled = run(&proxy, &["filter", "enable", "misbehave"]);
    assert_eq!(String::from_utf8_lossy(&enabled.stdout), "misbehave: it is called again\n");
    assert_eq!(proxy.get("http://shop/good").status, 200);
    let unknown = run(&proxy, &["filter", "enable", "nobody"]);
    assert_eq!(unknown.status.code(), Some(1));
}

#[test]
fn a_chosen_answer_takes_the_place_of_503() {
    let upstream = Upstream::start();
    let spec = r#"{failureAnswer: {status: 429, body: '{"later":true}', contentType: application/json}}"#;
    let proxy = proxy(spec, &upstream);
    let answer = fail(&mut proxy.connect());
    assert_eq!((answer.status, answer.text().as_str()), (429, r#"{"later":true}"#));
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(upstream.arrived(), 0);
}

#[test]
fn a_trap_is_shown_with_functions_lines_and_the_request() {
    let upstream = Upstream::start();
    let proxy = proxy("{}", &upstream);
    fail(&mut proxy.connect());
    let request = proxy.wait_for_log("\"error.type\":\"filter_failed\"", Duration::from_secs(5));
    let traps = proxy.ask_admin("/filters/traps?filter=misbehave").json();
    let trap = &traps[0]["reports"][0];
    assert_eq!((&traps[0]["failures"], &trap["kind"], &trap["hook"]), (&1.into(), &"trap".into(), &"request".into()));
    assert!(trap["message"].as_str().is_some_and(|message| message.contains("told to")), "{trap}");
    let id = trap["request"].as_str().expect("an id");
    assert!(request.contains(id), "{id} is not in {request}");
    let named = |frame: &Value| frame["function"].as_str().is_some_and(|name| name.contains("on_request"));
    assert!(trap["frames"].as_array().expect("a list").iter().any(named), "{trap:#}");
    let printed = run(&proxy, &["filter", "traps", "misbehave"]);
    let text = String::from_utf8_lossy(&printed.stdout);
    assert!(text.starts_with("misbehave 0.1.0 (") && text.contains(": 1 failure\n"), "{text}");
    assert_eq!(printed.status.code(), Some(1));
    let none = run(&proxy, &["filter", "traps", "router"]);
    assert_eq!((none.status.code(), &none.stdout[..]), (Some(0), &b"no filter has failed\n"[..]));
    for shown in ["traps", "history"] {
        let unknown = run(&proxy, &["filter", shown, "routre"]);
        let said = String::from_utf8_lossy(&unknown.stderr);
        assert_eq!(unknown.status.code(), Some(1), "{said}");
        assert!(said.contains("no filter `routre`") && said.contains("did you mean `router`?"), "{said}");
    }
}

#[test]
fn a_component_with_debug_information_shows_source_lines() {
    let upstream = Upstream::start();
    let proxy = Proxy::start(Options::new().upstream("shop", upstream.address()));
    let component = std::fs::read(sluicegate_tests::test_filter("fickle")).expect("it was built");
    proxy.filters().replace("fickle.wasm", sluicegate_tests::rewritten(&component, "FICKLE:=", "broken"));
    wait_until(Duration::from_secs(20), || proxy.get("http://shop/").status == 503);
    let traps = proxy.ask_admin("/filters/traps?filter=fickle").json();
    let frames = traps[0]["reports"][0]["frames"].as_array().expect("a list").clone();
    let place = |frame: &Value| frame["place"].as_str().is_some_and(|place| place.contains("fickle/src/lib.rs:"));
    assert!(frames.iter().any(place), "{frames:#?}");
}

#[test]
fn with_a_fresh_instance_for_each_request_nothing_is_left_of_the_one_before() {
    let upstream = Upstream::start();
    let calls = |spec: &str| {
        let options = Options::new().filter("fickle").manifest("filter.yaml", filter("fickle", spec));
        let proxy = Proxy::start(options.upstream("shop", upstream.address()));
        let mut connection = proxy.connect();
        [(); 6].map(|()| {
            let answer = connection.send(Request::get("http://shop/")).expect("an answer");
            answer.header("x-calls").expect("the filter says").parse::<u32>().expect("a number")
        })
    };
    assert_eq!(calls("{isolation: warm}"), [1, 2, 3, 4, 5, 6], "a warm instance remembers, so the test can tell");
    assert_eq!(calls("{isolation: request}"), [1; 6]);
    assert_eq!(calls("{recycle: {calls: 2}}"), [1, 2, 1, 2, 1, 2]);
    // Its memory has grown beyond this with the first call.
    assert_eq!(calls("{recycle: {memory: 64KiB}}"), [1; 6]);
}

#[test]
fn a_filter_that_leaks_is_replaced_before_it_fails_a_request() {
    let upstream = Upstream::start();
    let component = std::fs::read(sluicegate_tests::test_filter("fickle")).expect("it was built");
    let options = Options::new().manifest("filter.yaml", filter("leaky", "{memory: 16MiB}"));
    let proxy = Proxy::start(options.upstream("shop", upstream.address()));
    proxy.filters().replace("leaky.wasm", sluicegate_tests::rewritten(&component, "FICKLE:=", "leaks"));
    wait_until(Duration::from_secs(20), || proxy.get("http://shop/").header("x-fickle") == Some("leaks"));
    let mut connection = proxy.connect();
    let calls = (0..64).map(|_| {
        let answer = connection.send(Request::get("http://shop/")).expect("an answer");
        assert_eq!(answer.status, 200);
        answer.header("x-calls").expect("the filter says").parse::<u32>().expect("a number")
    });
    let calls: Vec<u32> = calls.collect();
    assert!(calls.iter().filter(|calls| **calls == 1).count() >= 4, "it was replaced: {calls:?}");
}

#[test]
fn an_old_instance_is_replaced_behind_the_requests() {
    let upstream = Upstream::start();
    let options = Options::new().filter("fickle").manifest("filter.yaml", filter("fickle", "{recycle: {age: 1s}}"));
    let proxy = Proxy::start(options.upstream("shop", upstream.address()));
    let calls = || proxy.get("http://shop/").header("x-calls").map(str::to_owned);
    assert_eq!(calls().as_deref(), Some("1"));
    assert_eq!(calls().as_deref(), Some("2"));
    wait_until(Duration::from_secs(10), || calls().as_deref() == Some("1"));
}
