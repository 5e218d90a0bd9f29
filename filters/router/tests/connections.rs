//! Connections whose TLS is passed on: which service they go to, by the name that the client asks for.

mod support;

use sluicegate_router::Router;
use sluicegate_sdk::{Connection, ConnectionDecision, ConnectionFilter};
use std::collections::BTreeMap;
use support::gateway::{edge, problems, resource};
use support::{document, findings, router};

/// A Gateway of Istio's kind whose port 443 passes these hosts on.
fn passing(hosts: &str, mode: &str) -> String {
    format!(
        "---\napiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: {{name: edge}}\nspec:\n  servers:\n  - {{port: {{number: 443, name: tls, protocol: TLS}}, hosts: [{hosts}], tls: {{mode: {mode}}}}}\n"
    )
}

/// A VirtualService for `*.example` and its own rules for TLS.
fn tls(name: &str, rules: &str) -> String {
    document(name, &format!("hosts: ['*.example']\ngateways: [edge]\ntls:\n{rules}"))
}

fn rule(block: &str, service: &str) -> String {
    format!("- {{match: [{{{block}}}], route: [{{destination: {{host: {service}, port: {{number: 8443}}}}}}]}}\n")
}

fn connection(name: &str, port: u16) -> Connection {
    Connection {
        id: format!("{:032x}", 7),
        server_name: name.to_owned(),
        port,
        local_address: "10.0.0.1".to_owned(),
        peer_address: "192.0.2.1".to_owned(),
    }
}

/// In a few words.
fn outcome(router: &Router, connection: &Connection) -> String {
    match router.on_connection(connection) {
        ConnectionDecision::Next => "next".to_owned(),
        ConnectionDecision::Refuse => "refuse".to_owned(),
        ConnectionDecision::Forward(to) => {
            let name = to.host.split('.').next().unwrap_or_default();
            let subset = to.subset.map(|subset| format!("/{subset}")).unwrap_or_default();
            format!("{name}:{}{subset}", to.port.unwrap_or_default())
        }
    }
}

#[test]
fn the_most_specific_name_decides_whatever_the_order() {
    let rules = rule("sniHosts: ['*.example']", "any")
        + &rule("sniHosts: [a.example]", "a")
        + &rule("sniHosts: ['*.b.example']", "b");
    let router = router(&(passing("'*'", "PASSTHROUGH") + &tls("shop", &rules)));
    for (name, expected) in [
        ("a.example", "a:8443"),
        ("c.example", "any:8443"),
        ("x.b.example", "b:8443"),
        ("b.example", "any:8443"),
        ("example", "refuse"),
        ("other.org", "refuse"),
    ] {
        assert_eq!(outcome(&router, &connection(name, 443)), expected, "{name}");
    }
    assert_eq!(outcome(&router, &connection("a.example", 8443)), "next", "nothing is attached to that port");
}

#[test]
fn a_rule_counts_for_the_hosts_of_the_server_on_its_port_and_gateway_only() {
    let rules = rule("sniHosts: [a.example]", "a")
        + &rule("sniHosts: [b.example], port: 8443", "b")
        + &rule("sniHosts: [c.example], gateways: [other]", "c")
        + &rule("sniHosts: [d.example], destinationSubnets: [10.9.0.0/16]", "elsewhere")
        + &rule("sniHosts: [d.example], destinationSubnets: [10.0.0.0/16]", "d")
        + &rule("sniHosts: [e.example]", "e");
    let router = router(&(passing("a.example, b.example, c.example, d.example", "PASSTHROUGH") + &tls("shop", &rules)));
    for (name, expected) in [("a", "a:8443"), ("b", "refuse"), ("c", "refuse"), ("d", "d:8443"), ("e", "refuse")] {
        assert_eq!(outcome(&router, &connection(&format!("{name}.example"), 443)), expected, "{name}");
    }
}

#[test]
fn of_two_resources_the_oldest_has_a_name() {
    let text = passing("'*'", "PASSTHROUGH")
        + &tls("younger", &rule("sniHosts: [a.example]", "younger"))
        + &tls("elder", &rule("sniHosts: [a.example]", "elder"));
    assert_eq!(outcome(&router(&text), &connection("a.example", 443)), "elder:8443");
}

#[test]
fn connections_are_split_by_weight() {
    let rules = "- match: [{sniHosts: [a.example]}]\n  route: [{destination: {host: v1}, weight: 80}, {destination: {host: v2}, weight: 20}, {destination: {host: v3}}]\n";
    let router = router(&(passing("'*'", "PASSTHROUGH") + &tls("shop", rules)));
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for number in 0..1000_u32 {
        let connection = Connection { id: format!("{number:032x}"), ..connection("a.example", 443) };
        *counts.entry(outcome(&router, &connection)).or_default() += 1;
    }
    let share = |name: &str| counts.get(name).copied().unwrap_or_default();
    assert!(share("v1:0").abs_diff(800) < 60 && share("v2:0").abs_diff(200) < 60, "{counts:?}");
    assert_eq!(counts.len(), 2);
}

