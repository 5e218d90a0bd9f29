//! The two VirtualServices of the article, letter for letter.

mod support;

use sluicegate_sdk::testing::TestRequest;
use sluicegate_sdk::{Destination, Explain};
use support::{continued, forwarded, load, outcome, router, words};

const ORDER_SERVICE: &str = "
apiVersion: networking.istio.io/v1beta1
kind: VirtualService
metadata:
  name: order-service
spec:
  hosts:
  - order-service
  http:
  - match:
    - uri:
        prefix: /orders
    route:
    - destination:
        host: inventory-service
        port:
          number: 80
";
const PRODUCT_SERVICE: &str = "
apiVersion: networking.istio.io/v1beta1
kind: VirtualService
metadata:
  name: product-service
spec:
  hosts:
  - product-service
  http:
  - match:
    - uri:
        prefix: /products
    route:
    - destination:
        host: order-service
        port:
          number: 80
    - destination:
        host: inventory-service
        port:
          number: 80
";

fn both() -> String {
    format!("{ORDER_SERVICE}---{PRODUCT_SERVICE}")
}

#[test]
fn there_is_one_note_and_nothing_else() {
    assert_eq!(
        load(&both()).1.lines(),
        ["note SG0210 /spec/http/0/route: 2 destinations without any weight: all are called and their answers are \
          composed into one"]
    );
}

#[test]
fn requests_for_orders_go_to_the_inventory_service() {
    let router = router(&both());
    let orders = |path: &str| TestRequest::get(path).authority("order-service:80");
    let inventory = Destination::new("inventory-service.default.svc.cluster.local").port(80);
    assert_eq!(forwarded(&router, &orders("/orders")).destination, inventory);
    assert_eq!(forwarded(&router, &orders("/orders-old")).destination, inventory);
    assert_eq!(outcome(&router, &orders("/")), "404");
}

#[test]
fn requests_for_products_are_composed() {
    let continuation = continued(&router(&both()), &TestRequest::get("/products").authority("product-service"));
    assert_eq!(
        words(&continuation.edits),
        [
            "route: default/product-service/0",
            r#"compose.destinations: [{"name":"order-service","host":"order-service.default.svc.cluster.local","port":80,"subset":null},{"name":"inventory-service","host":"inventory-service.default.svc.cluster.local","port":80,"subset":null}]"#,
        ]
    );
}

#[test]
fn an_explanation_names_the_rule_and_why_it_was_chosen_or_not() {
    let router = router(&both());
    let explain = |path: &str, authority: &str| router.explain(&TestRequest::get(path).authority(authority).request());

    let chosen = explain("/orders", "order-service");
    assert_eq!(
        chosen.summary,
        "VirtualService default/order-service, rule 1, match 1 forwards to \
         inventory-service.default.svc.cluster.local:80"
    );
    assert!(chosen.candidates[0].chosen);
    assert_eq!(chosen.candidates[0].origin, "test.yaml:1");

    let lost = explain("/x", "order-service");
    assert!(lost.summary.contains("404"), "{}", lost.summary);
    assert_eq!(lost.candidates[0].reason, "path /x does not start with /orders");
    assert!(!lost.candidates[0].chosen);

    let nobody = explain("/", "elsewhere");
    assert_eq!(nobody.summary, "no resource has the host \"elsewhere\"; the request goes on");
    assert_eq!(nobody.candidates.len(), 2);
    assert_eq!(nobody.candidates[1].reason, "its hosts are product-service.default.svc.cluster.local");
}
