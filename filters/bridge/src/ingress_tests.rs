use crate::Bridge;
use sluicegate_sdk::prelude::*;
use sluicegate_sdk::testing::{TestRequest, configure, resource};
use sluicegate_sdk::{Header, Publish};

fn bridge() -> Bridge {
    let document = r#"{"apiVersion":"messaging.knative.dev/v1","kind":"Channel","metadata":{"name":"orders"}}"#;
    configure((), &[resource(0, document)]).0
}

fn decide(request: &TestRequest) -> RequestDecision {
    bridge().on_request(&request.clone().authority("orders:8080").request())
}

fn published(request: &TestRequest) -> Publish {
    match decide(request) {
        RequestDecision::Publish(publish) => publish,
        other => panic!("not published: {other:?}"),
    }
}

fn answered(request: &TestRequest) -> (u16, Vec<Header>, String) {
    match decide(request) {
        RequestDecision::Respond(answer) => (answer.status, answer.headers, String::from_utf8(answer.body).unwrap()),
        other => panic!("not answered: {other:?}"),
    }
}

fn header(headers: &[Header], name: &str) -> String {
    let found = headers.iter().find(|header| header.name == name);
    found.map(|header| String::from_utf8(header.value.clone()).unwrap()).unwrap_or_default()
}

fn binary() -> TestRequest {
    let request =
        TestRequest::post("/").header("ce-specversion", "1.0").header("ce-id", "a 1".replace(' ', "%20").as_str());
    request.header("ce-source", "/shop").header("ce-type", "order.placed")
}

const EVENT: &str = r#"{"specversion":"1.0","id":"1","source":"/s","type":"t","data":{"n":1}}"#;

#[test]
fn requests_to_others_go_on() {
    let request = TestRequest::post("/").authority("inventory").body("x");
    assert!(matches!(bridge().on_request(&request.request()), RequestDecision::Next(_)));
}

#[test]
fn the_body_is_asked_for_only_where_the_event_is_in_it() {
    let structured = TestRequest::post("/").header("content-type", "application/cloudevents+json");
    let batch = TestRequest::post("/").header("content-type", "application/cloudevents-batch+json");
    for request in [structured, batch] {
        assert_eq!(decide(&request), RequestDecision::InspectBody(256 << 10));
    }
    for request in [binary(), TestRequest::post("/")] {
        let publish = published(&request);
        assert_eq!((publish.body_as_data, &publish.publications[0].event.data), (Some(256 << 10), &None));
    }
    assert_eq!(answered(&TestRequest::post("/").header("content-type", "application/cloudevents+avro")).0, 415);
    assert_eq!(answered(&TestRequest::get("/")).0, 405);
}

#[test]
fn a_binary_event_is_published_and_answered_202() {
    let publish = published(&binary().header("content-type", "application/json").body("{}"));
    let event = &publish.publications[0].event;
    assert_eq!(publish.publications[0].channel, "default/orders");
    assert_eq!((event.id.as_str(), event.datacontenttype.as_deref()), ("a 1", Some("application/json")));
    assert_eq!((publish.answer.status, publish.answer.body.len()), (202, 0));
    assert_eq!(header(&publish.answer.headers, "x-event-id"), "a%201");
}

