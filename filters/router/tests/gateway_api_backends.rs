//! Where the requests of Gateway API routes go: weights, grants, errors, timeouts, retries, and gRPC.

mod support;

use sluicegate_sdk::testing::TestRequest;
use sluicegate_sdk::{Explain, RetryCondition};
use support::gateway::{at, edge, get, listener, near, open, problems, resource, route, route_to, sent, shares};
use support::{answered, header, outcome, router};

#[test]
fn requests_are_shared_out_by_weight_and_a_missing_weight_is_1() {
    let weighted = "- backendRefs: [{name: v1, port: 80, weight: 70}, {name: v2, port: 80, weight: 30}, {name: v3, port: 80, weight: 0}]";
    let counts = shares(&router(&(open() + &route("r", weighted))), || get("a.b", "/"));
    let [(first, seventy), (second, thirty)] = counts.as_slice() else { panic!("{counts:?}") };
    assert_eq!((first.as_str(), second.as_str()), ("v1", "v2"));
    assert!(near(*seventy, 70) && near(*thirty, 30), "{counts:?}");

    let unweighted = "- backendRefs: [{name: v1, port: 80}, {name: v2, port: 80}]";
    let counts = shares(&router(&(open() + &route("r", unweighted))), || get("a.b", "/"));
    assert!(counts.len() == 2 && counts.iter().all(|(_, count)| near(*count, 50)), "{counts:?}");
}

#[test]
fn rules_without_a_backend_that_gets_a_share_answer_500() {
    for (backends, expected) in [
        ("{}", "warning SG0244 /spec/rules/0"),
        ("{backendRefs: []}", "warning SG0244 /spec/rules/0"),
        ("{backendRefs: [{name: v1, port: 80, weight: 0}]}", "warning SG0244 /spec/rules/0/backendRefs"),
    ] {
        let yaml = open() + &route("r", &format!("- {backends}"));
        assert_eq!(outcome(&router(&yaml), &get("a.b", "/")), "500", "{backends}");
        assert_eq!(problems(&yaml), [expected], "{backends}");
    }
}

#[test]
fn the_share_of_a_backend_of_an_unknown_kind_is_answered_500() {
    let backends = "- backendRefs: [{name: v1, port: 80, weight: 90}, {name: v2, group: multicluster.x-k8s.io, kind: ServiceImport, port: 80, weight: 10}]";
    let yaml = open() + &route("r", backends);
    let counts = shares(&router(&yaml), || get("a.b", "/"));
    let [(first, refused), (second, sent)] = counts.as_slice() else { panic!("{counts:?}") };
    assert_eq!((first.as_str(), second.as_str()), ("500", "v1"));
    assert!(near(*refused, 10) && near(*sent, 90), "{counts:?}");
    assert_eq!(problems(&yaml), ["warning SG0244 /spec/rules/0/backendRefs/1/kind"]);
}

fn grant(namespace: &str, from: &str, to: &str) -> String {
    resource("ReferenceGrant", namespace, "g", &format!("from: [{from}]\nto: [{to}]"))
}

#[test]
fn a_backend_of_another_namespace_needs_a_grant() {
    let rules = "- matches: [{path: {value: /v2}}]\n  backendRefs: [{name: web, namespace: back, port: 80}]\n- backendRefs: [{name: app, port: 80}]";
    let yaml = open() + &route("r", rules);
    let from = |kind: &str, namespace: &str| {
        format!("{{group: gateway.networking.k8s.io, kind: {kind}, namespace: {namespace}}}")
    };
    let fits = from("HTTPRoute", "default");
    let service = "{group: '', kind: Service}";
    for (grant, expected) in [
        (String::new(), "500"),
        (grant("back", &fits, service), "web"),
        (grant("back", &fits, "{group: '', kind: Service, name: web}"), "web"),
        (grant("back", &format!("{}, {fits}", from("GRPCRoute", "other")), service), "web"),
        (grant("back", &fits, "{group: '', kind: Service, name: other}"), "500"),
        (grant("back", &fits, "{group: '', kind: Secret}"), "500"),
        (grant("back", &from("HTTPRoute", "other"), service), "500"),
        (grant("back", &from("GRPCRoute", "default"), service), "500"),
        (grant("back", "{group: '', kind: HTTPRoute, namespace: default}", service), "500"),
        (grant("default", &fits, service), "500"),
    ] {
        let router = router(&(yaml.clone() + &grant));
        assert_eq!(outcome(&router, &get("a.b", "/v2")), expected, "{grant}");
        assert_eq!(outcome(&router, &get("a.b", "/")), "app", "{grant}");
    }
    assert_eq!(problems(&yaml), ["warning SG0244 /spec/rules/0/backendRefs/0/namespace"]);
}

