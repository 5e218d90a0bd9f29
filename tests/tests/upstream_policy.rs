//! Services in trouble: what a DestinationRule and a HealthCheck promise, seen by clients.

use sluicegate_tests::{Behaviour, Load, LoadReport, Options, Proxy, Request, Upstream, sluice, wait_until};
use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

/// How many connections [`Load`] has: so many requests may be on the way at the same time.
const AT_ONCE: u64 = 20;
/// Failures in a row after which the rule below leaves an endpoint out.
const FAILURES: u64 = 3;
const PER_SECOND: u32 = 200;

/// A service of these endpoints, the n-th with the label `version: vN`.
fn service(endpoints: &[SocketAddr]) -> String {
    let one = |(address, number): (&SocketAddr, u32)| {
        format!(
            "    - {{address: {}, ports: {{http: {}}}, labels: {{version: v{number}}}}}\n",
            address.ip(),
            address.port()
        )
    };
    let endpoints: String = endpoints.iter().zip(1..).map(one).collect();
    format!(
        "apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {{name: shop}}\nspec:\n  hosts: [shop.example]\n  \
         resolution: STATIC\n  ports: [{{number: 80, name: http}}]\n  endpoints:\n{endpoints}"
    )
}

fn rule(spec: &str) -> String {
    format!(
        "apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {{name: shop}}\nspec:\n  host: shop.example\n  {spec}\n"
    )
}

fn route(retries: &str, subset: &str) -> String {
    format!(
        "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {{name: shop}}\nspec:\n  hosts: [shop.example]\n  http:\n  \
         - route: [{{destination: {{host: shop.example{subset}}}}}]\n    retries: {retries}\n"
    )
}

const OUTLIERS: &str = "trafficPolicy: {outlierDetection: {consecutive5xxErrors: 3, baseEjectionTime: 60s}}";
const WITH_RETRIES: &str = "{attempts: 3, perTryTimeout: 500ms, retryOn: '5xx,reset,connect-failure'}";
const WITHOUT_RETRIES: &str = "{attempts: 0}";

fn start(endpoints: &[&Upstream], rule_spec: &str, retries: &str) -> Proxy {
    let addresses: Vec<SocketAddr> = endpoints.iter().map(|endpoint| endpoint.address()).collect();
    let options = Options::new().manifest("service.yaml", service(&addresses)).manifest("rule.yaml", rule(rule_spec));
    Proxy::start(options.manifest("route.yaml", route(retries, "")))
}

/// Well for a while, and then like this for ever.
fn turning(into: Behaviour) -> Upstream {
    let well = (0..30).map(|_| Behaviour::text("ok"));
    Upstream::scripted(well.chain([into]))
}

/// Sends until so many requests are answered or lost.
fn load(proxy: &Proxy, requests: u64) -> LoadReport {
    let load = Load::start(proxy.address(), PER_SECOND, &Request::get("http://shop.example/"), None);
    wait_until(Duration::from_mins(1), || load.report().sent >= requests);
    load.stop()
}

