//! Which rule of which HTTPRoute takes a request: the Gateway API's conformance tables for matching.

mod support;

use sluicegate_sdk::testing::TestRequest;
use support::gateway::{asked, at, get, listener, open, route, route_to, rule};
use support::{outcome, router};

/// Checks `request -> outcome` lines against routes behind an open listener.
fn check(attached: &str, table: &[(&str, &str)]) {
    let router = router(&(open() + attached));
    for (request, expected) in table {
        assert_eq!(outcome(&router, &asked(request)), *expected, "{request}");
    }
}

fn exact(path: &str) -> String {
    format!("{{path: {{type: Exact, value: {path}}}}}")
}

fn prefix(path: &str) -> String {
    format!("{{path: {{type: PathPrefix, value: {path}}}}}")
}

fn version(value: &str) -> String {
    format!("{{headers: [{{name: version, value: {value}}}]}}")
}

#[test]
fn a_rule_that_asks_for_nothing_takes_everything() {
    check(&route("r", "- backendRefs: [{name: v1, port: 8080}]"), &[("GET /", "v1"), ("POST /a/b", "v1")]);
}

#[test]
fn exact_paths() {
    let rules = rule(&exact("/one"), "v1") + &rule(&exact("/two"), "v2");
    check(
        &route("r", &rules),
        &[
            ("GET /one", "v1"),
            ("GET /two", "v2"),
            ("GET /", "404"),
            ("GET /one/example", "404"),
            ("GET /two/", "404"),
            ("GET /Two", "404"),
        ],
    );
}

#[test]
fn prefixes_are_whole_segments_and_headers_count_less_than_paths() {
    let rules = rule(&format!("{}, {}", prefix("/"), version("one")), "v1")
        + &rule(&format!("{}, {}", prefix("/v2"), version("two")), "v2");
    check(
        &route("r", &rules),
        &[
            ("GET /", "v1"),
            ("GET /example", "v1"),
            ("GET / version=one", "v1"),
            ("GET /v2", "v2"),
            ("GET /v2/", "v2"),
            ("GET /v2/example", "v2"),
            ("GET / version=two", "v2"),
            ("GET /v2example", "v1"),
            ("GET /foo/v2/example", "v1"),
        ],
    );
}

#[test]
fn more_headers_win_and_then_the_first_rule() {
    let header = |name: &str, value: &str| format!("{{headers: [{{name: {name}, value: {value}}}]}}");
    let rules = rule(&version("one"), "v1")
        + &rule(&version("two"), "v2")
        + &rule("{headers: [{name: version, value: two}, {name: color, value: orange}]}", "v1")
        + &rule(&format!("{}, {}", header("color", "blue"), header("color", "green")), "v1")
        + &rule(&format!("{}, {}", header("color", "red"), header("color", "yellow")), "v2");
    check(
        &route("r", &rules),
        &[
            ("GET / version=one", "v1"),
            ("GET / Version=two", "v2"),
            ("GET / version=two color=orange", "v1"),
            ("GET / version=two color=blue", "v2"),
            ("GET / color=orange", "404"),
            ("GET / some-other-header=one", "404"),
            ("GET / color=blue", "v1"),
            ("GET / color=green", "v1"),
            ("GET / color=red", "v2"),
            ("GET / color=yellow", "v2"),
            ("GET / color=purple", "404"),
        ],
    );
}

#[test]
fn rules_of_several_routes_of_one_host_compete() {
    let first = rule(&format!("{}, {}", prefix("/"), version("one")), "v1");
    let second = rule(&format!("{}, {}", prefix("/v2"), version("two")), "v2");
    let yaml = open()
        + &route_to("r1", "{name: edge}", "example.com, example.net", &first)
        + &route_to("r2", "{name: edge}", "example.com", &second);
    let router = router(&yaml);
    for (authority, path, header, expected) in [
        ("example.com", "/", "", "v1"),
        ("example.com", "/example", "", "v1"),
        ("example.net", "/example", "", "v1"),
        ("example.com", "/example", "one", "v1"),
        ("example.com", "/v2", "", "v2"),
        ("example.com", "/v2/example", "", "v2"),
        ("example.net", "/v2", "", "v1"),
        ("example.com", "/", "two", "v2"),
    ] {
        assert_eq!(outcome(&router, &get(authority, path).header("version", header)), expected, "{authority}{path}");
    }
}

