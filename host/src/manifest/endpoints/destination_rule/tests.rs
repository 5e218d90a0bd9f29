//! Rules against a registry of three services.

use super::super::tests::registry_of;
use crate::upstream::policy::{
    Balancing, ConnectionPool, HashKey, HashTable, Http2Upgrade, OutlierDetection, Policy, RetryBudget,
};
use crate::upstream::registry::Registry;
use crate::wasm::types::Destination;
use std::time::Duration;

pub(super) const SERVICES: &str = "\
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: services}
spec:
  hosts: [shop.default.svc.cluster.local, cart.store.svc.cluster.local, api.example.com]
  resolution: STATIC
  ports: [{number: 80, name: http}, {number: 81, name: admin}]
  endpoints: [{address: 10.0.0.1, labels: {version: v1}}, {address: 10.0.0.2, labels: {version: v2}}]
";

/// A rule on its own first line, so that places are `LINE:COLUMN` of the spec from line 14 on.
pub(super) fn rule(name: &str, namespace: &str, spec: &str) -> String {
    format!(
        "---\napiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {{name: {name}, namespace: {namespace}}}\nspec: {spec}\n"
    )
}

fn with(rules: &[String]) -> (Registry, Vec<String>) {
    registry_of(&(SERVICES.to_owned() + &rules.concat()))
}

pub(super) fn policy(registry: &Registry, host: &str, port: u16, subset: Option<&str>) -> Policy {
    let destination = Destination { host: host.into(), port: Some(port), subset: subset.map(str::to_owned) };
    registry.resolve(&destination).unwrap().policy().clone()
}

#[test]
fn every_field_comes_to_what_it_says() {
    let spec = "{host: shop, trafficPolicy: {
      loadBalancer: {consistentHash: {httpHeaderName: x-user, maglev: {tableSize: 101}}},
      connectionPool: {
        tcp: {maxConnections: 10, connectTimeout: 1.5s, maxConnectionDuration: 1h, idleTimeout: 5m, tcpKeepalive: {probes: 3, time: 60s}},
        http: {http1MaxPendingRequests: 2, http2MaxRequests: 20, maxRequestsPerConnection: 100, maxRetries: 4, idleTimeout: 20s,
        maxConcurrentStreams: 50, h2UpgradePolicy: UPGRADE}},
      outlierDetection: {consecutive5xxErrors: 0, consecutiveGatewayErrors: 2, interval: 1s, baseEjectionTime: 2s, maxEjectionPercent: 50,
        minHealthPercent: 30, splitExternalLocalOriginErrors: true, consecutiveLocalOriginFailures: 7},
      retryBudget: {percent: 30, minRetryConcurrency: 5}}}";
    let (registry, findings) = with(&[rule("a", "default", spec)]);
    assert_eq!(findings, [""; 0]);
    let policy = policy(&registry, "shop", 80, None);
    let header = http::HeaderName::from_static("x-user");
    assert_eq!(policy.balancer, Balancing::Hash(HashKey::Header(header), HashTable::Maglev(101)));
    let seconds = Duration::from_secs;
    let keepalive = policy.pool.keepalive;
    assert_eq!((keepalive.unwrap().probes, keepalive.unwrap().time), (Some(3), Some(seconds(60))));
    let expected = ConnectionPool {
        max_connections: Some(10),
        connect_timeout: Some(Duration::from_millis(1500)),
        keepalive,
        max_duration: Some(seconds(3600)),
        idle_timeout: Some(seconds(20)),
        max_pending: Some(2),
        max_requests: Some(20),
        max_requests_per_connection: Some(100),
        max_retries: Some(4),
        max_streams: Some(50),
        http2_upgrade: Http2Upgrade::Always,
    };
    assert_eq!(policy.pool, expected);
    let expected = OutlierDetection {
        server_errors: None,
        gateway_errors: Some(2),
        split_local: true,
        local_failures: Some(7),
        interval: seconds(1),
        base_ejection: seconds(2),
        max_ejection_percent: 50,
        min_health_percent: 30,
    };
    assert_eq!(policy.outlier, Some(expected));
    assert_eq!(policy.retry_budget, Some(RetryBudget { percent: 30.0, minimum: 5 }));
}

#[test]
fn without_a_rule_or_with_an_empty_block_defaults_are_istios() {
    let (registry, findings) = with(&[rule("a", "default", "{host: shop, trafficPolicy: {outlierDetection: {}}}")]);
    assert_eq!(findings, [""; 0]);
    let shop = policy(&registry, "shop", 80, None);
    assert_eq!(shop, Policy { outlier: Some(OutlierDetection::default()), ..Policy::default() });
    assert_eq!(policy(&registry, "api.example.com", 80, None).balancer, Balancing::LeastRequest);
}

