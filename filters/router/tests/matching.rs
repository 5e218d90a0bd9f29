//! Which requests a match block takes.

mod support;

use sluicegate_router::Router;
use sluicegate_sdk::testing::TestRequest;
use support::{get, outcome, router, shop};

/// A router whose first rule has this block and leads to `hit`; everything else goes to `miss`.
fn block(block: &str) -> Router {
    let route = |host: &str| format!("route: [{{destination: {{host: {host}}}}}]");
    router(&shop(&format!("- match: [{block}]\n  {}\n- {}", route("hit"), route("miss"))))
}

fn takes(router: &Router, request: &TestRequest) -> bool {
    match outcome(router, request).as_str() {
        "hit" => true,
        "miss" => false,
        other => panic!("{other}"),
    }
}

#[test]
fn headers_follow_the_truth_table() {
    for (condition, absent, empty, same, other) in [
        ("headers: {H: {}}", false, true, true, true),
        ("headers: {H: {exact: v}}", false, false, true, false),
        ("headers: {H: {prefix: v}}", false, false, true, false),
        ("headers: {H: {regex: 'v|w'}}", false, false, true, false),
        ("withoutHeaders: {H: {}}", true, false, false, false),
        ("withoutHeaders: {H: {regex: '*'}}", true, false, false, false),
        ("withoutHeaders: {H: {exact: v}}", true, true, false, true),
        ("withoutHeaders: {H: {prefix: v}}", true, true, false, true),
        ("withoutHeaders: {H: {regex: '.*'}}", false, false, false, false),
    ] {
        let router = block(&format!("{{{condition}}}"));
        assert_eq!(takes(&router, &get("/")), absent, "{condition}, absent");
        assert_eq!(takes(&router, &get("/").header("h", "")), empty, "{condition}, empty");
        assert_eq!(takes(&router, &get("/").header("h", "v")), same, "{condition}, v");
        assert_eq!(takes(&router, &get("/").header("h", "other")), other, "{condition}, other");
    }
}

#[test]
fn paths_match_as_plain_text_or_by_a_whole_expression() {
    for (uri, path, expected) in [
        ("uri: {exact: /v2}", "/v2", true),
        ("uri: {exact: /v2}", "/v2/", false),
        ("uri: {exact: /v2}", "/v2?a=b", true),
        ("uri: {exact: /v2}", "/V2", false),
        ("uri: {exact: /v2}, ignoreUriCase: true", "/V2", true),
        ("uri: {prefix: /v2}", "/v2example", true),
        ("uri: {prefix: /v2}", "/v", false),
        ("uri: {prefix: /v2}, ignoreUriCase: true", "/V2/x", true),
        ("uri: {prefix: /v2}, ignoreUriCase: true", "/v", false),
        ("uri: {prefix: ''}", "/anything", true),
        (r"uri: {regex: '/v\d'}", "/v2", true),
        (r"uri: {regex: '/v\d'}", "/v22", false),
        (r"uri: {regex: '/v\d'}", "/x/v2", false),
        ("uri: {regex: '/a|/ab'}", "/ab", true),
        ("uri: {regex: '/a.*'}", "/a?q", true),
        ("uri: {regex: '/A'}, ignoreUriCase: true", "/a", false),
        ("uri: {regex: '(?i)/A'}", "/a", true),
        ("uri: {regex: '/caf.'}", "/café", true),
    ] {
        assert_eq!(takes(&block(&format!("{{{uri}}}")), &get(path)), expected, "{uri} {path}");
    }
}

#[test]
fn query_parameters_match_by_name_and_whole_value() {
    for (parameter, path, expected) in [
        ("k: {}", "/?k", true),
        ("k: {}", "/?k=v", true),
        ("k: {}", "/?K=v", false),
        ("k: {}", "/", false),
        ("k: {exact: ''}", "/?k=", true),
        ("k: {exact: ''}", "/?k", true),
        ("k: {exact: ''}", "/?k=v", false),
        ("k: {exact: v}", "/?a=b&k=v", true),
        ("k: {exact: v}", "/?k=w&k=v", false),
        ("k: {prefix: v}", "/?k=value", true),
        (r"k: {regex: '\d+$'}", "/?k=123", true),
        (r"k: {regex: '\d+$'}", "/?k=a123", false),
    ] {
        assert_eq!(
            takes(&block(&format!("{{queryParams: {{{parameter}}}}}")), &get(path)),
            expected,
            "{parameter} {path}"
        );
    }
}

#[test]
fn method_scheme_authority_and_port_are_compared() {
    let post = TestRequest::post("/").authority("shop:8080").scheme("https").attribute("listener.port", "8443");
    for (condition, expected) in [
        ("method: {exact: POST}", true),
        ("method: {exact: post}", false),
        ("method: {regex: 'GET|POST'}", true),
        ("scheme: {exact: https}", true),
        ("scheme: {exact: http}", false),
        ("authority: {exact: 'shop:8080'}", true),
        ("authority: {exact: shop}", false),
        ("authority: {prefix: shop}", true),
        ("port: 8443", true),
        ("port: 80", false),
        ("headers: {':method': {exact: POST}}", true),
        ("headers: {':path': {exact: /}}", true),
        ("headers: {':authority': {prefix: shop}}", true),
        ("headers: {Host: {exact: 'shop:8080'}}", true),
        ("sourceNamespace: default", true),
        ("sourceNamespace: other", false),
        ("sourceLabels: {app: x}", false),
        ("gateways: [some]", true),
    ] {
        assert_eq!(takes(&block(&format!("{{{condition}}}")), &post), expected, "{condition}");
    }
}

#[test]
fn a_port_that_the_host_does_not_tell_matches_nothing() {
    assert!(!takes(&block("{port: 80}"), &get("/")));
}

#[test]
fn several_values_of_a_header_are_compared_joined() {
    let router = block("{headers: {h: {exact: 'a,b'}}}");
    assert!(takes(&router, &get("/").header("h", "a").header("H", "b")));
    assert!(!takes(&router, &get("/").header("h", "a")));
}

#[test]
fn all_conditions_of_a_block_must_hold() {
    let router = block("{uri: {prefix: /a}, headers: {h: {exact: v}}}");
    assert!(takes(&router, &get("/a").header("h", "v")));
    assert!(!takes(&router, &get("/a")));
    assert!(!takes(&router, &get("/b").header("h", "v")));
}

#[test]
fn one_block_of_several_is_enough() {
    let router = block("{uri: {prefix: /a}}, {headers: {h: {exact: v}}}");
    assert!(takes(&router, &get("/a")));
    assert!(takes(&router, &get("/b").header("h", "v")));
    assert!(!takes(&router, &get("/b")));
}

#[test]
fn a_null_block_and_no_block_take_everything() {
    assert!(takes(&block("null"), &get("/anything")));
    assert!(takes(&block(""), &get("/anything")));
    assert!(takes(&block("{uri: null, headers: null}"), &get("/anything")));
}

#[test]
fn a_claim_matches_nothing_while_no_token_is_verified() {
    let with = |field: &str| {
        let claim = "'@request.auth.claims.group': {exact: dev}";
        let rule = format!("- match: [{{{field}: {{{claim}}}}}]\n  route: [{{destination: {{host: hit}}}}]");
        let indented = rule.replace('\n', "\n  ");
        router(&support::document("shop", &format!("hosts: [shop]\ngateways: [edge]\nhttp:\n  {indented}")))
    };
    assert_eq!(outcome(&with("headers"), &get("/")), "404");
    assert_eq!(outcome(&with("withoutHeaders"), &get("/")), "hit");
}