#[test]
fn exact_paths_win_over_prefixes_and_longer_prefixes_over_shorter_ones() {
    let rules = [
        (exact("/match"), "v1"),
        (exact("/match/exact"), "v2"),
        (exact("/match/exact/one"), "v3"),
        (prefix("/match/"), "v3"),
        (prefix("/match/prefix/"), "v1"),
        (prefix("/match/prefix/one"), "v2"),
    ];
    let rules: String = rules.iter().map(|(matches, service)| rule(matches, service)).collect();
    check(
        &route("r", &rules),
        &[
            ("GET /match", "v1"),
            ("GET /match/exact", "v2"),
            ("GET /match/exact/one", "v3"),
            ("GET /match/prefix/one/any", "v2"),
            ("GET /match/prefix/any", "v1"),
            ("GET /match/any", "v3"),
        ],
    );
}

#[test]
fn an_expression_comes_after_every_prefix_and_the_longest_first() {
    let expression = |text: &str| format!("{{path: {{type: RegularExpression, value: '{text}'}}}}");
    let rules = rule(&expression("/a.*"), "v1") + &rule(&expression("/a/b+"), "v2") + &rule(&prefix("/a/b"), "v3");
    check(&route("r", &rules), &[("GET /a/c", "v1"), ("GET /a/b", "v3"), ("GET /a/bb", "v2"), ("GET /xa/bb", "404")]);
}

#[test]
fn methods() {
    let rules = [
        ("{method: POST}", "v1"),
        ("{method: GET}", "v2"),
        ("{path: {value: /path1}, method: GET}", "v1"),
        ("{headers: [{name: version, value: one}], method: PUT}", "v2"),
        ("{path: {value: /path2}, headers: [{name: version, value: two}], method: POST}", "v3"),
        (
            "{path: {value: /path3}, method: PATCH}, {path: {value: /path4}, headers: [{name: version, value: three}], method: DELETE}",
            "v1",
        ),
        ("{path: {value: /path5}}", "v1"),
        ("{method: PATCH}", "v2"),
        ("{headers: [{name: version, value: four}]}", "v3"),
    ];
    let rules: String = rules.iter().map(|(matches, service)| rule(matches, service)).collect();
    check(
        &route("r", &rules),
        &[
            ("POST /", "v1"),
            ("GET /", "v2"),
            ("HEAD /", "404"),
            ("GET /path1", "v1"),
            ("PUT / version=one", "v2"),
            ("POST /path2 version=two", "v3"),
            ("PATCH /path3", "v1"),
            ("DELETE /path4 version=three", "v1"),
            ("PUT /", "404"),
            ("DELETE /path4", "404"),
            ("PATCH /path5", "v1"),
            ("PATCH / version=four", "v2"),
        ],
    );
}

