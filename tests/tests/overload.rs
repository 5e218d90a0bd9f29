//! With more to do than can be done, what matters least is refused first, and said to be.
#![allow(clippy::expect_used, reason = "a test may fail where it stands")]

use serde_json::Value;
use sluicegate_tests::{Behaviour, Load, Options, Proxy, Request, Upstream, sluice, wait_until};
use std::process::Command;
use std::thread;
use std::time::Duration;

/// Long enough for whatever is on its way.
const SOON: Duration = Duration::from_secs(30);

const RULES: &str = "priorities:
  - {priority: critical, paths: [/healthz]}
  - {priority: high, paths: [/checkout]}
  - {priority: low, paths: [/batch]}";

fn document(spec: &str) -> String {
    format!("apiVersion: sluicegate.dev/v1alpha1\nkind: Overload\nmetadata: {{name: overload}}\nspec:\n  {spec}\n")
}

fn proxy(spec: &str, shop: &Upstream) -> Proxy {
    Proxy::start(Options::new().manifest("overload.yaml", document(spec)).upstream("shop", shop.address()))
}

fn status(proxy: &Proxy) -> Value {
    serde_json::from_str(&proxy.ask_admin("/overload").text()).expect("it is JSON")
}

/// How many requests were refused for this.
fn shed(proxy: &Proxy, reason: &str, priority: &str) -> u64 {
    let name = format!("sluicegate_requests_shed_total{{reason=\"{reason}\",priority=\"{priority}\"}} ");
    let metrics = proxy.ask_admin("/metrics").text();
    metrics.lines().find_map(|line| line.strip_prefix(&name)?.parse().ok()).expect("every series is there")
}

#[test]
fn what_matters_more_is_served_at_several_times_what_a_service_can_do() {
    // Eight at a time, 100 ms each: 80 requests in a second.
    let shop = Upstream::with(Behaviour::text("ok").some_at_a_time(8, Duration::from_millis(100)));
    let proxy = proxy(&format!("services: {{adaptive: true}}\n  {RULES}"), &shop);
    let load = |path: &str, per_second| {
        Load::start(proxy.address(), per_second, &Request::get(&format!("http://shop{path}")), Some("retry-after"))
    };
    let calm = load("/checkout", 20);
    wait_until(SOON, || calm.report().sent >= 60);
    let calm = calm.stop();
    // Five times as much.
    let batches: Vec<Load> = (0..4).map(|_| load("/batch", 100)).collect();
    let limit = || status(&proxy)["services"][0]["limit"].as_u64().unwrap_or(u64::MAX);
    // Half of what it begins with: what lets the latency double is above that only for a service far faster than this one.
    wait_until(SOON, || limit() < 50);
    let busy = load("/checkout", 20);
    wait_until(SOON, || busy.report().sent >= 60);
    let busy = busy.stop();
    let batches: Vec<_> = batches.into_iter().map(Load::stop).collect();
    let count = |status| batches.iter().filter_map(|report| report.statuses.get(&status)).sum::<u64>();
    println!(
        "high priority: p99 {:?} calm, {:?} at five times the capacity; low priority: {} served, {} refused, at a limit of {}",
        calm.percentile(99),
        busy.percentile(99),
        count(200),
        count(503),
        limit()
    );
    assert!(calm.all_were(200), "{calm:?}");
    // Where the machine stands still for a moment, what comes then comes at once, and may be too much.
    assert!(busy.failed == 0 && busy.not(200) * 10 <= busy.sent, "{busy:?}");
    assert!(count(503) > count(200) && count(200) > 0, "{} were served, {} refused", count(200), count(503));
    let sent: u64 = batches.iter().map(|report| report.sent).sum();
    assert_eq!(count(200) + count(503), sent);
    let told: u64 = batches.iter().filter_map(|report| report.values.get("1")).sum();
    assert_eq!((told, shed(&proxy, "service", "low")), (count(503), count(503)));
    assert_eq!((shed(&proxy, "service", "high"), shed(&proxy, "service", "normal")), (busy.not(200), 0));
}

#[test]
fn the_fixed_limit_is_filled_by_the_lowest_priority_to_its_share_alone() {
    let shop = Upstream::with(Behaviour::text("ok").after(Duration::from_secs(2)));
    let proxy = proxy(&format!("requests: 10\n  {RULES}"), &shop);
    let statuses = |path: &'static str, times: usize| -> Vec<u16> {
        let url = format!("http://shop{path}");
        let asked: Vec<_> = (0..times)
            .map(|_| {
                let (mut client, request) = (proxy.connect(), Request::get(&url));
                thread::spawn(move || client.send(request).expect("the proxy answers").status)
            })
            .collect();
        asked.into_iter().map(|asked| asked.join().expect("it is asked")).collect()
    };
    thread::scope(|scope| {
        let batches = scope.spawn(|| statuses("/batch", 9));
        wait_until(SOON, || shed(&proxy, "requests", "low") == 3);
        let checkouts = scope.spawn(|| statuses("/checkout", 4));
        let batches = batches.join().expect("they are asked");
        assert_eq!(batches.iter().filter(|status| **status == 200).count(), 6, "{batches:?}");
        assert_eq!(checkouts.join().expect("they are asked"), [200; 4]);
    });
    assert_eq!((shop.arrived(), shed(&proxy, "requests", "high")), (10, 0));
    let record = proxy.wait_for_log("\"sluicegate.shed\"", SOON);
    for part in ["\"sluicegate.shed\":\"requests\"", "\"sluicegate.priority\":\"low\"", "\"url.path\":\"/batch\""] {
        assert!(record.contains(part), "no {part} in {record}");
    }
    // What is served has a priority too.
    proxy.wait_for_log("\"sluicegate.priority\":\"high\"", SOON);
}

