//! A filter without documents of its kinds is not asked about requests, and is once there are some.
#![allow(clippy::expect_used, reason = "a test may fail where it stands")]

use serde_json::json;
use sluicegate_tests::{Behaviour, Eventing, Options, Proxy, Request, Upstream, sluice, wait_until};
use std::process::Command;
use std::time::Duration;

const SOON: Duration = Duration::from_secs(10);

const ROUTE: &str = "
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: shop}
spec:
  hosts: [shop]
  http:
  - match: [{uri: {prefix: /both}}]
    route:
    - destination: {host: order}
    - destination: {host: stock}
  - route:
    - destination: {host: order}
";

/// How often a filter was called.
fn calls(proxy: &Proxy, filter: &str) -> u64 {
    let (metrics, label) = (proxy.ask_admin("/metrics").text(), format!("filter=\"{filter}\""));
    let lines =
        metrics.lines().filter(|line| line.starts_with("sluicegate_filter_calls_total{") && line.contains(&label));
    lines.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum()
}

fn all(proxy: &Proxy) -> [u64; 3] {
    ["router", "composer", "bridge"].map(|filter| calls(proxy, filter))
}

#[test]
fn a_request_asks_only_those_filters_that_have_documents_or_what_an_earlier_one_left_to_them() {
    let service = || Upstream::with(Behaviour::json(&json!(1)));
    let (order, stock) = (service(), service());
    let options = Options::new().manifest("route.yaml", ROUTE).upstream("order", order.address());
    let proxy = Proxy::start(options.upstream("stock", stock.address()));
    assert_eq!(proxy.get("http://shop/").text(), "1");
    assert_eq!(all(&proxy), [1, 0, 0]);
    assert_eq!(proxy.get("http://shop/both").text(), r#"{"order":1,"stock":1}"#);
    assert_eq!(all(&proxy), [2, 1, 0], "the composer, for what the router left to it");

    let event = || Request::post("http://orders/", "{}").header("ce-specversion", "1.0").header("ce-id", "1");
    let event = || event().header("ce-type", "t").header("ce-source", "/s").header("content-type", "application/json");
    assert_eq!(proxy.send(event()).status, 404);
    proxy.manifests().write("events.yaml", Eventing::new().channel("orders").to_string());
    wait_until(SOON, || proxy.send(event()).status == 202);
    assert!(calls(&proxy, "bridge") > 0, "it has a channel now");
}

#[test]
fn explain_says_which_filters_are_not_asked() {
    let proxy = Proxy::start(Options::new().manifest("route.yaml", ROUTE));
    let mut command = Command::new(sluice());
    let explained = command.args(["explain", "--admin", &proxy.admin().to_string(), "http://shop/"]).output();
    let said = String::from_utf8_lossy(&explained.expect("it can be run").stdout).into_owned();
    assert_eq!(said.matches("not asked").count(), 1, "the bridge; the composer is not reached:\n{said}");
}