#[test]
fn ports_replace_the_whole_and_subsets_override_field_by_field() {
    let spec = "{host: shop, trafficPolicy: {
      loadBalancer: {simple: RANDOM}, connectionPool: {tcp: {maxConnections: 1}},
      portLevelSettings: [{port: {number: 81}, loadBalancer: {simple: ROUND_ROBIN}}]},
      subsets: [{name: v1, labels: {version: v1}, trafficPolicy: {connectionPool: {tcp: {maxConnections: 2}}}},
        {name: v2, labels: {version: v2}, trafficPolicy: {connectionPool: {tcp: {maxConnections: 3}},
          portLevelSettings: [{port: {number: 81}, outlierDetection: {}}]}}]}";
    let (registry, findings) = with(&[rule("a", "default", spec)]);
    assert_eq!(findings, [""; 0]);
    let of = |port, subset| {
        let Policy { balancer, pool, outlier, .. } = policy(&registry, "shop", port, subset);
        (balancer, pool.max_connections, outlier.is_some())
    };
    assert_eq!(of(80, None), (Balancing::Random, Some(1), false));
    assert_eq!(of(81, None), (Balancing::RoundRobin, None, false), "a port does not inherit");
    assert_eq!(of(80, Some("v1")), (Balancing::Random, Some(2), false));
    assert_eq!(of(81, Some("v1")), (Balancing::RoundRobin, Some(2), false));
    assert_eq!(of(81, Some("v2")), (Balancing::LeastRequest, None, true), "a subset's port does not inherit");
}

#[test]
fn a_subset_has_the_endpoints_with_its_labels_and_an_unknown_one_is_an_error() {
    let spec =
        "{host: shop, subsets: [{name: v1, labels: {version: v1}}, {name: v3, labels: {version: v3}}, {name: all}]}";
    let (registry, findings) = with(&[rule("a", "default", spec)]);
    assert_eq!(findings.len(), 1, "{findings:?}");
    assert!(findings[0].starts_with("a.yaml:13:76: warning[SG0527]: subset `v3` has no endpoints"), "{findings:?}");
    let addresses = |subset: &str| {
        let destination = Destination { host: "shop".into(), port: Some(80), subset: Some(subset.into()) };
        let cluster = registry.resolve(&destination)?;
        Ok::<_, crate::error::RequestError>(
            cluster.members().iter().map(|member| member.endpoint.address.ip().to_string()).collect::<Vec<_>>(),
        )
    };
    assert_eq!(addresses("v1").unwrap(), ["10.0.0.1"]);
    assert_eq!(addresses("all").unwrap(), ["10.0.0.1", "10.0.0.2"]);
    assert!(addresses("v3").unwrap().is_empty());
    let error = addresses("v9").unwrap_err();
    assert_eq!(error.status(), 503);
    assert_eq!(error.to_string(), "shop has no subset \"v9\": no DestinationRule for it names one");
}

#[test]
fn the_most_exact_host_of_the_nearest_namespace_wins() {
    let simple = |name: &str, namespace: &str, host: &str, most: u32| {
        rule(
            name,
            namespace,
            &format!("{{host: '{host}', trafficPolicy: {{connectionPool: {{tcp: {{maxConnections: {most}}}}}}}}}"),
        )
    };
    let (registry, findings) = with(&[
        simple("a", "default", "*.cluster.local", 1),
        simple("b", "default", "*.default.svc.cluster.local", 2),
        simple("c", "istio-system", "*", 3),
        simple("d", "store", "cart", 4),
        simple("e", "istio-system", "shop.default.svc.cluster.local", 5),
    ]);
    let most = |host: &str| policy(&registry, host, 80, None).pool.max_connections;
    assert_eq!(
        most("shop"),
        Some(2),
        "the proxy's own namespace before the root's, the longer suffix before the shorter"
    );
    assert_eq!(most("cart.store"), Some(1), "the proxy's own namespace before the service's");
    assert_eq!(most("api.example.com"), Some(3));
    assert_eq!(findings.len(), 2, "{findings:?}");
    assert!(findings.iter().all(|found| found.contains("warning[SG0525]: the rule does not reach")), "{findings:?}");
}

#[test]
fn rules_for_one_host_add_their_subsets_and_the_first_policy_counts() {
    let first =
        "{host: shop, trafficPolicy: {loadBalancer: {simple: RANDOM}}, subsets: [{name: v1, labels: {version: v1}}]}";
    let second = "{host: shop.default.svc.cluster.local, trafficPolicy: {loadBalancer: {simple: ROUND_ROBIN}}, subsets: [{name: v1}, {name: v2, labels: {version: v2}}]}";
    let (registry, findings) = with(&[rule("a", "default", first), rule("b", "default", second)]);
    assert_eq!(policy(&registry, "shop", 80, None).balancer, Balancing::Random);
    assert_eq!(policy(&registry, "shop", 80, Some("v2")).balancer, Balancing::Random);
    let destination = Destination { host: "shop".into(), port: Some(80), subset: Some("v1".into()) };
    assert_eq!(registry.resolve(&destination).unwrap().members().len(), 1, "the first v1 counts");
    assert_eq!(findings.len(), 2, "{findings:?}");
    let message = "counts instead | put what is for one host into one rule";
    assert!(findings.iter().all(|found| found.contains("SG0526") && found.ends_with(message)), "{findings:?}");
}

