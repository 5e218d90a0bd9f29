//! The decisions of the filter as a whole.

use super::*;
use sluicegate_sdk::testing::{TestRequest, answer_json, configure, trial};
use sluicegate_sdk::{Header, Inheritance};

const TWO: &str = r#"[
    {"name":"order-service","host":"order-service.default.svc.cluster.local","port":80,"subset":null},
    {"name":"inventory-service","host":"inventory-service.default.svc.cluster.local","port":80,"subset":"v2"}
]"#;

fn composer() -> Composer {
    let (composer, diagnostics) = configure(Settings::default(), &[]);
    assert!(diagnostics.lines().is_empty());
    composer
}

fn composed(method: &str) -> TestRequest {
    TestRequest::new(method, "/products?page=2").attribute(route::DESTINATIONS, TWO)
}

fn plan(request: &TestRequest) -> Plan {
    match composer().on_request(&request.request()) {
        RequestDecision::Gather(plan) => plan,
        other => panic!("{other:?} is not a plan"),
    }
}

fn answer(request: &TestRequest) -> Answer {
    match composer().on_request(&request.request()) {
        RequestDecision::Respond(answer) => answer,
        other => panic!("{other:?} is not an answer"),
    }
}

#[test]
fn a_request_without_several_destinations_goes_on_untouched() {
    assert_eq!(composer().on_request(&TestRequest::post("/").request()), next().into());
}

#[test]
fn every_destination_is_called_with_the_requests_own_path_and_query() {
    let plan = plan(&composed("GET"));
    let [order, inventory] = plan.calls.as_slice() else { panic!("two calls") };
    assert_eq!(
        (order.name.as_str(), order.method.as_str(), order.path.as_str()),
        ("order-service", "GET", "/products?page=2")
    );
    assert_eq!(order.destination, Destination::new("order-service.default.svc.cluster.local").port(80));
    let versioned = Destination::new("inventory-service.default.svc.cluster.local").port(80).subset("v2");
    assert_eq!((inventory.name.as_str(), &inventory.destination), ("inventory-service", &versioned));
    assert!(!order.required && !inventory.required, "one failure leaves the other call running");
    assert_eq!((order.deadline, order.max_body, plan.deadline), (Some(5_000), Some(256 << 10), Some(10_000)));
}

#[test]
fn the_routes_timeout_limits_the_whole_and_each_call() {
    let short = plan(&composed("GET").attribute(route::TIMEOUT, "300"));
    assert_eq!((short.deadline, short.calls[0].deadline), (Some(300), Some(300)));
    let long = plan(&composed("GET").attribute(route::TIMEOUT, "60000"));
    assert_eq!((long.deadline, long.calls[0].deadline), (Some(60_000), Some(5_000)));
}

#[test]
fn a_head_is_called_as_a_get() {
    assert!(plan(&composed("HEAD")).calls.iter().all(|call| call.method == "GET"));
}

#[test]
fn calls_take_the_requests_headers_along_and_ask_for_what_is_not_compressed() {
    let plan = plan(&composed("GET").header("accept", "application/json"));
    for call in &plan.calls {
        assert_eq!(call.inherits, Inheritance::All);
        assert_eq!(call.headers, [Header { name: "accept-encoding".into(), value: b"identity".to_vec() }]);
    }
}

#[test]
fn methods_that_change_something_are_refused() {
    for method in ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "get"] {
        let answer = answer(&composed(method));
        assert_eq!(answer.status, 405, "{method}");
        assert!(answer.headers.iter().any(|header| header.name == "allow" && header.value == b"GET, HEAD"));
    }
}

#[test]
fn an_attribute_that_does_not_fit_is_answered_and_says_why() {
    let answer = answer(&TestRequest::get("/").attribute(route::DESTINATIONS, "order-service"));
    assert_eq!(answer.status, 500);
    assert!(String::from_utf8_lossy(&answer.body).contains("compose.destinations"));
}

#[test]
fn the_message_of_a_late_part_tells_the_deadline_that_it_met() {
    let request = composed("GET").attribute(route::TIMEOUT, "300");
    let trial = trial(&composer(), &request, |call| match call.name.as_str() {
        "order-service" => answer_json("{}"),
        _ => Err(CallError::Deadline),
    });
    let answer = trial.answer.expect("an answer");
    assert_eq!(answer.status, 200);
    assert!(String::from_utf8_lossy(&answer.body).contains("no answer within 300 ms"));
}

#[test]
fn explain_tells_the_plan_without_making_it() {
    let explain = |request: &TestRequest| composer().explain(&request.request());
    let explanation = explain(&composed("GET"));
    assert_eq!(explanation.summary, "composes 2 parts, called in parallel within 10000 ms");
    let reason =
        "GET /products?page=2 from inventory-service.default.svc.cluster.local:80/v2, at most 5000 ms and 262144 bytes";
    assert_eq!(
        (explanation.candidates[1].name.as_str(), explanation.candidates[1].reason.as_str()),
        ("part inventory-service", reason)
    );
    assert!(explain(&TestRequest::get("/")).summary.starts_with("nothing to compose"));
    assert!(explain(&composed("POST")).summary.starts_with("answers 405"));
    assert!(explain(&TestRequest::get("/").attribute(route::DESTINATIONS, "")).summary.starts_with("answers 500"));
}

#[test]
fn settings_that_make_no_sense_are_refused() {
    let (_, diagnostics) = configure::<Composer>(Settings { max_part: 0, ..Settings::default() }, &[]);
    assert!(diagnostics.has_errors());
}
