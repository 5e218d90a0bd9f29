//! Routes for Services of other namespaces.

mod support;

use sluicegate_sdk::testing::TestRequest;
use support::gateway::{resource, rule};
use support::{findings, outcome, router};

/// A route of a namespace for the service `shop` of another one.
fn route(own: &str, service: &str) -> String {
    let parent = format!("{{group: '', kind: Service, name: shop, namespace: {service}}}");
    resource("HTTPRoute", own, "r", &format!("parentRefs: [{parent}]\nrules:\n{}", rule("{}", "v1")))
}

#[test]
fn a_route_for_a_service_of_another_namespace_counts_only_in_its_own() {
    let skipped: &[&str] = &["warning SG0243 /spec/parentRefs/0/namespace"];
    // The proxy stands for the namespace `default`.
    for (own, service, expected, problems) in [
        ("default", "default", "v1", &[][..]),
        ("shop", "shop", "v1", &[]),
        ("default", "shop", "v1", &[]),
        ("other", "shop", "next", skipped),
        ("other", "default", "next", skipped),
    ] {
        let yaml = route(own, service);
        let request = TestRequest::get("/").authority(&format!("shop.{service}"));
        assert_eq!(outcome(&router(&yaml), &request), expected, "{own} {service}");
        assert_eq!(findings(&yaml), problems, "{own} {service}");
    }
}
