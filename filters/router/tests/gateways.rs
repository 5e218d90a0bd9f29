//! Which listener serves which rules: `mesh`, and the ports of Gateway documents.

mod support;

use sluicegate_sdk::Explain;
use sluicegate_sdk::testing::TestRequest;
use support::{answered, document, findings, header, outcome, router};

/// A Gateway `edge` in a namespace with these servers.
fn gateway(namespace: &str, servers: &str) -> String {
    format!(
        "---\napiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: {{name: edge, namespace: {namespace}}}\nspec:\n  servers:\n{servers}\n"
    )
}

fn http(port: u16, hosts: &str) -> String {
    format!("  - port: {{number: {port}, name: p{port}, protocol: HTTP}}\n    hosts: [{hosts}]\n")
}

fn https(port: u16, hosts: &str) -> String {
    format!(
        "  - port: {{number: {port}, name: s{port}, protocol: HTTPS}}\n    hosts: [{hosts}]\n    tls: {{mode: SIMPLE, credentialName: c}}\n"
    )
}

/// A document whose requests all go to a service named like it.
fn rules(name: &str, hosts: &str, gateways: &str) -> String {
    document(
        name,
        &format!("hosts: [{hosts}]\ngateways: [{gateways}]\nhttp: [{{route: [{{destination: {{host: {name}}}}}]}}]"),
    )
}

fn asked(authority: &str) -> TestRequest {
    TestRequest::get("/a?b=c").authority(authority)
}

fn at(authority: &str, port: u16) -> TestRequest {
    asked(authority).attribute("listener.name", "gateway").attribute("listener.port", &port.to_string())
}

fn encrypted(authority: &str, port: u16, name: &str) -> TestRequest {
    at(authority, port).scheme("https").attribute("tls.sni", name)
}

#[test]
fn a_gateway_serves_what_is_bound_to_it_and_mesh_what_is_bound_to_mesh() {
    let yaml = gateway("default", &http(80, "'*'"))
        + &rules("both", "both.example", "edge, mesh")
        + &rules("outside", "out.example", "edge")
        + &rules("inside", "in.example", "mesh");
    let router = router(&yaml);
    for (authority, gateway, mesh) in
        [("both.example", "both", "both"), ("out.example", "outside", "next"), ("in.example", "404", "inside")]
    {
        assert_eq!(outcome(&router, &at(authority, 80)), gateway, "{authority}");
        assert_eq!(outcome(&router, &asked(authority)), mesh, "{authority}");
        assert_eq!(outcome(&router, &asked(authority).attribute("listener.name", "mesh")), mesh, "{authority}");
    }
}

#[test]
fn without_any_gateway_document_mesh_serves_every_binding() {
    let router = router(&rules("outside", "out.example", "edge"));
    assert_eq!(outcome(&router, &asked("out.example")), "outside");
}

#[test]
fn only_the_intersection_of_the_hosts_is_served_and_the_port_of_the_authority_ignored() {
    let yaml = gateway("default", &http(80, "'*.example.com', one.example.net")) + &rules("all", "'*'", "edge");
    let router = router(&yaml);
    for (authority, expected) in [
        ("a.example.com:12345", "all"),
        ("a.b.example.com", "all"),
        ("example.com", "404"),
        ("one.example.net", "all"),
        ("two.example.net", "404"),
    ] {
        assert_eq!(outcome(&router, &at(authority, 80)), expected, "{authority}");
    }
}

#[test]
fn a_server_serves_only_the_namespaces_that_its_hosts_name() {
    let bound = "infra/edge";
    for (host, served) in [
        ("a.example", true),
        ("'*/a.example'", true),
        ("./a.example", false),
        ("default/a.example", true),
        ("other/a.example", false),
    ] {
        let yaml = gateway("infra", &http(80, host)) + &rules("all", "a.example", bound);
        assert_eq!(outcome(&router(&yaml), &at("a.example", 80)), if served { "all" } else { "404" }, "{host}");
        let expected: &[&str] = if served { &[] } else { &["warning SG0231 /spec/hosts/0"] };
        assert_eq!(findings(&yaml), expected, "{host}");
    }
}

#[test]
fn each_port_serves_its_own_servers_and_another_listener_s_port_is_not_ours() {
    let yaml = gateway("default", &(http(80, "a.example") + &http(8080, "b.example")))
        + &rules("all", "a.example, b.example", "edge");
    let router = router(&yaml);
    for (authority, port, expected) in [
        ("a.example", 80, "all"),
        ("b.example", 80, "404"),
        ("a.example", 8080, "404"),
        ("b.example", 8080, "all"),
        ("a.example", 9090, "next"),
    ] {
        assert_eq!(outcome(&router, &at(authority, port)), expected, "{authority} {port}");
    }
}

#[test]
fn the_server_name_of_the_handshake_selects_the_server() {
    let yaml = gateway("default", &(https(443, "'*.example.com'") + &https(443, "own.example.com")))
        + &rules("all", "own.example.com, a.example.com", "edge");
    let router = router(&yaml);
    for (authority, name, expected) in [
        ("a.example.com", "a.example.com", "all"),
        ("own.example.com", "OWN.example.com", "all"),
        ("a.example.com", "own.example.com", "404"),
        ("a.example.com", "a.example.net", "404"),
    ] {
        assert_eq!(outcome(&router, &encrypted(authority, 443, name)), expected, "{authority} {name}");
    }
    assert_eq!(outcome(&router, &at("a.example.com", 443).scheme("https")), "all", "a client that sends no name");
}

