//! Answers come back over events, and the example of orders as events shows what it says.
#![allow(clippy::expect_used, reason = "a test may fail where it stands")]

use sluicegate_tests::{Answer, Behaviour, Eventing, Options, Proxy, Request, Upstream, wait_until};
use std::process::Command;
use std::time::Duration;

/// Long enough for whatever is on its way.
const SOON: Duration = Duration::from_secs(10);

const MANIFESTS: &str = "apiVersion: eventing.knative.dev/v1
kind: Broker
metadata: {name: main}
---
apiVersion: eventing.knative.dev/v1
kind: Trigger
metadata: {name: stock}
spec:
  broker: main
  filters: [{cesql: EXISTS correlationid}]
  subscriber: {ref: {apiVersion: v1, kind: Service, name: stock}}
---
apiVersion: eventing.knative.dev/v1alpha1
kind: RequestReply
metadata: {name: ask}
spec:
  brokerRef: {apiVersion: eventing.knative.dev/v1, kind: Broker, name: main}
  timeout: PT10S
";
const BROKER: &str = "{apiVersion: eventing.knative.dev/v1, kind: Broker, name: main}";
const ASK: &str = "http://request-reply.knative-eventing.svc.cluster.local/default/ask";

/// A proxy, and the service that hears of what is asked.
fn shop() -> (Proxy, Upstream) {
    let stock = Upstream::with(Behaviour::status(202));
    let manifests = Eventing::new().document(MANIFESTS).quotes(BROKER).to_string();
    let options = Options::new().manifest("events.yaml", manifests).upstream("stock", stock.address());
    (Proxy::start(options), stock)
}

/// The id that the answer to the last question has to repeat.
fn asked(stock: &Upstream) -> String {
    wait_until(SOON, || stock.arrived() > 0);
    stock.requests().last().and_then(|request| request.header("ce-correlationid")).expect("the question has an id")
}

fn event(url: &str, id: &str) -> Request {
    let request = Request::post(url, "42").header("ce-specversion", "1.0").header("ce-id", id).header("ce-type", "t");
    request.header("ce-source", "/s").header("content-type", "application/json")
}

/// Sends an event into the broker that answers a question.
fn answer(proxy: &Proxy, id: &str) {
    let reply = event("http://main-broker/", "reply").header("ce-replyid", id).header("ce-httpstatus", "201");
    assert_eq!(proxy.send(reply).status, 202);
}

/// Sends a request that waits, and answers its question meanwhile.
fn answered(proxy: &Proxy, stock: &Upstream, request: Request) -> Answer {
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| proxy.send(request));
        answer(proxy, &asked(stock));
        waiting.join().expect("the request is answered")
    })
}

#[test]
fn a_request_over_a_broker_is_answered_by_the_event_that_replies() {
    let (proxy, stock) = shop();
    let answer = answered(&proxy, &stock, event(ASK, "question"));
    assert_eq!((answer.status, answer.header("ce-id"), answer.text().as_str()), (200, Some("reply"), "42"));
    assert_eq!(answer.header("ce-knativebrokerttl"), None);
}

#[test]
fn a_plain_request_is_answered_with_the_data_of_the_event_that_replies() {
    let (proxy, stock) = shop();
    let answer = answered(&proxy, &stock, Request::post("http://shop/quotes", "how much?"));
    assert_eq!((answer.status, answer.text().as_str()), (201, "42"));
    assert_eq!((answer.header("content-type"), answer.header("ce-id")), (Some("application/json"), None));
}

#[test]
fn an_answer_that_was_not_waited_for_is_where_location_says() {
    let (proxy, stock) = shop();
    let taken = proxy.send(Request::post("http://shop/quotes", "how much?").header("prefer", "respond-async"));
    let location = taken.header("location").expect("it says where the answer will be").to_owned();
    assert_eq!((taken.status, taken.header("retry-after")), (202, Some("1")));
    let fetch = || proxy.get(&format!("http://shop{location}"));
    assert_eq!(fetch().status, 202, "there is none yet");
    answer(&proxy, &asked(&stock));
    wait_until(SOON, || fetch().status == 201);
    assert_eq!(fetch().text(), "42", "it is kept");
    assert_eq!(proxy.get("http://shop/quotes/replies/other").status, 404);
}

#[test]
fn explain_says_what_becomes_of_a_request_to_a_bridge() {
    let (proxy, _) = shop();
    let output = Command::new(sluicegate_tests::sluice())
        .args(["explain", "--admin", &proxy.admin().to_string(), "-X", "POST", "http://shop/quotes", "-d", "how much?"])
        .output()
        .expect("it can be run");
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    for words in ["EventBridge default/quote", "default/main", "or 202 with a Location", "Trigger default/stock"] {
        assert!(said.contains(words), "{words:?} is not in:\n{said}");
    }
}

#[test]
fn orders_as_events_are_reserved_refused_shipped_and_dead_lettered() {
    let program = sluicegate_tests::sluice().with_file_name("order-events");
    let output = Command::new(&program).output().expect("the example can be run");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    for words in [
        "inventory  is busy: 503",
        "inventory  reserves 2 teapot",
        "shipping  ships 2 teapot",
        "mail  tells ada of shop.order.shipped",
        "inventory  has no 500 of teapot",
        "mail  tells ben of shop.stock.refused",
        "desk  dead letter: shop.order.placed",
        "of eve was answered 422 by http://inventory.default.svc.cluster.local/: an order has a product and a quantity",
    ] {
        assert!(said.contains(words), "{words:?} is not in:\n{said}");
    }
}