fn ways_to_fail() -> [(&'static str, Behaviour); 4] {
    [
        ("500", Behaviour::status(500)),
        ("503", Behaviour::status(503)),
        ("reset", Behaviour::Reset),
        ("hang", Behaviour::text("late").after(Duration::from_secs(30))),
    ]
}

#[test]
fn with_retries_no_idempotent_request_sees_that_an_endpoint_fails() {
    for (name, way) in ways_to_fail() {
        let (bad, good) = (turning(way), [Upstream::start(), Upstream::start(), Upstream::start()]);
        let proxy = start(&[&bad, &good[0], &good[1], &good[2]], OUTLIERS, WITH_RETRIES);
        let report = load(&proxy, 500);
        let tried = bad.arrived() - 30;
        println!(
            "{name:<6} {} requests, {} not answered 200, {tried} tries on the bad endpoint",
            report.sent,
            report.not(200)
        );
        assert!(report.all_were(200), "{name}: {report:?}");
        assert!(tried > 0, "{name}: the endpoint never failed");
        assert!(tried as u64 <= FAILURES + AT_ONCE, "{name}: {tried} tries on an endpoint that fails");
    }
}

#[test]
fn without_retries_only_requests_on_the_failing_endpoint_are_lost() {
    let half = ("half", Behaviour::half("half of this is missing"));
    for (name, way) in ways_to_fail().into_iter().filter(|(name, _)| *name != "hang").chain([half]) {
        let (bad, good) = (turning(way), [Upstream::start(), Upstream::start(), Upstream::start()]);
        let proxy = start(&[&bad, &good[0], &good[1], &good[2]], OUTLIERS, WITHOUT_RETRIES);
        let report = load(&proxy, 500);
        let lost = report.not(200).max(report.failed);
        println!("{name:<6} {} requests, {lost} lost", report.sent);
        assert!(lost > 0, "{name}: the endpoint never failed");
        assert!(lost <= FAILURES + AT_ONCE, "{name}: {report:?}");
    }
}

#[test]
fn a_service_that_dies_is_not_missed_and_its_endpoint_is_shown_as_ejected() {
    let (bad, good) = (turning(Behaviour::Reset), Upstream::start());
    let address = bad.address();
    let proxy = start(&[&bad, &good], OUTLIERS, WITH_RETRIES);
    let load = Load::start(proxy.address(), PER_SECOND, &Request::get("http://shop.example/"), None);
    wait_until(Duration::from_mins(1), || bad.arrived() > 20);
    drop(bad);
    let sent = load.report().sent;
    wait_until(Duration::from_mins(1), || load.report().sent >= sent + 300);
    let report = load.stop();
    println!("dies   {} requests, {} not answered 200", report.sent, report.not(200));
    assert!(report.all_were(200), "{report:?}");
    let endpoints = proxy.ask_admin("/endpoints").json();
    let one = endpoints.as_array().unwrap().iter().find(|one| one["address"] == address.to_string()).unwrap().clone();
    assert_eq!(
        (one["state"].as_str(), one["reason"].as_str()),
        (Some("ejected"), Some("too many 5xx responses in a row"))
    );
    let output =
        Command::new(sluice()).args(["get", "endpoints", "shop", "--admin", &proxy.admin().to_string()]).output();
    let output = output.unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let line = text.lines().find(|line| line.contains(&address.to_string())).unwrap_or_default();
    assert!(line.contains("ejected") && line.contains("too many 5xx responses in a row, back in "), "{text}");
    assert_eq!(output.status.code(), Some(1), "one endpoint is out");
    let metrics = proxy.ask_admin("/metrics").text();
    let out = format!(r#"sluicegate_upstream_endpoint_in{{upstream="shop.example",port="80",endpoint="{address}"}} 0"#);
    assert!(metrics.contains(&out), "{metrics}");
}

#[test]
fn least_request_keeps_clear_of_a_slow_endpoint_where_round_robin_does_not() {
    let p99 = |balancer: &str| {
        let slow = Upstream::with(Behaviour::text("slow").one_at_a_time(Duration::from_millis(50)));
        let fast: Vec<Upstream> = (0..3).map(|_| Upstream::start()).collect();
        let rule = format!("trafficPolicy: {{loadBalancer: {{simple: {balancer}}}}}");
        let proxy = start(&[&slow, &fast[0], &fast[1], &fast[2]], &rule, WITHOUT_RETRIES);
        let report = load(&proxy, 600);
        assert!(report.all_were(200), "{report:?}");
        let times = [50, 90, 99].map(|percent| report.percentile(percent));
        println!(
            "{balancer:<13} p50 {:?}, p90 {:?}, p99 {:?}; {} on the slow one",
            times[0],
            times[1],
            times[2],
            slow.arrived()
        );
        times[2]
    };
    let (round_robin, least_request) = (p99("ROUND_ROBIN"), p99("LEAST_REQUEST"));
    assert!(least_request * 2 < round_robin, "{least_request:?} against {round_robin:?}");
}

#[test]
fn a_service_with_too_much_to_do_says_so() {
    let slow = Upstream::with(Behaviour::text("ok").after(Duration::from_millis(500)));
    let pool = "trafficPolicy: {connectionPool: {tcp: {maxConnections: 1}, http: {http1MaxPendingRequests: 1}}}";
    let proxy = start(&[&slow], pool, WITHOUT_RETRIES);
    let answers: Vec<_> = std::thread::scope(|scope| {
        let send = || proxy.get("http://shop.example/");
        let threads: Vec<_> = (0..5).map(|_| scope.spawn(send)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let served = answers.iter().filter(|answer| answer.status == 200).count();
    let refused: Vec<_> = answers.iter().filter(|answer| answer.status == 503).collect();
    println!("{served} served, {} refused", refused.len());
    assert!(served >= 1 && served + refused.len() == 5 && !refused.is_empty());
    assert!(refused.iter().all(|answer| answer.header("x-envoy-overloaded") == Some("true")));
    assert_eq!(slow.connections(), 1);
}

#[test]
fn a_subset_is_served_by_its_endpoints_and_an_unknown_one_by_nobody() {
    let (one, other) = (Upstream::with(Behaviour::text("one")), Upstream::with(Behaviour::text("other")));
    let subsets = "subsets: [{name: new, labels: {version: v2}}]";
    let proxy = start(&[&one, &other], subsets, WITHOUT_RETRIES);
    proxy.manifests().write("route.yaml", route(WITHOUT_RETRIES, ", subset: new"));
    wait_until(Duration::from_secs(10), || (0..10).all(|_| proxy.get("http://shop.example/").text() == "other"));
    proxy.manifests().write("route.yaml", route(WITHOUT_RETRIES, ", subset: old"));
    wait_until(Duration::from_secs(10), || proxy.get("http://shop.example/").status == 503);
    let answer = proxy.get("http://shop.example/");
    assert_eq!(answer.text(), "shop.example has no subset \"old\": no DestinationRule for it names one\n");
}

#[test]
fn an_endpoint_that_health_checks_find_unwell_gets_no_requests() {
    let sick = Upstream::with(Behaviour::status(500));
    let well = Upstream::start();
    let check = "apiVersion: sluicegate.dev/v1alpha1\nkind: HealthCheck\nmetadata: {name: shop}\nspec:\n  host: shop.example\n  \
                 http: {path: /healthz}\n  interval: 100ms\n  unhealthyThreshold: 2\n";
    let options = Options::new().manifest("service.yaml", service(&[sick.address(), well.address()]));
    let proxy = Proxy::start(options.manifest("check.yaml", check));
    wait_until(Duration::from_secs(10), || proxy.ask_admin("/endpoints").text().contains("unhealthy"));
    assert!((0..20).all(|_| proxy.get("http://shop.example/").status == 200));
    assert!(sick.requests().iter().all(|request| request.target == "/healthz"));
    assert!(proxy.ask_admin("/endpoints").text().contains("/healthz is answered 500"));
}
