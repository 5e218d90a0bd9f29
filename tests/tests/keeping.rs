//! Capabilities `store` and `metrics`: what a filter keeps with the proxy is its own, bounded, the same for all workers, and there
//! for its next version.
#![allow(clippy::expect_used, reason = "a test may fail where it stands")]

use sluicegate_tests::{Client, Options, Proxy, Request, Upstream, rewritten, sluice, test_filter, wait_until};
use std::fs;
use std::process::Command;
use std::time::Duration;

/// For a change to be in force, on a busy machine.
const SOON: Duration = Duration::from_secs(30);
/// Longer than a deleted file's filter serves on.
const GONE: Duration = Duration::from_mins(1);

fn policy(name: &str, spec: &str) -> String {
    format!("apiVersion: sluicegate.dev/v1alpha1\nkind: Filter\nmetadata:\n  name: {name}\nspec: {spec}\n")
}

/// A proxy with a filter that does as it is told, under two names.
fn keeping(limits: &str, upstream: &Upstream) -> Proxy {
    let spec = format!("{{capabilities: [store, metrics], deadline: 1s, limits: {{requestTime: 5s{limits}}}}}");
    let options = Options::new().filter("keeper").manifest("keeper.yaml", policy("keeper", &spec)).workers(2);
    Proxy::start(options.upstream("shop", upstream.address()))
}

fn does(connection: &mut Client, told: &str) -> String {
    let answer = connection.send(Request::get("http://shop/").header("x-do", told)).expect("an answer");
    assert_eq!(answer.status, 200, "{told}");
    answer.header("x-did").unwrap_or_default().to_owned()
}

/// The value of a line of the metrics; none where there is no such line.
fn metric(proxy: &Proxy, line: &str) -> Option<f64> {
    let text = proxy.ask_admin("/metrics").text();
    let rest = text.lines().find_map(|found| found.strip_prefix(line)?.strip_prefix(' '))?;
    Some(rest.parse().expect("a number"))
}

