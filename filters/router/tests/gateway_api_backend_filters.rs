//! Filters of backends beside those of their rule.

mod support;

use support::gateway::{get, open, problems, route, sent};
use support::{router, words};

/// A rule with filters that sends everything to a backend with filters of its own.
fn both(of_rule: &str, of_backend: &str) -> String {
    let rules = format!("- filters: [{of_rule}]\n  backendRefs: [{{name: v1, port: 8080, filters: [{of_backend}]}}]");
    open() + &route("r", &rules)
}

#[test]
fn a_backend_s_rewrite_changes_what_it_names_and_the_rule_s_the_rest() {
    let rewrite = |fields: &str| format!("{{type: URLRewrite, urlRewrite: {{{fields}}}}}");
    let path = |to: &str| format!("path: {{type: ReplaceFullPath, replaceFullPath: {to}}}");
    let host = |name: &str| format!("hostname: {name}");
    for (of_rule, of_backend, expected) in [
        (path("/rule"), host("backend.example"), ["path /rule", "authority backend.example"]),
        (host("rule.example"), path("/backend"), ["path /backend", "authority rule.example"]),
        (
            format!("{}, {}", path("/rule"), host("rule.example")),
            path("/backend"),
            ["path /backend", "authority rule.example"],
        ),
    ] {
        let forward = sent(&router(&both(&rewrite(&of_rule), &rewrite(&of_backend))), &get("example.org", "/a"));
        assert_eq!(words(&forward.edits)[1..], expected, "{of_rule} and {of_backend}");
    }
}

fn mirrors(number: usize) -> String {
    let mirror = |index: usize| {
        format!("{{type: RequestMirror, requestMirror: {{backendRef: {{name: m{index}, port: 8080}}}}}}")
    };
    (0..number).map(mirror).collect::<Vec<_>>().join(", ")
}

#[test]
fn a_rule_and_its_backend_have_eight_mirrors_together() {
    let at_backend = "error SG0242 /spec/rules/0/backendRefs/0/filters";
    let at_rule = "error SG0242 /spec/rules/0/filters";
    for (of_rule, of_backend, expected) in [
        (4, 4, &[][..]),
        (8, 0, &[]),
        (5, 4, &[at_backend]),
        (8, 1, &[at_backend]),
        (0, 9, &[at_backend]),
        (9, 1, &[at_rule]),
    ] {
        assert_eq!(problems(&both(&mirrors(of_rule), &mirrors(of_backend))), expected, "{of_rule} and {of_backend}");
    }
}

#[test]
fn mirrors_of_a_rule_and_of_its_backend_are_drawn_each_for_itself() {
    let half = |service: &str| {
        format!("{{type: RequestMirror, requestMirror: {{backendRef: {{name: {service}, port: 8080}}, percent: 50}}}}")
    };
    let router = router(&both(&half("a"), &half("b")));
    let copies = |number: u32| {
        sent(&router, &get("example.org", "/").attribute("request.id", &format!("{number:032x}"))).mirrors.len()
    };
    let alone = (0..1000).filter(|number| copies(*number) == 1).count();
    assert!((440..560).contains(&alone), "{alone} of 1000 are copied to one of both");
}
