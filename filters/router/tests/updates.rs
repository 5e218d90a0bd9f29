//! Documents that are taken out and added leave the router as one that is configured with what is there then.
//!
//! 100 series by default; `SLUICEGATE_CASES=20000` asks for more.
#![allow(clippy::expect_used, reason = "a test may fail where it stands")]

mod support;

use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use serde_json::{Value, json};
use sluicegate_router::Router;
use sluicegate_sdk::Updated;
use sluicegate_sdk::testing::{TestRequest, configure, resource};
use sluicegate_sdk::{Diagnostics, Explain, Explanation, RequestDecision, RequestFilter, Resource, ResourceId, Update};
use std::collections::BTreeMap;

const NAMES: [&str; 5] = ["a", "b", "c", "d", "e"];
const HOSTS: [&str; 7] = [
    "shop",
    "cart.default",
    "shop.default.svc.cluster.local",
    "a.example.com",
    "b.example.com",
    "*.example.com",
    "*.b.example.com",
];
const GATEWAYS: [&str; 4] = ["mesh", "edge", "infra/inner", "gone"];
const PREFIXES: [&str; 4] = ["/", "/a", "/a/b", "/c"];

fn cases() -> u32 {
    std::env::var("SLUICEGATE_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(100)
}

/// What a VirtualService says.
#[derive(Debug, Clone)]
struct Written {
    name: &'static str,
    hosts: Vec<&'static str>,
    gateways: Vec<&'static str>,
    /// Prefix, and the gateway that the block is restricted to.
    rules: Vec<(&'static str, Option<&'static str>)>,
    created: Option<u8>,
    version: u16,
    wrong: bool,
}

impl Written {
    fn json(&self) -> String {
        let rule = |(index, (prefix, gateway)): (usize, &(&str, Option<&str>))| {
            let weight = if self.wrong { -1 } else { 1 };
            let to = format!("{}-{}-{index}", self.name, self.version);
            let mut block = json!({"uri": {"prefix": prefix}});
            if let Some(gateway) = gateway {
                block["gateways"] = json!([gateway]);
            }
            json!({"match": [block], "route": [{"destination": {"host": to}, "weight": weight}]})
        };
        let mut document = json!({
            "apiVersion": "networking.istio.io/v1",
            "kind": "VirtualService",
            "metadata": {"name": self.name, "namespace": "default"},
            "spec": {"hosts": self.hosts, "http": self.rules.iter().enumerate().map(rule).collect::<Vec<_>>()},
        });
        if !self.gateways.is_empty() {
            document["spec"]["gateways"] = json!(self.gateways);
        }
        if let Some(created) = self.created {
            document["metadata"]["creationTimestamp"] = json!(format!("2026-01-0{created}T00:00:00Z"));
        }
        document.to_string()
    }
}

fn written() -> impl Strategy<Value = Written> {
    let gateway = proptest::option::weighted(0.2, select(GATEWAYS.to_vec()));
    (
        select(NAMES.to_vec()),
        subsequence(HOSTS.to_vec(), 1..3),
        subsequence(GATEWAYS.to_vec(), 0..3),
        proptest::collection::vec((select(PREFIXES.to_vec()), gateway), 1..4),
        proptest::option::of(1..4_u8),
        any::<u16>(),
        proptest::bool::weighted(0.05),
    )
        .prop_map(|(name, hosts, gateways, rules, created, version, wrong)| Written {
            name,
            hosts,
            gateways,
            rules,
            created,
            version,
            wrong,
        })
}

/// One update: documents that are written, and names whose documents are taken out.
type Step = (Vec<Written>, Vec<&'static str>);

fn step() -> impl Strategy<Value = Step> {
    (proptest::collection::vec(written(), 0..3), subsequence(NAMES.to_vec(), 0..2))
}

/// What stays while VirtualServices come and go.
fn surroundings() -> impl Strategy<Value = Vec<Value>> {
    let gateway = |namespace: &str, name: &str, hosts: Value, redirects: bool| {
        json!({
            "apiVersion": "networking.istio.io/v1",
            "kind": "Gateway",
            "metadata": {"name": name, "namespace": namespace},
            "spec": {"servers": [
                {"port": {"number": 80, "name": "http", "protocol": "HTTP"}, "hosts": hosts, "tls": {"httpsRedirect": redirects}},
                {"port": {"number": 443, "name": "https", "protocol": "HTTPS"}, "hosts": hosts, "tls": {"mode": "SIMPLE"}},
            ]},
        })
    };
    let route = json!({
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": {"name": "route", "namespace": "default"},
        "spec": {
            "hostnames": ["a.example.com"],
            "rules": [{"matches": [{"path": {"value": "/c"}}], "backendRefs": [{"name": "routed", "port": 80}]}],
        },
    });
    let all = vec![
        gateway("default", "edge", json!(["*.example.com", "shop"]), false),
        gateway("infra", "inner", json!(["default/b.example.com", "*.b.example.com", "a.example.com"]), true),
        route,
    ];
    subsequence(all, 0..4)
}

fn requests() -> Vec<TestRequest> {
    let hosts = ["shop", "shop.default", "cart.default", "a.example.com", "c.b.example.com", "b.example.com", "other"];
    let mut requests = Vec::new();
    for host in hosts {
        for path in ["/", "/a/b", "/c"] {
            let request = TestRequest::get(path).authority(host);
            requests.push(request.clone());
            for (port, scheme) in [("80", "http"), ("443", "https")] {
                let request = request.clone().scheme(scheme).attribute("listener.name", "gateway");
                requests.push(request.attribute("listener.port", port));
            }
        }
    }
    requests
}

fn answers(router: &Router) -> Vec<(RequestDecision, Explanation)> {
    let asked = |request: &TestRequest| (router.on_request(&request.request()), router.explain(&request.request()));
    requests().iter().map(asked).collect()
}

/// Diagnostics of certain documents, in some order.
fn about(numbers: &[ResourceId], diagnostics: Diagnostics) -> Vec<String> {
    let mine = |number: Option<u32>| number.is_some_and(|number| numbers.contains(&ResourceId(number)));
    let said = diagnostics.into_wit().into_iter().filter(|one| mine(one.document));
    let mut lines: Vec<String> = said.map(|one| format!("{one:?}")).collect();
    lines.sort();
    lines
}

/// Takes one step, and returns the documents that are in force after it.
fn take(
    router: &mut Router,
    fixed: &[Resource],
    mut known: BTreeMap<&'static str, Resource>,
    (written, gone): &Step,
    next: &mut u32,
) -> BTreeMap<&'static str, Resource> {
    let before = known.clone();
    let mut removed: BTreeMap<&str, ResourceId> = BTreeMap::new();
    for name in gone {
        removed.extend(known.remove(name).map(|resource| (*name, ResourceId::from(&resource))));
    }
    let newest: BTreeMap<&'static str, &Written> = written.iter().map(|written| (written.name, written)).collect();
    let mut added = Vec::new();
    for (name, written) in newest {
        let resource = resource(*next, &written.json());
        *next += 1;
        removed.extend(known.insert(name, resource.clone()).map(|resource| (name, ResourceId::from(&resource))));
        added.push(resource);
    }
    let removed: Vec<ResourceId> = removed.into_values().collect();
    let mut said = Diagnostics::default();
    assert_eq!(router.update(&removed, &added, &mut said), Updated::Done);
    let all: Vec<Resource> = fixed.iter().chain(known.values()).cloned().collect();
    let (fresh, fresh_said) = configure::<Router>((), &all);
    let numbers: Vec<ResourceId> = added.iter().map(ResourceId::from).collect();
    assert_eq!(said.has_errors(), fresh_said.has_errors());
    if said.has_errors() {
        return before;
    }
    assert_eq!(about(&numbers, said), about(&numbers, fresh_said));
    assert_eq!(answers(router), answers(&fresh));
    known
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases()))]
    #[test]
    fn updates_and_a_fresh_configuration_give_the_same_answers(
        surroundings in surroundings(),
        steps in proptest::collection::vec(step(), 1..8),
    ) {
        let mut next = 0;
        let fixed: Vec<Resource> = surroundings.iter().map(|document| {
            next += 1;
            resource(next - 1, &document.to_string())
        }).collect();
        let (mut router, said) = configure::<Router>((), &fixed);
        prop_assert!(!said.has_errors(), "{:?}", said.lines());
        let mut known = BTreeMap::new();
        for step in &steps {
            let before = answers(&router);
            let after = take(&mut router, &fixed, known.clone(), step, &mut next);
            if after.values().map(ResourceId::from).eq(known.values().map(ResourceId::from)) {
                // Nothing has changed, or the step was refused: then the router is as it was.
                prop_assert_eq!(&answers(&router), &before);
            }
            known = after;
        }
    }
}