fn refusals(proxy: &Proxy, limit: &str) -> Option<f64> {
    metric(proxy, &format!(r#"sluicegate_filter_refusals_total{{filter="keeper",version="0.1.0",limit="{limit}"}}"#))
}

#[test]
fn metrics_of_a_filter_are_shown_with_its_name_and_its_labels() {
    let upstream = Upstream::start();
    let proxy = keeping("", &upstream);
    let mut connection = proxy.connect();
    for told in ["count visits", "count visits lamp", "count visits lamp", "gauge level -1.5", "observe size 5"] {
        assert_eq!(does(&mut connection, told), "ok", "{told}");
    }
    for (line, value) in [
        (r#"counter_visits_total{filter="keeper"}"#, 1.0),
        (r#"counter_visits_total{filter="keeper",value="lamp"}"#, 2.0),
        (r#"gauge_level{filter="keeper"}"#, -1.5),
        (r#"histogram_size_bucket{le="1.0",filter="keeper"}"#, 0.0),
        (r#"histogram_size_bucket{le="10.0",filter="keeper"}"#, 1.0),
        (r#"histogram_size_sum{filter="keeper"}"#, 5.0),
    ] {
        assert_eq!(metric(&proxy, &format!("sluicegate_filter_custom_{line}")), Some(value), "{line}");
    }
    for told in ["count no-name", "count visits_total", &format!("count visits {}", "v".repeat(129))] {
        assert_eq!(does(&mut connection, told), "invalid", "{told}");
    }
    assert_eq!(refusals(&proxy, "metric-names"), Some(3.0));
}

#[test]
fn a_filter_has_no_more_series_than_it_may_and_what_is_over_is_counted() {
    let upstream = Upstream::start();
    let proxy = keeping(", metricSeries: 10", &upstream);
    let mut connection = proxy.connect();
    assert_eq!(does(&mut connection, "flood 100"), "10 full");
    assert_eq!(does(&mut connection, "count visits"), "full");
    assert_eq!(does(&mut connection, "flood 10"), "10", "those that are there stay");
    assert_eq!(refusals(&proxy, "metric-series"), Some(2.0));
    let metrics = proxy.ask_admin("/metrics").text();
    assert_eq!(metrics.matches("sluicegate_filter_custom_counter_flood_total{").count(), 10, "{metrics}");
}

#[test]
fn all_workers_and_the_next_version_have_the_same_store_and_metrics_and_both_go_with_the_filter() {
    let upstream = Upstream::start();
    let proxy = keeping("", &upstream);
    let mut connections: Vec<Client> = (0..8).map(|_| proxy.connect()).collect();
    for (number, connection) in (1..).zip(&mut connections) {
        assert_eq!(does(connection, "increment visits"), format!("{number}"));
        assert_eq!(does(connection, "count visits"), "ok");
    }
    let component = fs::read(test_filter("keeper")).expect("it is built");
    proxy.filters().replace("keeper.wasm", rewritten(&component, "KEEPER:=", "second"));
    wait_until(SOON, || proxy.get("http://shop/").header("x-keeper") == Some("second"));
    for (number, connection) in (9..).zip(&mut connections) {
        assert_eq!(does(connection, "increment visits"), format!("{number}"));
    }
    let visits = r#"sluicegate_filter_custom_counter_visits_total{filter="keeper"}"#;
    assert_eq!(metric(&proxy, visits), Some(8.0));
    assert_eq!(metric(&proxy, r#"sluicegate_filter_store_keys{filter="keeper"}"#), Some(1.0));
    proxy.filters().remove("keeper.wasm");
    wait_until(GONE, || metric(&proxy, visits).is_none());
    assert_eq!(metric(&proxy, r#"sluicegate_filter_store_keys{filter="keeper"}"#), None);
    proxy.filters().replace("keeper.wasm", component);
    wait_until(SOON, || proxy.get("http://shop/").header("x-keeper") == Some("first"));
    assert_eq!(does(&mut proxy.connect(), "get visits"), "none");
}

#[test]
fn a_full_store_says_so_and_what_has_expired_makes_room() {
    let upstream = Upstream::start();
    let proxy = keeping(", storeKeys: 20, storeBytes: 8KiB", &upstream);
    let mut connection = proxy.connect();
    assert_eq!(does(&mut connection, "set short x 50"), "ok");
    assert_eq!(does(&mut connection, "fill 19 10"), "19");
    let refused = does(&mut connection, "set other x");
    // On a slow machine the short one may have expired by now.
    assert!(refused == "keys" || does(&mut connection, "get short") == "none", "{refused}");
    wait_until(SOON, || does(&mut connection, "get short") == "none");
    assert_eq!(does(&mut connection, "set other x"), "ok");
    assert_eq!(does(&mut connection, "set one-more x"), "keys");
    assert_eq!(does(&mut connection, &format!("set other {}", "x".repeat(6_000))), "bytes");
    assert_eq!(does(&mut connection, "get other"), "x", "what is refused changes nothing");
    assert_eq!(does(&mut connection, &format!("get {}", "k".repeat(2_000))), "none");
    assert_eq!(does(&mut connection, &format!("set {} x", "k".repeat(1_025))), "key");
    assert!(refusals(&proxy, "store-keys").is_some_and(|count| count >= 1.0));
    assert_eq!(refusals(&proxy, "store-bytes"), Some(2.0));
}

#[test]
fn a_swap_that_comes_too_late_is_told_what_is_there() {
    let upstream = Upstream::start();
    let proxy = keeping("", &upstream);
    let (mut one, mut other) = (proxy.connect(), proxy.connect());
    assert_eq!(does(&mut one, "swap key 0 first"), "ok");
    assert_eq!(does(&mut other, "swap key 0 second"), "changed first");
    let version = does(&mut other, "version key");
    assert_eq!(does(&mut other, &format!("swap key {version} second")), "ok");
    assert_eq!(does(&mut one, &format!("swap key {version} third")), "changed second");
    assert_eq!(does(&mut one, "delete key"), "true");
    assert_eq!(does(&mut one, &format!("swap key {version} third")), "changed none");
}

#[test]
fn connections_that_count_at_the_same_time_lose_nothing() {
    const EACH: usize = 500;
    let upstream = Upstream::start();
    let proxy = keeping("", &upstream);
    std::thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| {
                let mut connection = proxy.connect();
                (0..EACH).for_each(|_| assert_ne!(does(&mut connection, "increment visits"), ""));
            });
        }
    });
    assert_eq!(does(&mut proxy.connect(), "get visits"), (6 * EACH).to_string());
}

#[test]
fn neither_is_to_be_had_without_a_grant() {
    for granted in ["metrics", "store"] {
        let spec = format!("{{capabilities: [{granted}]}}");
        let options = Options::new().filter("keeper").manifest("keeper.yaml", policy("keeper", &spec));
        let said = Proxy::try_start(options).expect_err("it is refused");
        let missing = if granted == "store" { "metrics" } else { "store" };
        let advice = format!("which is not granted: add `capabilities: [{missing}]` to its Filter document");
        assert!(said.contains(&format!("it wants capability {missing} (")) && said.contains(&advice), "{said}");
    }
}

#[test]
fn a_quota_holds_over_all_workers_and_ends_with_its_window() {
    let upstream = Upstream::start();
    let spec = "{capabilities: [store, metrics], settings: {requests: 5, seconds: 3}}";
    let options = Options::new().filter("quota").manifest("quota.yaml", policy("quota", spec)).workers(2);
    let proxy = Proxy::start(options.upstream("shop", upstream.address()));
    let ask = |key: &str| proxy.send(Request::get("http://shop/").header("x-api-key", key));
    let statuses: Vec<u16> = (0..8).map(|_| ask("mine").status).collect();
    assert_eq!(statuses, [200, 200, 200, 200, 200, 429, 429, 429]);
    assert_eq!((ask("other").status, proxy.get("http://shop/").status), (200, 401));
    assert!(ask("mine").header("retry-after").is_some_and(|seconds| seconds.parse::<u64>().is_ok()));
    wait_until(SOON, || ask("mine").status == 200);
    let passed = r#"sluicegate_filter_custom_counter_requests_total{filter="quota",result="passed"}"#;
    assert_eq!(metric(&proxy, passed), Some(7.0));
}

#[test]
fn a_shadow_and_an_explanation_read_what_is_kept_and_change_nothing() {
    let upstream = Upstream::start();
    let spec = "{capabilities: [store, metrics], rollout: {shadow: {share: 100%, requests: 100000}}}";
    let options = Options::new().filter("keeper").manifest("keeper.yaml", policy("keeper", spec));
    let proxy = Proxy::start(options.upstream("shop", upstream.address()));
    let component = fs::read(test_filter("keeper")).expect("it is built");
    proxy.filters().replace("keeper.wasm", rewritten(&component, "KEEPER:=", "second"));
    let history = || proxy.ask_admin("/filters/history?filter=keeper").text();
    wait_until(SOON, || history().contains("shadow"));
    let mut connection = proxy.connect();
    for number in 1..=50 {
        assert_eq!(does(&mut connection, "increment visits"), number.to_string());
        assert_eq!(does(&mut connection, "count visits"), "ok");
    }
    let visits = r#"sluicegate_filter_custom_counter_visits_total{filter="keeper"}"#;
    for told in ["increment visits", "flood 256"] {
        let explained = Command::new(sluice())
            .args(["explain", "http://shop/", "-H", &format!("x-do: {told}"), "--admin", &proxy.admin().to_string()])
            .output()
            .expect("it runs");
        assert!(explained.status.success(), "{explained:?}");
    }
    assert_eq!(does(&mut connection, "get visits"), "50");
    assert_eq!(metric(&proxy, visits), Some(50.0));
    assert_eq!(does(&mut connection, "flood 255"), "255", "all series but one are there to be had");
}
