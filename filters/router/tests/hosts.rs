//! Whose requests a document takes, and what several documents of one host give together.
#![allow(clippy::expect_used, reason = "a test may fail where it stands")]

mod support;

use proptest::prelude::*;
use sluicegate_sdk::testing::TestRequest;
use support::{document, findings, get, outcome, router};

fn to(host: &str, destination: &str) -> String {
    format!("hosts: ['{host}']\nhttp: [{{route: [{{destination: {{host: {destination}}}}}]}}]")
}

fn at_gateway(spec: &str) -> String {
    format!("gateways: [edge]\n{spec}")
}

fn asked(authority: &str) -> TestRequest {
    TestRequest::get("/").authority(authority)
}

#[test]
fn a_service_is_reached_under_all_its_names() {
    let router = router(&document("shop", &to("shop", "hit")));
    for authority in
        ["shop", "SHOP", "shop:80", "shop.", "shop.default", "shop.default.svc:8080", "shop.default.svc.cluster.local"]
    {
        assert_eq!(outcome(&router, &asked(authority)), "hit", "{authority}");
    }
    for authority in ["shop2", "shop.other", "shop.default.svc.cluster", "", "x.shop"] {
        assert_eq!(outcome(&router, &asked(authority)), "next", "{authority}");
    }
}

#[test]
fn the_longest_wildcard_wins_and_an_exact_name_before_it() {
    let documents = [
        document("a", &to("*.example.com", "wide")),
        document("b", &to("*.shop.example.com", "narrow")),
        document("c", &to("www.shop.example.com", "exact")),
        document("d", &at_gateway(&to("*", "any"))),
    ];
    let router = router(&documents.concat());
    for (authority, expected) in [
        ("www.shop.example.com:12345", "exact"),
        ("a.b.shop.example.com", "narrow"),
        ("shop.example.com", "wide"),
        ("example.com", "any"),
        ("", "any"),
    ] {
        assert_eq!(outcome(&router, &asked(authority)), expected, "{authority}");
    }
}

#[test]
fn a_host_without_a_matching_rule_is_answered_404_and_one_that_nobody_has_goes_on() {
    let router = router(&support::shop("- match: [{uri: {prefix: /a}}]\n  route: [{destination: {host: hit}}]"));
    let answer = support::answered(&router, &get("/b"));
    assert_eq!((answer.status, answer.body.len(), answer.headers.len()), (404, 0, 0));
    assert_eq!(outcome(&router, &asked("other")), "next");
}

#[test]
fn the_oldest_document_owns_a_host_of_the_mesh() {
    let aged = |name: &str, created: &str, destination: &str| {
        let stamp = format!("  name: {name}\n  creationTimestamp: \"{created}\"");
        document(name, &to("shop", destination)).replace(&format!("  name: {name}"), &stamp)
    };
    let yaml = [
        aged("a", "2026-02-01T00:00:00Z", "young"),
        aged("b", "2026-01-01T00:00:00Z", "old"),
        document("0", &to("shop", "undated")).replace("name: 0", "name: '0'"),
    ];
    assert_eq!(outcome(&router(&yaml.concat()), &get("/")), "old");
    assert_eq!(findings(&yaml.concat()), ["warning SG0222 /spec/hosts/0", "warning SG0222 /spec/hosts/0"]);
}

#[test]
fn without_timestamps_the_name_decides_and_never_the_order_of_the_files() {
    let (one, two) = (document("a", &to("shop", "first")), document("b", &to("shop", "second")));
    assert_eq!(outcome(&router(&format!("{one}{two}")), &get("/")), "first");
    assert_eq!(outcome(&router(&format!("{two}{one}")), &get("/")), "first");
}

#[test]
fn documents_of_a_gateway_add_up_with_what_takes_everything_at_the_end() {
    let narrow = "hosts: [shop]\nhttp: [{match: [{uri: {prefix: /b}}], route: [{destination: {host: narrow}}]}]";
    let yaml = document("a", &at_gateway(&to("shop", "everything"))) + &document("b", &at_gateway(narrow));
    let router = router(&yaml);
    assert_eq!(outcome(&router, &get("/b")), "narrow");
    assert_eq!(outcome(&router, &get("/a")), "everything");
    assert!(findings(&yaml).is_empty());
}

#[test]
fn a_name_that_is_written_goes_before_one_that_is_made() {
    let yaml = document("a", &to("shop", "made")) + &document("b", &to("shop.default", "written"));
    let router = router(&yaml);
    assert_eq!(outcome(&router, &asked("shop.default")), "written");
    assert_eq!(outcome(&router, &asked("shop")), "made");
}

/// A document of the property test: its hosts, and rules as prefix or exact path with the destination's number.
#[derive(Debug, Clone)]
struct Drawn {
    hosts: Vec<&'static str>,
    rules: Vec<(bool, &'static str)>,
}

fn drawn() -> impl Strategy<Value = Drawn> {
    let hosts = proptest::sample::subsequence(vec!["x.a", "y.a", "x.b.a", "*.c", "*.b.d", "z.e"], 1..4);
    let rule = (any::<bool>(), proptest::sample::select(vec!["/", "/a", "/a/b", "/b"]));
    (hosts, proptest::collection::vec(rule, 1..4)).prop_map(|(hosts, rules)| Drawn { hosts, rules })
}

fn written(number: usize, drawn: &Drawn) -> String {
    let rule = |(index, (prefix, path)): (usize, &(bool, &str))| {
        let kind = if *prefix { "prefix" } else { "exact" };
        format!("- match: [{{uri: {{{kind}: {path}}}}}]\n  route: [{{destination: {{host: d{number}r{index}}}}}]\n")
    };
    let rules: String = drawn.rules.iter().enumerate().map(rule).collect();
    document(&format!("d{number}"), &format!("hosts: {:?}\nhttp:\n{rules}", drawn.hosts))
}

/// What the router must decide, by looking at every document and every rule.
fn naive(documents: &[Drawn], host: &str, path: &str) -> String {
    let fits = |pattern: &str| match pattern.strip_prefix('*') {
        Some(suffix) => host.len() > suffix.len() && host.ends_with(suffix),
        None => pattern == host,
    };
    let patterns = documents.iter().flat_map(|document| document.hosts.iter().copied());
    let best =
        patterns.filter(|pattern| fits(pattern)).max_by_key(|pattern| (!pattern.starts_with('*'), pattern.len()));
    let Some(best) = best else { return "next".to_owned() };
    let owner = documents.iter().position(|document| document.hosts.contains(&best)).expect("one has it");
    let takes = |(prefix, rule): &(bool, &str)| if *prefix { path.starts_with(rule) } else { path == *rule };
    match documents[owner].rules.iter().position(takes) {
        Some(rule) => format!("d{owner}r{rule}"),
        None => "404".to_owned(),
    }
}

proptest! {
    #[test]
    fn the_table_decides_as_looking_at_everything_does(
        documents in proptest::collection::vec(drawn(), 0..5),
        host in "[xyz]\\.(a|b\\.a|c|b\\.c|b\\.d|d|e)",
        path in "(/|/a|/a/b|/b|/c|/ab)",
    ) {
        let yaml: String = documents.iter().enumerate().map(|(number, drawn)| written(number, drawn)).collect();
        let request = TestRequest::get(&path).authority(&host);
        prop_assert_eq!(outcome(&router(&yaml), &request), naive(&documents, &host, &path));
    }
}
