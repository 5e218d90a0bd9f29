//! What a large configuration costs: to load, and for each request.
#![allow(clippy::expect_used, reason = "a test may fail where it stands")]

mod support;

use serde_json::json;
use sluicegate_router::Router;
use sluicegate_router::matching::PathIndex;
use sluicegate_router::text::Pattern;
use sluicegate_sdk::testing::{TestRequest, configure, resource};
use sluicegate_sdk::{RequestFilter, Resource};
use std::time::Instant;

/// A VirtualService with a host of its own and two rules.
fn virtual_service(number: u32) -> Resource {
    let to = |host: &str| json!([{"destination": {"host": format!("{host}-{number}")}}]);
    let document = json!({
        "apiVersion": "networking.istio.io/v1",
        "kind": "VirtualService",
        "metadata": {"name": format!("service-{number}")},
        "spec": {
            "hosts": [format!("service-{number}.example.com")],
            "http": [{"match": [{"uri": {"prefix": "/api"}}], "route": to("api")}, {"route": to("pages")}],
        },
    });
    resource(number, &document.to_string())
}

/// `cargo test -p sluicegate-router --test load -- --ignored --nocapture`
#[test]
#[ignore = "prints figures that only mean something in a release build"]
fn figures_of_ten_thousand_resources() {
    let resources: Vec<Resource> = (0..10_000).map(virtual_service).collect();
    let start = Instant::now();
    let (router, _) = configure::<Router>((), &resources);
    println!("10,000 VirtualServices with 2 rules each load in {:?}", start.elapsed());
    let request = TestRequest::get("/api/orders").authority("service-7777.example.com");
    let start = Instant::now();
    for _ in 0..10_000 {
        std::hint::black_box(router.on_request(&request.request()));
    }
    println!("a request takes {:?}", start.elapsed() / 10_000);
}

#[test]
fn ten_thousand_resources_load_in_seconds_even_without_optimisation() {
    let resources: Vec<Resource> = (0..10_000).map(virtual_service).collect();
    let start = Instant::now();
    let (router, diagnostics) = configure::<Router>((), &resources);
    let took = start.elapsed();
    assert!(!diagnostics.has_errors());
    assert!(took.as_secs() < 10, "{took:?}: a cost that grows with the square would be far above");
    let request = TestRequest::get("/api/orders").authority("service-7777.example.com");
    assert_eq!(support::outcome(&router, &request), "api-7777");
}

/// How many entries are asked for their other conditions, for paths that each kind of entry takes, in an index of so many
/// entries of each kind. No entry holds, which is the dearest case.
fn asked(entries: usize) -> usize {
    let regex = |text: String| {
        let compiled = regex_lite::Regex::new(&format!("^(?:{text})$")).expect("the test's own expression");
        Pattern::Regex(compiled, text)
    };
    let kinds: [&dyn Fn(usize) -> Pattern; 6] = [
        &|number| Pattern::Exact(format!("/exact/{number}")),
        &|number| Pattern::ExactAnyCase(format!("/Any/{number}")),
        &|number| Pattern::Prefix(format!("/prefix/{number}/")),
        &|number| Pattern::PrefixAnyCase(format!("/Start/{number}/")),
        &|number| Pattern::Segments(format!("/segments/{number}")),
        &|number| regex(format!("/expression/{number}/[a-z]+")),
    ];
    let patterns: Vec<Pattern> = (0..entries).flat_map(|number| kinds.iter().map(move |kind| kind(number))).collect();
    let index = PathIndex::build(patterns.iter().map(Some).enumerate());
    let mut asked = 0;
    for number in [0, entries / 2, entries - 1] {
        for path in ["exact/N", "any/N", "prefix/N/x", "start/N/x", "segments/N/x", "expression/N/x", "nothing/N"] {
            index.first(&format!("/{}", path.replace('N', &number.to_string())), |_, _| {
                asked += 1;
                false
            });
        }
    }
    asked
}

#[test]
fn a_request_is_compared_with_as_few_of_many_rules_as_of_few() {
    let (few, many) = (asked(10), asked(10_000));
    assert!(few >= 18, "each kind is found at each place: {few}");
    assert!(many <= 3 * few, "{many} of 10,000, but {few} of 10");
}

/// `cargo test -p sluicegate-router --test load -- --ignored --nocapture`
#[test]
#[ignore = "prints figures that only mean something in a release build"]
fn figures_of_one_host_with_many_rules() {
    for rules in [10_u32, 1_000, 10_000] {
        let to = |number: u32| json!([{"destination": {"host": format!("to-{number}")}}]);
        let rule = |number: u32| {
            let uri = match number % 3 {
                0 => json!({"regex": format!("/users/{number}/[a-z]+")}),
                1 => json!({"prefix": format!("/orders/{number}/")}),
                _ => json!({"exact": format!("/items/{number}")}),
            };
            json!({"match": [{"uri": uri}], "route": to(number)})
        };
        let http: Vec<serde_json::Value> = (0..rules).map(rule).collect();
        let document = json!({
            "apiVersion": "networking.istio.io/v1",
            "kind": "VirtualService",
            "metadata": {"name": "all"},
            "spec": {"hosts": ["all.example.com"], "http": http},
        });
        let start = Instant::now();
        let (router, _) = configure::<Router>((), &[resource(0, &document.to_string())]);
        println!("{rules} rules of one host load in {:?}", start.elapsed());
        for path in ["/users/9/x", "/orders/7/x", "/items/8", "/nothing"] {
            let request = TestRequest::get(path).authority("all.example.com");
            router.on_request(&request.request());
            let start = Instant::now();
            for _ in 0..1_000 {
                std::hint::black_box(router.on_request(&request.request()));
            }
            println!("  {path} takes {:?}", start.elapsed() / 1_000);
        }
    }
}