#[test]
fn a_backend_is_a_service_with_a_port() {
    let yaml = open() + &route("r", "- backendRefs: [{name: v1, port: 8080}]");
    let forward = sent(&router(&yaml), &get("a.b", "/"));
    assert_eq!(
        (forward.destination.host.as_str(), forward.destination.port),
        ("v1.default.svc.cluster.local", Some(8080))
    );
    assert_eq!((forward.timeout, forward.retries), (None, None), "nothing is tried again unless a rule says so");
}

fn timed(fields: &str) -> sluicegate_sdk::Forward {
    let yaml = open() + &route("r", &format!("- backendRefs: [{{name: v1, port: 80}}]\n  {fields}"));
    sent(&router(&yaml), &get("a.b", "/"))
}

#[test]
fn timeouts_limit_all_tries_or_each() {
    for (timeouts, expected) in [
        ("{request: 500ms}", Some(500)),
        ("{backendRequest: 500ms}", Some(500)),
        ("{request: 1s, backendRequest: 500ms}", Some(500)),
        ("{request: 0s}", None),
        ("{request: 0s, backendRequest: 500ms}", Some(500)),
        ("{backendRequest: 0s}", None),
        ("{}", None),
    ] {
        assert_eq!(timed(&format!("timeouts: {timeouts}")).timeout, expected, "{timeouts}");
    }
    let forward = timed("timeouts: {request: 400ms, backendRequest: 200ms}\n  retry: {attempts: 5, codes: [500]}");
    assert_eq!((forward.timeout, forward.retries.and_then(|policy| policy.per_try_timeout)), (Some(400), Some(200)));
}

#[test]
fn retries_are_for_the_listed_statuses_and_for_connections_that_fail() {
    let policy = timed("retry: {codes: [500, 503], attempts: 3, backoff: 100ms}").retries.expect("there are retries");
    assert_eq!((policy.attempts, policy.backoff), (3, 100));
    for condition in [
        RetryCondition::Status(500),
        RetryCondition::Status(503),
        RetryCondition::ConnectFailure,
        RetryCondition::Reset,
        RetryCondition::RefusedStream,
    ] {
        assert!(policy.conditions.contains(&condition), "{condition:?}");
    }
    assert!(!policy.conditions.contains(&RetryCondition::Status(502)));
    assert_eq!(timed("retry: {attempts: 0, codes: [500]}").retries, None);
    let policy = timed("retry: {}").retries.expect("there are retries");
    assert_eq!((policy.attempts, policy.backoff), (2, 25));
}

fn grpc_route(name: &str, parents: &str, rules: &str) -> String {
    resource("GRPCRoute", "default", name, &format!("parentRefs: [{parents}]\nrules:\n{rules}"))
}

fn call(authority: &str, path: &str) -> TestRequest {
    at(TestRequest::post(path).authority(authority).header("content-type", "application/grpc"), 80)
}

/// Where a call goes, or the gRPC status of its answer.
fn called(router: &sluicegate_router::Router, request: &TestRequest) -> String {
    match outcome(router, request).as_str() {
        "200" => {
            let answer = answered(router, request);
            assert_eq!(header(&answer, "content-type").as_deref(), Some("application/grpc"));
            assert!(answer.body.is_empty(), "the status is all that the answer has");
            header(&answer, "grpc-status").unwrap_or_default()
        }
        other => other.to_owned(),
    }
}

fn grpc_rule(matches: &str, service: &str) -> String {
    format!("- matches: [{matches}]\n  backendRefs: [{{name: {service}, port: 8080}}]\n")
}

#[test]
fn calls_are_matched_by_service_and_method() {
    let method = |fields: &str| format!("{{method: {{{fields}}}}}");
    let rules = grpc_rule(&method("service: echo.Echo, method: Echo"), "v1")
        + &grpc_rule(&method("service: echo.Echo, method: EchoTwo"), "v2")
        + &grpc_rule(&method("service: echo.Whole"), "v3")
        + &grpc_rule(&method("method: Check"), "v4")
        + &grpc_rule(&method("type: RegularExpression, service: 'echo\\.V[0-9]+', method: 'Get.*'"), "v5");
    let router = router(&(open() + &grpc_route("r", "{name: edge}", &rules)));
    for (path, expected) in [
        ("/echo.Echo/Echo", "v1"),
        ("/echo.Echo/EchoTwo", "v2"),
        ("/echo.Echo/EchoThree", "12"),
        ("/echo.Whole/Any", "v3"),
        ("/echo.WholeNot/Any", "12"),
        ("/any.Service/Check", "v4"),
        ("/echo.Whole/Check", "v3"),
        ("/echo.V12/GetOne", "v5"),
        ("/echo.V/GetOne", "12"),
    ] {
        assert_eq!(called(&router, &call("a.b", path)), expected, "{path}");
    }
    let http = at(TestRequest::get("/other").authority("a.b"), 80);
    assert_eq!(outcome(&router, &http), "404", "who speaks no gRPC gets a status of HTTP");
}

