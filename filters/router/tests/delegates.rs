//! Rules that another resource has.

mod support;

use sluicegate_sdk::Explain;
use sluicegate_sdk::testing::TestRequest;
use support::{document, findings, forwarded, get, outcome, router, words};

/// A resource for the host `shop` whose first rule delegates to `orders`, with more fields; everything else goes to `rest`.
fn root(fields: &str) -> String {
    document(
        "shop",
        &format!(
            "hosts: [shop]\nhttp:\n- delegate: {{name: orders}}\n  {fields}\n- route: [{{destination: {{host: rest}}}}]"
        ),
    )
}

/// The resource `orders`, without hosts.
fn orders(rules: &str) -> String {
    document("orders", &format!("http:\n{rules}"))
}

const TO_ORDERS: &str = "- route: [{destination: {host: orders}}]";

#[test]
fn a_rule_takes_what_both_resources_take() {
    let own = "- match: [{uri: {prefix: /orders/new}, method: {exact: POST}}]
  route: [{destination: {host: new}}]
- match: [{uri: {prefix: /other}}]
  route: [{destination: {host: never}}]
- route: [{destination: {host: orders}}]";
    let router = router(&(root("match: [{uri: {prefix: /orders}}]") + &orders(own)));
    for (request, expected) in [
        (TestRequest::post("/orders/new"), "new"),
        (TestRequest::get("/orders/new"), "orders"),
        (TestRequest::get("/orders"), "orders"),
        (TestRequest::get("/other"), "rest"),
    ] {
        assert_eq!(outcome(&router, &request.authority("shop")), expected);
    }
}

#[test]
fn a_delegate_without_matches_takes_the_root_s_and_the_other_way_round() {
    let of_root = router(&(root("match: [{uri: {prefix: /orders}}]") + &orders(TO_ORDERS)));
    assert_eq!(outcome(&of_root, &get("/orders")), "orders");
    assert_eq!(outcome(&of_root, &get("/a")), "rest");
    let of_delegate =
        router(&(root("name: a") + &orders(&TO_ORDERS.replace("- ", "- match: [{uri: {prefix: /a}}]\n  "))));
    assert_eq!(outcome(&of_delegate, &get("/orders")), "rest");
    assert_eq!(outcome(&of_delegate, &get("/a")), "orders");
}

#[test]
fn the_delegate_s_fields_win_as_a_whole_and_the_root_fills_in_the_others() {
    let fields = "name: root
  timeout: 1s
  rewrite: {uri: /root}
  headers: {request: {set: {x-root: '1'}}}";
    let own = "- name: own
  route: [{destination: {host: orders}}]
  headers: {request: {set: {x-own: '1'}}}
  timeout: 2s";
    let router = router(&(root(fields) + &orders(own)));
    let forward = forwarded(&router, &get("/"));
    assert_eq!(forward.timeout, Some(2000));
    assert_eq!(words(&forward.edits), ["route: root-own", "path /root", "set x-own=1"]);
}

#[test]
fn what_a_redirect_excludes_is_not_filled_in() {
    let router = router(&(root("rewrite: {uri: /root}") + &orders("- redirect: {uri: /there}")));
    let answer = support::answered(&router, &get("/"));
    assert_eq!(support::header(&answer, "location").as_deref(), Some("http://shop/there"));
}

#[test]
fn short_names_of_services_stand_in_the_namespace_of_the_delegate() {
    let other = orders(TO_ORDERS).replace("name: orders\n", "name: orders\n  namespace: other\n");
    let root = root("name: a").replace("{name: orders}", "{name: orders, namespace: other}");
    let forward = forwarded(&router(&(root + &other)), &get("/"));
    assert_eq!(forward.destination.host, "orders.other.svc.cluster.local");
    assert_eq!(words(&forward.edits), ["route: a"]);
}

#[test]
fn a_delegate_serves_several_roots_and_no_host_of_its_own() {
    let two = root("name: a") + &root("name: b").replace("shop", "mall") + &orders(TO_ORDERS);
    let router = router(&two);
    assert_eq!(outcome(&router, &get("/")), "orders");
    assert_eq!(outcome(&router, &get("/").authority("mall")), "orders");
    assert_eq!(outcome(&router, &get("/").authority("orders")), "next");
}