#[test]
fn query_parameters() {
    let animal = |value: &str| format!("queryParams: [{{name: animal, value: {value}}}]");
    let header = |value: &str| format!("headers: [{{name: version, value: {value}}}]");
    let path = |value: &str| format!("path: {{value: {value}}}");
    let rules = [
        (format!("{{{}}}", animal("whale")), "v1"),
        (format!("{{{}}}", animal("dolphin")), "v2"),
        (
            "{queryParams: [{name: animal, value: dolphin}, {name: color, value: blue}]}, {queryParams: [{name: ANIMAL, value: Whale}]}"
                .to_owned(),
            "v3",
        ),
        (format!("{{{}, {}}}", path("/path1"), animal("whale")), "v1"),
        (format!("{{{}, {}}}", header("one"), animal("whale")), "v2"),
        (format!("{{{}, {}, {}}}", path("/path2"), header("two"), animal("whale")), "v3"),
        (
            format!(
                "{{{}, {}}}, {{{}, {}, {}}}",
                path("/path3"),
                animal("shark"),
                path("/path4"),
                animal("kraken"),
                header("three")
            ),
            "v1",
        ),
        (format!("{{{}}}", path("/path5")), "v1"),
        (format!("{{{}}}", animal("hydra")), "v2"),
        (format!("{{{}}}", header("four")), "v3"),
    ];
    let rules: String = rules.iter().map(|(matches, service)| rule(matches, service)).collect();
    check(
        &route("r", &rules),
        &[
            ("GET /?animal=whale", "v1"),
            ("GET /?animal=dolphin", "v2"),
            ("GET /?animal=dolphin&color=blue", "v3"),
            ("GET /?ANIMAL=Whale", "v3"),
            ("GET /?animal=whale&otherparam=irrelevant", "v1"),
            ("GET /?animal=dolphin&color=yellow", "v2"),
            ("GET /?color=blue", "404"),
            ("GET /?animal=dog", "404"),
            ("GET /?animal=whaledolphin", "404"),
            ("GET /", "404"),
            ("GET /path1?animal=whale", "v1"),
            ("GET /?animal=whale version=one", "v2"),
            ("GET /path2?animal=whale version=two", "v3"),
            ("GET /path3?animal=shark", "v1"),
            ("GET /path4?animal=kraken version=three", "v1"),
            ("GET /?animal=shark", "404"),
            ("GET /path4?animal=kraken", "404"),
            ("GET /path5?animal=hydra", "v1"),
            ("GET /?animal=hydra version=four", "v3"),
        ],
    );
}

#[test]
fn of_equal_rules_the_oldest_route_wins_then_the_first_name() {
    let aged = |name: &str, created: &str| {
        let yaml = route(name, &rule(&prefix("/"), name));
        yaml.replace(&format!("name: {name}, namespace"), &format!("name: {name}, {created}namespace"))
    };
    let old = "creationTimestamp: '2020-01-01T00:00:00Z', ";
    let young = "creationTimestamp: '2024-01-01T00:00:00Z', ";
    for (routes, expected) in [
        (aged("a", young) + &aged("b", old), "b"),
        (aged("a", old) + &aged("b", young), "a"),
        (aged("b", "") + &aged("a", ""), "a"),
        (aged("a", "") + &aged("b", young), "b"),
    ] {
        check(&routes, &[("GET /", expected)]);
    }
}

#[test]
fn a_more_specific_host_wins_over_any_path_and_leaves_to_others_what_it_does_not_want() {
    let yaml = open()
        + &route_to(
            "wide",
            "{name: edge}",
            "'*.example.com'",
            &(rule(&exact("/a"), "wide") + &rule(&exact("/b"), "wide")),
        )
        + &route_to("narrow", "{name: edge}", "a.example.com", &rule(&exact("/a"), "narrow"))
        + &route_to("any", "{name: edge}", "", &rule(&exact("/c"), "any"));
    let router = router(&yaml);
    for (authority, path, expected) in [
        ("a.example.com", "/a", "narrow"),
        ("a.example.com", "/b", "wide"),
        ("a.example.com", "/c", "any"),
        ("b.example.com", "/a", "wide"),
        ("other.org", "/a", "404"),
        ("other.org", "/c", "any"),
    ] {
        assert_eq!(outcome(&router, &get(authority, path)), expected, "{authority}{path}");
    }
}

#[test]
fn named_rules_give_requests_their_names() {
    let rules = format!("- name: first\n  {}{}", &rule(&exact("/one"), "v1")[2..], rule(&exact("/two"), "v2"));
    let router = router(&(open() + &route("r", &rules)));
    for (path, expected) in [("/one", "route: first"), ("/two", "route: default/r/1")] {
        let forward = support::gateway::sent(&router, &get("example.com", path));
        assert_eq!(support::words(&forward.edits), [expected]);
    }
}

#[test]
fn a_request_by_another_port_is_not_the_route_s() {
    let yaml = support::gateway::edge(&(listener("a", 80, "") + &listener("b", 8080, "")))
        + &route_to("r", "{name: edge, port: 80}", "", &rule(&prefix("/"), "v1"));
    let router = router(&yaml);
    let by = |port| outcome(&router, &at(TestRequest::get("/").authority("example.com"), port));
    assert_eq!((by(80), by(8080), by(9090)), ("v1".to_owned(), "404".to_owned(), "next".to_owned()));
}