#[test]
fn names_that_a_mesh_has_made_say_where_they_lead() {
    let router = router(&passing("'*.local'", "AUTO_PASSTHROUGH"));
    for (name, expected) in [
        ("outbound_.443_.v1_.shop.default.svc.cluster.local", "shop:443/v1"),
        ("outbound_.443_._.shop.default.svc.cluster.local", "shop:443"),
        ("shop.default.svc.cluster.local", "refuse"),
        ("outbound_.443_._.shop.example", "refuse"),
    ] {
        assert_eq!(outcome(&router, &connection(name, 443)), expected, "{name}");
    }
}

#[test]
fn rules_for_sidecars_alone_have_no_effect() {
    let mesh = "hosts: [a.example]\ntls:\n".to_owned() + &rule("sniHosts: [a.example]", "a");
    assert_eq!(findings(&document("shop", &mesh)), ["note SG0220 /spec/tls"]);
    let text = passing("'*'", "PASSTHROUGH") + &tls("shop", &rule("sniHosts: [a.example]", "a"));
    assert_eq!(findings(&text), [""; 0]);
}

/// The Gateway `edge` of the Gateway API that passes TLS on, on port 443.
fn listener(more: &str) -> String {
    edge(&format!("- {{name: tls, port: 443, protocol: TLS, tls: {{mode: Passthrough}}{more}}}\n"))
}

fn tls_route(name: &str, hostnames: &str, backends: &str) -> String {
    let spec =
        format!("parentRefs: [{{name: edge}}]\nhostnames: [{hostnames}]\nrules: [{{backendRefs: [{backends}]}}]");
    resource("TLSRoute", "default", name, &spec)
}

#[test]
fn a_tls_route_takes_the_names_that_it_and_its_listener_have() {
    let text = listener(", hostname: '*.example'")
        + &tls_route("a", "a.example, a.other", "{name: a, port: 443}")
        + &tls_route("any", "'*.example'", "{name: any, port: 443}");
    let router = router(&text);
    for (name, expected) in
        [("a.example", "a:443"), ("b.example", "any:443"), ("a.other", "refuse"), ("example", "refuse")]
    {
        assert_eq!(outcome(&router, &connection(name, 443)), expected, "{name}");
    }
}

#[test]
fn the_share_of_a_backend_that_cannot_be_used_is_closed() {
    let backends = "{name: a, port: 443, weight: 0}, {name: b, port: 443, namespace: other}";
    let text = listener("") + &tls_route("a", "a.example", backends);
    assert_eq!(outcome(&router(&text), &connection("a.example", 443)), "refuse");
    assert_eq!(problems(&text), ["warning SG0244 /spec/rules/0/backendRefs/1/namespace"]);
    let grant = resource(
        "ReferenceGrant",
        "other",
        "grant",
        "from: [{group: gateway.networking.k8s.io, kind: TLSRoute, namespace: default}]\nto: [{group: '', kind: Service}]",
    );
    assert_eq!(outcome(&router(&(text + &grant)), &connection("a.example", 443)), "b:443");
}

#[test]
fn a_tls_route_attaches_to_listeners_that_pass_tls_on_and_other_routes_do_not() {
    let terminating = edge("- {name: https, port: 443, protocol: HTTPS, tls: {certificateRefs: [{name: c}]}}\n");
    let route = tls_route("a", "a.example", "{name: a, port: 443}");
    assert_eq!(problems(&(terminating + &route)), ["warning SG0243 /spec/parentRefs/0"]);
    let http = support::gateway::route("b", &support::gateway::rule("{}", "b"));
    assert_eq!(problems(&(listener("") + &http)), ["warning SG0243 /spec/parentRefs/0"]);
    let kinds = listener(", allowedRoutes: {kinds: [{kind: TLSRoute}]}");
    assert_eq!(problems(&(kinds + &route)), [""; 0]);
    assert_eq!(problems(&route), ["warning SG0243 /spec"], "there is no Gateway");
}

#[test]
fn what_the_gateway_api_refuses_of_a_tls_route_is_refused() {
    let backends = "rules: [{backendRefs: [{name: a, port: 443}]}]";
    let with = |spec: &str| {
        listener("") + &resource("TLSRoute", "default", "a", &format!("parentRefs: [{{name: edge}}]\n{spec}"))
    };
    for (spec, expected) in [
        (format!("hostnames: ['http://a<']\n{backends}"), "error SG0201 /spec/hostnames/0"),
        (backends.to_owned(), "error SG0241 /spec"),
        ("hostnames: [a.example]".to_owned(), "error SG0204 /spec"),
        (
            "hostnames: [a.example]\nrules: [{backendRefs: [{name: a, port: 443}]}, {backendRefs: [{name: b, port: 443}]}]".to_owned(),
            "error SG0242 /spec/rules",
        ),
        ("hostnames: [a.example]\nrules: [{backendRefs: [{name: a}]}]".to_owned(), "error SG0208 /spec/rules/0/backendRefs/0"),
    ] {
        assert!(problems(&with(&spec)).contains(&expected.to_owned()), "{spec}: {:?}", problems(&with(&spec)));
    }
}
