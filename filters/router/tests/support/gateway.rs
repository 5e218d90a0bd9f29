//! Builds documents of the Gateway API, and the requests that reach them.

use super::{decide, documents, load};
use serde_json::Value;
use sluicegate_router::Router;
use sluicegate_sdk::testing::TestRequest;
use sluicegate_sdk::{Forward, RequestDecision};

/// A document in a namespace.
pub fn resource(kind: &str, namespace: &str, name: &str, spec: &str) -> String {
    let indented: Vec<String> = spec.lines().map(|line| format!("  {line}")).collect();
    let indented = indented.join("\n");
    format!(
        "---\napiVersion: gateway.networking.k8s.io/v1\nkind: {kind}\nmetadata: {{name: {name}, namespace: {namespace}}}\nspec:\n{indented}\n"
    )
}

/// The Gateway `edge` of the default namespace with these listeners.
pub fn edge(listeners: &str) -> String {
    resource("Gateway", "default", "edge", &format!("gatewayClassName: any\nlisteners:\n{listeners}"))
}

/// One listener without TLS; `more` may be empty or start with a comma.
pub fn listener(name: &str, port: u16, more: &str) -> String {
    format!("- {{name: '{name}', port: {port}, protocol: HTTP{more}}}\n")
}

/// One listener with TLS.
pub fn tls_listener(name: &str, more: &str) -> String {
    format!("- {{name: {name}, port: 443, protocol: HTTPS, tls: {{certificateRefs: [{{name: c}}]}}{more}}}\n")
}

/// A Gateway with one listener for everything, on port 80.
pub fn open() -> String {
    edge(&listener("http", 80, ""))
}

/// An HTTPRoute that is attached to `edge`.
pub fn route(name: &str, rules: &str) -> String {
    route_to(name, "{name: edge}", "", rules)
}

/// An HTTPRoute with these parents and hosts.
pub fn route_to(name: &str, parents: &str, hostnames: &str, rules: &str) -> String {
    let spec = format!("parentRefs: [{parents}]\nhostnames: [{hostnames}]\nrules:\n{rules}");
    resource("HTTPRoute", "default", name, &spec)
}

/// A rule that sends what these matches take to a service.
pub fn rule(matches: &str, service: &str) -> String {
    format!("- matches: [{matches}]\n  backendRefs: [{{name: {service}, port: 8080}}]\n")
}

/// A rule with these filters that sends what a prefix takes to `v1`.
pub fn filtered(prefix: &str, filters: &str) -> String {
    format!(
        "- matches: [{{path: {{type: PathPrefix, value: {prefix}}}}}]\n  filters: [{filters}]\n  backendRefs: [{{name: v1, port: 8080}}]\n"
    )
}

/// A request that came in by a port of the Gateway.
pub fn at(request: TestRequest, port: u16) -> TestRequest {
    request.attribute("listener.name", "gateway").attribute("listener.port", &port.to_string())
}

/// A GET by port 80.
pub fn get(authority: &str, path: &str) -> TestRequest {
    at(TestRequest::get(path).authority(authority), 80)
}

/// A request such as `POST /path version=one` by port 80: a method, a path, and headers.
pub fn asked(words: &str) -> TestRequest {
    let mut parts = words.split(' ');
    let (method, path) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let request = at(TestRequest::new(method, path).authority("example.com"), 80);
    let headers = parts.filter_map(|part| part.split_once('='));
    headers.fold(request, |request, (name, value)| request.header(name, value))
}

/// Counts where 500 requests go.
pub fn shares(router: &Router, request: impl Fn() -> TestRequest) -> Vec<(String, usize)> {
    let mut counts = std::collections::BTreeMap::new();
    for number in 0..500_u32 {
        let outcome = super::outcome(router, &request().attribute("request.id", &format!("{number:032x}")));
        *counts.entry(outcome).or_default() += 1;
    }
    counts.into_iter().collect()
}

/// Whether a share is within five of a hundred of what it should be, as the conformance tests have it.
pub fn near(count: usize, percent: usize) -> bool {
    count.abs_diff(percent * 5) <= 25
}

/// The forward that the router decides on, as the upstream sees the request: path and authority, and its headers.
pub fn sent(router: &Router, request: &TestRequest) -> Forward {
    match decide(router, request) {
        RequestDecision::Forward(forward) => forward,
        other => panic!("expected a forward, got {other:?}"),
    }
}

/// Errors and warnings of a text, as `severity code pointer`.
pub fn problems(yaml: &str) -> Vec<String> {
    let lines = load(yaml).1.lines();
    let lines = lines.iter().map(|line| line.split(": ").next().unwrap_or_default().to_owned());
    lines.filter(|line| !line.starts_with("note")).collect()
}

/// Where the schema of a kind objects to the documents of a text.
pub fn schema_objections(yaml: &str) -> Vec<String> {
    let mut objections = Vec::new();
    for document in documents(yaml) {
        let schema: Value = serde_json::from_str(schema_of(&document)).expect("the schema is JSON");
        let validator = jsonschema::validator_for(&schema).expect("the schema is a schema");
        objections.extend(validator.iter_errors(&document).map(|error| error.instance_path().to_string()));
    }
    objections
}

/// The schema of a document's kind.
pub fn schema_of(document: &Value) -> &'static str {
    match document["kind"].as_str() {
        Some("HTTPRoute") => include_str!("../../src/gateway_api/httproute.schema.json"),
        Some("GRPCRoute") => include_str!("../../src/gateway_api/grpcroute.schema.json"),
        Some("TLSRoute") => include_str!("../../src/gateway_api/tlsroute.schema.json"),
        Some("Gateway") => include_str!("../../src/gateway_api/gateway.schema.json"),
        Some("ReferenceGrant") => include_str!("../../src/gateway_api/referencegrant.schema.json"),
        Some("Namespace") => include_str!("../../src/gateway_api/namespace.schema.json"),
        other => panic!("{other:?} has no schema"),
    }
}

/// A document with one more member at a place.
pub fn object_with(document: &Value, pointer: &str, member: &str) -> String {
    let mut document = document.clone();
    let place = document.pointer_mut(pointer).and_then(Value::as_object_mut).expect("the place is an object");
    place.insert(member.to_owned(), Value::from(1));
    document.to_string()
}