#[test]
fn short_memory_refuses_the_lowest_priority_first_and_never_what_is_critical() {
    let shop = Upstream::start();
    let proxy = proxy(RULES, &shop);
    let answered = |path: &str| proxy.get(&format!("http://shop{path}")).status;
    let paths = ["/batch", "/", "/checkout", "/healthz"];
    assert_eq!(paths.map(answered), [200; 4]);
    let limit = |bytes: u64| {
        let generation = || {
            let config = proxy.ask_admin("/config").text();
            serde_json::from_str::<Value>(&config).expect("it is JSON")["generation"].as_u64()
        };
        let before = generation();
        proxy.manifests().replace("overload.yaml", document(&format!("memory: {{limit: '{bytes}'}}\n  {RULES}")));
        wait_until(SOON, || generation() > before);
        wait_until(SOON, || status(&proxy)["memory"]["limit"].as_u64() == Some(bytes));
    };
    // All that there is, and more.
    limit(1 << 20);
    wait_until(SOON, || answered("/checkout") == 503);
    assert_eq!(paths.map(answered), [503, 503, 503, 200]);
    let refused = proxy.get("http://shop/");
    assert_eq!((refused.status, refused.header("retry-after")), (503, Some("1")));
    assert!(refused.text().contains("short of memory"), "{}", refused.text());
    assert_eq!(proxy.ask_admin("/readyz").status, 200, "the admin endpoint is never short of anything");
    let shown = Command::new(sluice())
        .args(["get", "overload", "--admin", &proxy.admin().to_string()])
        .output()
        .expect("it runs");
    let text = String::from_utf8_lossy(&shown.stdout).into_owned();
    assert_eq!((shown.status.code(), text.contains("100 %")), (Some(1), true), "{text}");
    let plenty = proxy.resident_memory() * 4;
    limit(plenty);
    wait_until(SOON, || answered("/batch") == 200);
    proxy.wait_for_log("memory is no longer short", SOON);
    // 93 %: within the third of the way that low priority has to itself, or a little beyond.
    limit(proxy.resident_memory() * 100 / 93);
    wait_until(SOON, || status(&proxy)["priorities"][0]["refused_for_memory"].as_u64().is_some_and(|share| share > 0));
    wait_until(SOON, || answered("/batch") == 503);
    assert_eq!(["/checkout", "/healthz"].map(answered), [200; 2]);
    limit(plenty);
    wait_until(SOON, || answered("/batch") == 200);
    assert_eq!(paths.map(answered), [200; 4]);
    assert_eq!(shed(&proxy, "memory", "critical"), 0);
}

#[test]
fn a_client_that_sends_too_much_is_told_when_to_come_again() {
    let shop = Upstream::start();
    let proxy = proxy("clients: {rate: 5, per: 1m, burst: 4}", &shop);
    let answers: Vec<_> = (0..6).map(|_| proxy.get("http://shop/")).collect();
    let statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
    assert_eq!(statuses, [200, 200, 200, 200, 429, 429]);
    let wait: u64 = answers[4].header("retry-after").and_then(|wait| wait.parse().ok()).expect("it is told");
    assert!((1..=12).contains(&wait), "one more every 12 seconds, not in {wait}");
    assert_eq!((shop.arrived(), shed(&proxy, "client_rate", "normal")), (4, 2));
    assert_eq!(status(&proxy)["clients"], 1);
}

#[test]
fn a_client_has_so_many_requests_at_the_same_time_and_no_more() {
    let shop = Upstream::with(Behaviour::text("ok").after(Duration::from_secs(2)));
    let proxy = proxy("clients: {requests: 2}", &shop);
    let mut statuses: Vec<u16> = thread::scope(|scope| {
        let asked: Vec<_> = (0..5).map(|_| scope.spawn(|| proxy.get("http://shop/").status)).collect();
        asked.into_iter().map(|asked| asked.join().expect("it is asked")).collect()
    });
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 200, 429, 429, 429]);
    assert_eq!(proxy.get("http://shop/").status, 200, "there is room again");
}

#[test]
fn a_bad_document_changes_nothing_and_says_why() {
    let shop = Upstream::start();
    let proxy = proxy("clients: {rate: 1, per: 1h}", &shop);
    assert_eq!(proxy.get("http://shop/").status, 200);
    proxy.manifests().replace("overload.yaml", document("clients: {rate: 0}"));
    proxy.wait_for_log("SG0115", SOON);
    assert_eq!(proxy.get("http://shop/").status, 429);
}