#[test]
fn rules_that_are_not_for_this_proxy_have_no_effect() {
    let policy_text = "trafficPolicy: {loadBalancer: {simple: RANDOM}}";
    for more in ["exportTo: [store]", "workloadSelector: {matchLabels: {app: x}}"] {
        let (registry, findings) = with(&[rule("a", "default", &format!("{{host: shop, {more}, {policy_text}}}"))]);
        assert_eq!(policy(&registry, "shop", 80, None), Policy::default(), "{more}");
        assert!(findings.iter().any(|found| found.contains("SG0525")), "{findings:?}");
    }
}

#[test]
fn what_is_wrong_is_said_at_its_place() {
    let table = [
        ("{host: shop, trafficPolicy: {}}", "13:20: error[SG0520]: the traffic policy says nothing"),
        ("{host: shop, trafficPolicy: {portLevelSettings: [{port: {number: 80}}]}}", "13:56: error[SG0520]"),
        ("{host: shop, trafficPolicy: {loadBalancer: {simple: BEST}}}", "13:59: error[SG0113]: expected one of"),
        ("{host: shop, trafficPolicy: {loadBalencer: {}}}", "13:36: error[SG0110]: unknown field `loadBalencer`"),
        (
            "{host: shop, trafficPolicy: {loadBalancer: {simple: RANDOM, consistentHash: {useSourceIp: true}}}}",
            "13:67: error[SG0521]",
        ),
        ("{host: shop, trafficPolicy: {loadBalancer: {consistentHash: {}}}}", "13:51: error[SG0521]: exactly one key"),
        (
            "{host: shop, trafficPolicy: {loadBalancer: {consistentHash: {useSourceIp: true, maglev: {tableSize: 100}}}}}",
            "13:107: error[SG0522]: 100 is not a prime",
        ),
        (
            "{host: shop, trafficPolicy: {loadBalancer: {consistentHash: {httpCookie: {name: 'a;b'}}}}}",
            "13:68: error[SG0522]",
        ),
        (
            "{host: shop, trafficPolicy: {connectionPool: {tcp: {connectTimeout: soon}}}}",
            "13:75: error[SG0522]: `soon` is not a duration",
        ),
        ("{host: shop, trafficPolicy: {tunnel: {targetHost: a}}}", "13:36: error[SG0523]: `tunnel`"),
        ("{host: shop, subsets: [{name: V1}]}", "13:37: error[SG0522]: `V1` is not a name"),
        ("{host: shop, subsets: [{name: a}, {name: a}]}", "13:48: error[SG0521]: subset `a` is given before"),
        (
            "{host: shpo, trafficPolicy: {outlierDetection: {}}}",
            "13:14: warning[SG0525]: no service is called `shpo.default.svc.cluster.local`",
        ),
        ("{host: shop, trafficPolicy: {connectionPool: {http: {useClientProtocol: true}}}}", "13:79: warning[SG0524]"),
        (
            "{host: shop, trafficPolicy: {connectionPool: {http: {http2KeepAlive: {interval: 15s}}}}}",
            "13:60: warning[SG0524]",
        ),
        (
            "{host: shop, trafficPolicy: {connectionPool: {http: {http2KeepAlive: {timeout: soon}}}}}",
            "13:86: error[SG0522]",
        ),
    ];
    for (spec, expected) in table {
        let (_, findings) = with(&[rule("a", "default", spec)]);
        assert_eq!(findings.len(), 1, "{spec}: {findings:?}");
        assert!(findings[0].starts_with(&format!("a.yaml:{expected}")), "{spec}: {findings:?}");
    }
}

#[test]
fn health_checks_reach_their_service_and_are_checked() {
    let check = |spec: &str| {
        let head = "---\napiVersion: sluicegate.dev/v1alpha1\nkind: HealthCheck\nmetadata: {name: c}\n";
        registry_of(&format!("{SERVICES}{head}spec: {spec}\n"))
    };
    let (registry, findings) =
        check("{host: shop, port: 80, http: {path: /healthz, expectedStatuses: [200, 300-399]}, interval: 1s}");
    assert_eq!(findings, [""; 0]);
    let checks = |port| registry.find("shop", Some(port)).unwrap().checks().to_vec();
    assert_eq!(checks(80).len(), 1);
    assert_eq!((checks(80)[0].interval, checks(80)[0].timeout), (Duration::from_secs(1), Duration::from_secs(1)));
    assert!(checks(81).is_empty());
    let table = [
        ("{host: shop}", "13:1: error[SG0521]: exactly one of `http` and `tcp`"),
        ("{host: shop, tcp: {}, interval: 1ms}", "13:39: error[SG0522]"),
        ("{host: shop, http: {path: healthz}}", "13:33: error[SG0115]"),
        ("{host: shop, http: {path: /, expectedStatuses: [299-200]}}", "13:55: error[SG0522]: the range ends"),
        ("{host: shpo, tcp: {}}", "13:14: warning[SG0525]"),
    ];
    for (spec, expected) in table {
        let (_, findings) = check(spec);
        assert_eq!(findings.len(), 1, "{spec}: {findings:?}");
        assert!(findings[0].starts_with(&format!("a.yaml:{expected}")), "{spec}: {findings:?}");
    }
}