#[test]
fn rules_without_a_name_are_named_after_the_delegate() {
    let router = router(&(root("match: [{uri: {prefix: /}}]") + &orders(TO_ORDERS)));
    assert_eq!(words(&forwarded(&router, &get("/")).edits), ["route: default/orders/0"]);
}

#[test]
fn mistakes_are_told_where_they_are() {
    let missing = root("match: [{uri: {prefix: /orders}}]");
    assert_eq!(findings(&missing), ["warning SG0232 /spec/http/0/delegate"]);
    assert_eq!(outcome(&router(&missing), &get("/orders")), "rest");

    let with_hosts = document("orders", &format!("hosts: [orders]\nhttp:\n{TO_ORDERS}"));
    assert_eq!(findings(&(root("name: a") + &with_hosts)), ["error SG0218 /spec/http/0/delegate"]);

    let unnamed = root("name: a").replace("{name: orders}", "{}");
    assert_eq!(findings(&unnamed), ["error SG0218 /spec/http/0/delegate"]);

    assert_eq!(findings(&orders(TO_ORDERS)), ["note SG0220 /spec"]);

    let nested = orders("- delegate: {name: deeper}");
    assert_eq!(
        findings(
            &(root("match: [{uri: {prefix: /orders}}]") + &nested + &orders(TO_ORDERS).replace("orders", "deeper"))
        ),
        ["error SG0218 /spec/http/0/delegate"]
    );

    let bound = document("orders", &format!("gateways: [edge]\nhttp:\n{TO_ORDERS}"));
    assert_eq!(findings(&(root("match: [{uri: {prefix: /a}}]") + &bound)), ["error SG0218 /spec/gateways"]);

    let routed = root("route: [{destination: {host: a}}]") + &orders(TO_ORDERS);
    assert!(findings(&routed).contains(&"error SG0205 /spec/http/0/route".to_owned()));
}

#[test]
fn a_pair_that_no_request_can_meet_is_warned_of_and_errors_of_the_delegate_are_told_once() {
    let own = "- match: [{uri: {regex: '/orders.*'}}]\n  route: [{destination: {host: orders}}]";
    let yaml = root("match: [{uri: {prefix: /orders}}]") + &orders(own);
    assert_eq!(findings(&yaml), ["warning SG0223 /spec/http/0/delegate"]);
    assert_eq!(outcome(&router(&yaml), &get("/orders")), "rest");
    let wrong = root("match: [{uri: {prefix: /orders}}]") + &orders(&format!("{TO_ORDERS}\n  timeout: soon"));
    assert_eq!(findings(&wrong), ["error SG0213 /spec/http/0/timeout"]);
}

#[test]
fn what_comes_behind_a_delegate_that_takes_everything_is_warned_of() {
    let yaml = root("name: a") + &orders(TO_ORDERS);
    assert_eq!(findings(&yaml), ["warning SG0221 /spec/http/1"]);
}

#[test]
fn explain_names_both_resources() {
    let router = router(&(root("match: [{uri: {prefix: /orders}}]") + &orders(TO_ORDERS)));
    let candidates = router.explain(&get("/orders").request()).candidates;
    assert_eq!(candidates[0].name, "VirtualService default/shop, rule 1, delegated to default/orders, rule 1, match 1");
    assert_eq!((candidates[0].origin.as_str(), candidates[0].chosen), ("test.yaml:2", true));
    assert_eq!(candidates[1].origin, "test.yaml:1");
}

#[test]
fn a_rule_of_a_delegate_with_a_match_that_fits_no_root_s_is_left_out_with_a_warning() {
    let own = "- match: [{uri: {prefix: /orders/new}}, {uri: {prefix: /other}}]\n  route: [{destination: {host: new}}]";
    let yaml = root("match: [{uri: {prefix: /orders}}]") + &orders(own);
    assert_eq!(findings(&yaml), ["warning SG0223 /spec/http/0/delegate"]);
    assert_eq!(outcome(&router(&yaml), &get("/orders/new")), "rest");
}