fn routed(name: &str, more: &str) -> String {
    support::document(name, &format!("hosts: [{name}]\nhttp: [{{route: [{{destination: {{host: {name}}}}}]{more}}}]"))
}

/// What becomes of an update of a router that has these documents.
fn updated(known: &str, removed: &[u32], added: &str) -> Updated {
    let mut router = support::router(known);
    let added = support::documents(added);
    let added: Vec<Resource> =
        (100..).zip(added).map(|(index, document)| resource(index, &document.to_string())).collect();
    let removed: Vec<ResourceId> = removed.iter().copied().map(ResourceId).collect();
    router.update(&removed, &added, &mut Diagnostics::default())
}

#[test]
fn what_concerns_other_documents_is_configured_afresh() {
    let delegate = support::document("rules", "http: [{route: [{destination: {host: a}}]}]");
    let root = support::document("root", "hosts: [root]\nhttp: [{delegate: {name: rules}}]");
    let gateway = support::gateway::resource("Gateway", "default", "edge", "gatewayClassName: any\nlisteners: []");
    let both = format!("{root}{delegate}");
    assert_eq!(updated(&both, &[0], ""), Updated::Afresh, "a root");
    assert_eq!(updated(&both, &[1], &delegate), Updated::Afresh, "a delegate");
    assert_eq!(updated(&root, &[], &routed("rules", "")), Updated::Afresh, "the name of a delegate");
    assert_eq!(updated(&routed("a", ""), &[], &root), Updated::Afresh, "a new root");
    assert_eq!(updated(&gateway, &[0], ""), Updated::Afresh, "a Gateway");
    assert_eq!(updated(&routed("a", ""), &[], &gateway), Updated::Afresh, "a new Gateway");
    assert_eq!(updated(&both, &[], &routed("a", "")), Updated::Done, "a VirtualService beside them");
}

#[test]
fn an_update_that_is_wrong_leaves_the_router_as_it_was() {
    let mut router = support::router(&support::shop("- route: [{destination: {host: old}}]"));
    let wrong = support::documents(&support::shop("- route: [{destination: {host: new}, weight: -1}]"));
    let wrong = resource(7, &wrong[0].to_string());
    let mut said = Diagnostics::default();
    assert_eq!(router.update(&[ResourceId(0)], &[wrong], &mut said), Updated::Done);
    assert!(
        said.lines()[0].starts_with("error ") && said.lines()[0].contains("/spec/http/0/route/0/weight"),
        "{said:?}"
    );
    assert_eq!(said.into_wit()[0].document, Some(7));
    assert_eq!(support::outcome(&router, &support::get("/")), "old");
}