#[test]
fn a_structured_event_is_published_and_its_headers_do_not_count() {
    let request = binary().header("content-type", "application/cloudevents+json; charset=utf-8").body(EVENT);
    let mut publish = published(&request);
    let event = publish.publications.remove(0).event;
    assert_eq!((event.id.as_str(), event.data.as_deref()), ("1", Some(&br#"{"n":1}"#[..])));
    assert_eq!(publish.body_as_data, None, "its data is within the body");
}

#[test]
fn a_batch_publishes_each_of_its_events() {
    let request =
        |body: &str| TestRequest::post("/").header("content-type", "application/cloudevents-batch+json").body(body);
    let publish = published(&request(&format!("[{EVENT},{EVENT}]")));
    assert_eq!((publish.publications.len(), publish.answer.status), (2, 202));
    assert_eq!(answered(&request("[]")).0, 202);
    let (status, _, body) = answered(&request(&format!("[{EVENT},{{}}]")));
    assert_eq!(status, 400);
    assert!(body.contains(r#""event":1"#), "{body}");
    let long = format!("[{}]", vec![EVENT; 257].join(","));
    assert_eq!(answered(&request(&long)).0, 413);
}

#[test]
fn a_plain_request_is_wrapped() {
    let request =
        TestRequest::post("/orders/7?x=1").header("content-type", "text/plain").header("traceparent", "00-a-b-01");
    let event = published(&request.header("authorization", "secret").body("hello")).publications.remove(0).event;
    let mut expected = Event::new("test-request", "/orders", "dev.sluicegate.http.request");
    expected.subject = Some("/orders/7".into());
    expected.datacontenttype = Some("text/plain".into());
    expected.extensions = vec![sluicegate_sdk::Attribute { name: "traceparent".into(), value: "00-a-b-01".into() }];
    assert_eq!(event, expected);
    let empty = published(&TestRequest::post("/").body("")).publications.remove(0).event;
    assert_eq!((empty.data, empty.datacontenttype), (None, None));
}

#[test]
fn what_is_wrong_is_said_by_attribute() {
    let (status, headers, body) = answered(&binary().header("ce-time", "noon").body(""));
    assert_eq!((status, header(&headers, "content-type").as_str()), (400, "application/json"));
    let body: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!(body["attribute"], "time");
    assert_eq!(
        body["message"],
        "attribute \"time\": it is \"noon\"; expected an RFC 3339 timestamp such as 2026-01-31T18:30:00Z"
    );
    let (status, _, body) =
        answered(&TestRequest::post("/").header("content-type", "application/cloudevents+json").body("{"));
    assert_eq!(status, 400);
    assert!(body.contains("not a JSON event"), "{body}");
    assert_eq!(answered(&TestRequest::post("/").header("content-type", "xyz").body("x")).0, 400);
}

#[test]
fn other_methods_are_answered_with_what_is_allowed() {
    for method in ["GET", "PUT", "DELETE", "HEAD", "PATCH"] {
        let (status, headers, _) = answered(&TestRequest::new(method, "/"));
        assert_eq!((status, header(&headers, "allow").as_str()), (405, "POST, OPTIONS"), "{method}");
    }
}

#[test]
fn a_webhooks_sender_is_granted_its_origin_and_its_rate() {
    let options = || TestRequest::new("OPTIONS", "/");
    let asked = |origin: &str| options().header("webhook-request-origin", origin);
    for (request, origin, rate) in [
        (options(), "*", "*"),
        (asked("events.example"), "events.example", "*"),
        (asked("events.example").header("webhook-request-rate", "120"), "events.example", "120"),
        (asked("events.example").header("webhook-request-rate", "0"), "events.example", "*"),
    ] {
        let (status, headers, _) = answered(&request);
        assert_eq!((status, header(&headers, "allow").as_str()), (200, "POST, OPTIONS"));
        let granted = ["webhook-allowed-origin", "webhook-allowed-rate"].map(|name| header(&headers, name));
        assert_eq!(granted, [origin, rate]);
    }
}

#[test]
fn explain_names_the_channel_and_its_subscriptions() {
    let subscription = r#"{"apiVersion":"messaging.knative.dev/v1","kind":"Subscription","metadata":{"name":"stock"},"spec":{
        "channel":{"apiVersion":"messaging.knative.dev/v1","kind":"Channel","name":"orders"},
        "subscriber":{"ref":{"apiVersion":"v1","kind":"Service","name":"inventory"},"uri":"/events"}}}"#;
    let channel = r#"{"apiVersion":"messaging.knative.dev/v1","kind":"Channel","metadata":{"name":"orders"}}"#;
    let (bridge, _) = configure::<Bridge>((), &[resource(0, channel), resource(1, subscription)]);
    let explain = |request: &TestRequest| bridge.explain(&request.request());
    let chosen = explain(&TestRequest::post("/").authority("orders"));
    assert_eq!(chosen.summary, "becomes an event of channel default/orders for 1 subscription");
    assert_eq!(chosen.candidates[0].name, "Channel default/orders");
    assert!(chosen.candidates.iter().all(|candidate| candidate.chosen));
    assert_eq!(chosen.candidates[1].origin, "test.yaml:2");
    assert_eq!(
        chosen.candidates[1].reason,
        "gets every event of the channel: subscriber http://inventory.default.svc.cluster.local/events"
    );
    let refused = explain(&TestRequest::get("/").authority("orders"));
    assert!(refused.summary.starts_with("is answered 405"), "{}", refused.summary);
    let other = explain(&TestRequest::post("/").authority("shop"));
    assert_eq!(other.summary, "no channel is called \"shop\"");
    assert!(!other.candidates[0].chosen);
}