#[test]
fn plain_requests_are_sent_to_https_also_without_any_rule() {
    let redirecting = http(80, "'*.example.com'") + "    tls: {httpsRedirect: true}\n";
    let yaml = gateway("default", &(redirecting + &http(80, "plain.example.net")))
        + &rules("all", "a.example.com, plain.example.net", "edge");
    let router = router(&yaml);
    for authority in ["a.example.com", "b.example.com:80"] {
        let answer = answered(&router, &at(authority, 80));
        let host = authority.trim_end_matches(":80");
        assert_eq!((answer.status, header(&answer, "location")), (301, Some(format!("https://{host}/a?b=c"))));
    }
    assert_eq!(outcome(&router, &at("a.example.com", 80).scheme("https")), "all");
    assert_eq!(outcome(&router, &at("b.example.com", 80).scheme("https")), "404");
    assert_eq!(outcome(&router, &at("plain.example.net", 80)), "all");
}

#[test]
fn a_block_counts_only_on_the_gateways_that_it_names() {
    let block = |gateways: &str, to: &str| {
        format!(
            "- match: [{{gateways: [{gateways}], uri: {{prefix: /a}}}}]\n  route: [{{destination: {{host: {to}}}}}]\n"
        )
    };
    let spec = format!(
        "hosts: [a.example]\ngateways: [edge, mesh]\nhttp:\n{}{}",
        block("edge", "outside"),
        block("mesh", "inside")
    );
    let yaml = gateway("default", &http(80, "'*'")) + &document("a", &spec);
    let router = router(&yaml);
    assert_eq!(outcome(&router, &at("a.example", 80)), "outside");
    assert_eq!(outcome(&router, &asked("a.example")), "inside");
    let elsewhere = spec.replace("gateways: [edge],", "gateways: [other],");
    assert_eq!(findings(&document("a", &elsewhere)), ["warning SG0223 /spec/http/0/match/0/gateways/0"]);
}

#[test]
fn a_block_counts_only_on_its_port() {
    let spec =
        "hosts: [a.example]\ngateways: [edge]\nhttp:\n- match: [{port: 8080}]\n  route: [{destination: {host: hit}}]";
    let yaml = gateway("default", &(http(80, "'*'") + &http(8080, "'*'"))) + &document("a", spec);
    assert_eq!(outcome(&router(&yaml), &at("a.example", 8080)), "hit");
    assert_eq!(outcome(&router(&yaml), &at("a.example", 80)), "404");
}

#[test]
fn a_gateway_that_nobody_defines_is_warned_of_where_there_are_gateways() {
    let bound = rules("all", "a.example", "edge, missing, other/edge");
    assert!(findings(&bound).is_empty());
    let yaml = gateway("default", &http(80, "'*'")) + &bound;
    assert_eq!(findings(&yaml), ["warning SG0230 /spec/gateways/1", "warning SG0230 /spec/gateways/2"]);
}

#[test]
fn a_selector_is_noted_and_ports_that_do_not_speak_http_serve_nothing() {
    let servers = "  - port: {number: 5432, name: db, protocol: TCP}\n    hosts: ['*']\n";
    let yaml = gateway("default", servers).replace("spec:\n", "spec:\n  selector: {istio: ingressgateway}\n");
    let yaml = yaml + &rules("all", "a.example", "edge");
    assert_eq!(findings(&yaml), ["note SG0220 /spec/selector", "warning SG0231 /spec/hosts/0"]);
    assert_eq!(outcome(&router(&yaml), &at("a.example", 5432)), "next");
}

#[test]
fn rules_of_several_documents_add_up_at_a_gateway_and_the_oldest_owns_a_host_of_mesh() {
    let narrow = "hosts: [a.example]\ngateways: [edge, mesh]\nhttp: [{match: [{uri: {prefix: /a}}], route: [{destination: {host: narrow}}]}]";
    let yaml =
        gateway("default", &http(80, "'*'")) + &rules("everything", "a.example", "edge, mesh") + &document("z", narrow);
    let router = router(&yaml);
    assert_eq!(outcome(&router, &at("a.example", 80)), "narrow");
    assert_eq!(outcome(&router, &asked("a.example")), "everything");
    assert_eq!(findings(&yaml), ["warning SG0222 /spec/hosts/0"]);
}

#[test]
fn it_is_explained_why_a_gateway_serves_no_rule() {
    let redirecting = http(80, "'*.example.com'") + "    tls: {httpsRedirect: true}\n";
    let router = router(&(gateway("default", &redirecting) + &rules("all", "a.example.com", "edge")));
    let summary = |request: &TestRequest| router.explain(&request.request()).summary;
    assert_eq!(summary(&at("b.example", 80)), "no resource has the host \"b.example\" on the Gateway's port 80: 404");
    assert_eq!(
        summary(&at("a.example.com", 80)),
        "the Gateway sends plain requests to https: 301 to https://a.example.com/a?b=c"
    );
    let reason = router.explain(&at("b.example", 80).request()).candidates.remove(0).reason;
    assert_eq!(reason, "its hosts are a.example.com on default/edge");
}
