//! The article's manifests run letter for letter, through filters.
#![allow(clippy::expect_used, reason = "a test may fail where it stands")]

use serde_json::json;
use sluicegate_tests::{Behaviour, Options, Proxy, Request, Upstream, sluice, wait_until};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

const SUBSCRIPTION: &str = "
apiVersion: messaging.knative.dev/v1
kind: Subscription
metadata:
  name: orders-to-inventory
spec:
  channel:
    apiVersion: messaging.knative.dev/v1
    kind: Channel
    name: orders-channel
  subscriber:
    ref:
      apiVersion: v1
      kind: Service
      name: inventory-service
  delivery:
    retry: 3
    backoffPolicy: linear
    backoffDelay: PT0.05S
";

fn manifests() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/shop/manifests")
}

fn article() -> Options {
    let files = ["order-service.yaml", "orders-channel.yaml", "product-service.yaml"];
    files.into_iter().fold(Options::new(), |options, file| {
        options.manifest(file, std::fs::read(manifests().join(file)).expect("the example has the manifest"))
    })
}

fn shop(order: &Upstream, inventory: &Upstream) -> Proxy {
    let options = article().manifest("subscription.yaml", SUBSCRIPTION);
    let options = options.upstream("order-service:80", order.address());
    Proxy::start(options.upstream("inventory-service:80", inventory.address()))
}

#[test]
fn orders_on_the_order_service_are_answered_by_the_inventory_service() {
    let (order, inventory) = (Upstream::start(), Upstream::with(Behaviour::text("from inventory")));
    let proxy = shop(&order, &inventory);
    let answer = proxy.get("http://order-service/orders/7?full=1");
    assert_eq!((answer.status, answer.text().as_str()), (200, "from inventory"));
    assert_eq!(inventory.requests()[0].target, "/orders/7?full=1");
    assert_eq!(proxy.get("http://order-service/elsewhere").status, 404);
    assert_eq!(order.arrived(), 0);
}

#[test]
fn products_are_one_answer_of_two_services() {
    let order = Upstream::with(Behaviour::json(&json!({ "ordered": 3 })));
    let inventory = Upstream::with(Behaviour::json(&json!({ "stock": 9 })));
    let proxy = shop(&order, &inventory);
    let answer = proxy.get("http://product-service/products");
    assert_eq!(answer.status, 200);
    assert_eq!(answer.json(), json!({ "order-service": { "ordered": 3 }, "inventory-service": { "stock": 9 } }));
}

#[test]
fn a_part_that_fails_stands_beside_the_good_one() {
    let order = Upstream::with(Behaviour::Reset);
    let inventory = Upstream::with(Behaviour::json(&json!({ "stock": 9 })));
    let answer = shop(&order, &inventory).get("http://product-service/products").json();
    assert_eq!(answer["inventory-service"], json!({ "stock": 9 }));
    assert_eq!(answer["errors"]["order-service"]["error"], "reset");
}

#[test]
fn when_every_part_fails_the_answer_says_so() {
    let (order, inventory) = (Upstream::with(Behaviour::Reset), Upstream::with(Behaviour::status(500)));
    let answer = shop(&order, &inventory).get("http://product-service/products");
    assert_eq!(answer.status, 502);
    assert!(answer.json()["errors"].as_object().is_some_and(|errors| errors.len() == 2));
}

#[test]
fn an_event_is_accepted_and_delivered_again_until_it_is_taken() {
    let (order, inventory) = (Upstream::start(), Upstream::statuses([503, 503, 200]));
    let proxy = shop(&order, &inventory);
    let event = Request::post("http://orders-channel/", r#"{"product":"teapot"}"#)
        .header("ce-specversion", "1.0")
        .header("ce-id", "e-1")
        .header("ce-source", "/orders")
        .header("ce-type", "shop.order.placed")
        .header("content-type", "application/json");
    assert_eq!(proxy.send(event).status, 202);
    wait_until(Duration::from_secs(10), || inventory.arrived() == 3);
    let last = inventory.requests().pop().expect("it arrived");
    assert_eq!((last.method.as_str(), last.header("ce-id").as_deref()), ("POST", Some("e-1")));
    assert_eq!(&last.body[..], br#"{"product":"teapot"}"#);
}

#[test]
fn what_is_no_event_is_refused_and_says_which_attribute() {
    let (order, inventory) = (Upstream::start(), Upstream::start());
    let proxy = shop(&order, &inventory);
    let event = Request::post("http://orders-channel/", "x").header("ce-specversion", "1.0").header("ce-id", "e-1");
    let answer = proxy.send(event);
    assert_eq!(answer.status, 400);
    assert!(answer.text().contains("source"), "{}", answer.text());
}

#[test]
fn check_finds_one_warning_and_one_note_with_their_places() {
    let files = ["order-service.yaml", "orders-channel.yaml", "product-service.yaml"];
    let directory = tempfile::tempdir().expect("a directory can be made");
    for file in files {
        std::fs::copy(manifests().join(file), directory.path().join(file)).expect("a file can be copied");
    }
    let checked = Command::new(sluice()).arg("check").arg(directory.path()).output().expect("it runs");
    let said = String::from_utf8_lossy(&checked.stdout).into_owned();
    assert!(checked.status.success(), "{said}");
    assert!(said.contains("1 warning, 1 note"), "{said}");
    assert!(said.contains("orders-channel.yaml:6:3"), "{said}");
    assert!(said.contains("product-service.yaml:12:5"), "{said}");
}

#[test]
fn explain_names_the_rule_the_filter_and_the_endpoint() {
    let mut explain = Command::new(sluice());
    explain.args(["explain", "-X", "GET", "http://order-service/orders", "--manifests"]).arg(manifests());
    let explained = explain.output().expect("it runs");
    let said = String::from_utf8_lossy(&explained.stdout).into_owned();
    assert!(explained.status.success(), "{said}");
    for part in ["order-service.yaml", "inventory-service.default.svc.cluster.local", "127.0.0.1:9102", "router"] {
        assert!(said.contains(part), "{part} is missing in {said}");
    }
}