#[test]
fn calls_are_matched_by_headers_as_requests_are() {
    let header = |name: &str, value: &str| format!("{{headers: [{{name: {name}, value: {value}}}]}}");
    let rules = grpc_rule(&header("version", "one"), "v1")
        + &grpc_rule(&header("version", "two"), "v2")
        + &grpc_rule("{headers: [{name: version, value: two}, {name: color, value: orange}]}", "v1")
        + &grpc_rule(&format!("{}, {}", header("color", "blue"), header("color", "green")), "v1");
    let router = router(&(open() + &grpc_route("r", "{name: edge}", &rules)));
    for (headers, expected) in [
        (vec![("version", "one")], "v1"),
        (vec![("version", "two")], "v2"),
        (vec![("version", "two"), ("color", "orange")], "v1"),
        (vec![("version", "two"), ("color", "blue")], "v2"),
        (vec![("color", "orange")], "12"),
        (vec![("color", "green")], "v1"),
        (vec![("color", "purple")], "12"),
    ] {
        let request = headers.iter().fold(call("a.b", "/s/m"), |request, (name, value)| request.header(name, value));
        assert_eq!(called(&router, &request), expected, "{headers:?}");
    }
}

#[test]
fn calls_are_served_by_the_listener_of_their_host() {
    let listeners = listener("1", 80, ", hostname: bar.com") + &listener("2", 80, ", hostname: '*.bar.com'");
    let to = |name: &str, section: &str| {
        grpc_route(name, &format!("{{name: edge, sectionName: '{section}'}}"), &grpc_rule("", name))
    };
    let router = router(&(edge(&listeners) + &to("v1", "1") + &to("v2", "2")));
    for (authority, expected) in [("bar.com", "v1"), ("foo.bar.com", "v2"), ("foo.com", "12")] {
        assert_eq!(called(&router, &call(authority, "/s/m")), expected, "{authority}");
    }
}

#[test]
fn calls_that_no_backend_takes_are_unavailable() {
    for backends in [
        "[]",
        "[{name: v1, port: 80, weight: 0}]",
        "[{name: v1, port: 80, namespace: other}]",
        "[{name: v1, kind: Other}]",
    ] {
        let router = router(&(open() + &grpc_route("r", "{name: edge}", &format!("- backendRefs: {backends}"))));
        assert_eq!(called(&router, &call("a.b", "/s/m")), "14", "{backends}");
    }
}

#[test]
fn it_is_explained_which_rule_of_which_route_wins_and_why() {
    let rules = "- matches: [{path: {value: /a}, method: GET}]\n  backendRefs: [{name: v1, port: 80}]\n- backendRefs: [{name: v2, kind: Other}]";
    let yaml = open() + &route_to("shop", "{name: edge}", "a.example", rules);
    let router = router(&yaml);
    let explained = |path: &str| router.explain(&get("a.example", path).request());
    let explanation = explained("/a/b");
    assert_eq!(
        explanation.summary,
        "HTTPRoute default/shop, rule 1, match 1 forwards to v1.default.svc.cluster.local:80"
    );
    let names: Vec<&str> = explanation.candidates.iter().map(|candidate| candidate.name.as_str()).collect();
    assert_eq!(names, ["HTTPRoute default/shop, rule 1, match 1", "HTTPRoute default/shop, rule 2, match 1"]);
    let explanation = explained("/ab");
    assert_eq!(explanation.candidates[0].reason, "path /ab is neither /a nor below it");
    assert_eq!(
        explanation.candidates[1].reason,
        "matches and answers 500, as v2.default.svc.cluster.local cannot be used"
    );
    let unserved = router.explain(&get("b.example", "/").request());
    assert!(unserved.summary.contains("the host \"b.example\" on the Gateway's port 80: 404"), "{}", unserved.summary);
    assert_eq!(unserved.candidates[0].reason, "its hosts are a.example on default/edge");
}
