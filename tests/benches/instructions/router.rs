//! The router, which finds a rule.

use super::Case;
use serde_json::{Value, json};
use sluicegate_router::Router;
use sluicegate_sdk::RequestFilter;
use sluicegate_sdk::testing::{TestRequest, configure, resource};
use std::hint::black_box;

pub(crate) const CASES: [Case; 2] = [
    Case { name: "router: the last of 10 rules", prepare: || last_of(10) },
    Case { name: "router: the last of 1,000 rules", prepare: || last_of(1000) },
];

fn last_of(rules: u32) -> Box<dyn FnMut()> {
    let (router, diagnostics) = configure::<Router>((), &[resource(0, &virtual_service(rules).to_string())]);
    assert!(!diagnostics.has_errors(), "the rules are refused");
    let request = TestRequest::get("/last/stock").authority("origin").header("x-tenant", "blue");
    Box::new(move || {
        black_box(router.on_request(black_box(&request.request())));
    })
}

/// Each rule is a prefix and a header, as in `cargo xtask bench routes`.
fn virtual_service(rules: u32) -> Value {
    let prefixes = (1..rules).map(|number| format!("/service-{number:04}/")).chain(["/last/".to_owned()]);
    let http: Vec<Value> = prefixes
        .map(|prefix| {
            json!({
                "match": [{"uri": {"prefix": prefix}, "headers": {"x-tenant": {"exact": "blue"}}}],
                "route": [{"destination": {"host": "origin", "port": {"number": 80}}}],
            })
        })
        .collect();
    json!({
        "apiVersion": "networking.istio.io/v1",
        "kind": "VirtualService",
        "metadata": {"name": "origin"},
        "spec": {"hosts": ["origin"], "http": http},
    })
}
