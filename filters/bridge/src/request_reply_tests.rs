use crate::Bridge;
use crate::attribute::get;
use sluicegate_sdk::prelude::*;
use sluicegate_sdk::testing::{TestRequest, configure, resource};
use sluicegate_sdk::{Publish, Target};

fn bridge() -> Bridge {
    let documents = [
        r#"{"apiVersion":"eventing.knative.dev/v1","kind":"Broker","metadata":{"name":"main"}}"#,
        r#"{"apiVersion":"eventing.knative.dev/v1alpha1","kind":"RequestReply","metadata":{"name":"ask"},"spec":{
            "brokerRef":{"apiVersion":"eventing.knative.dev/v1","kind":"Broker","name":"main"},"timeout":"PT3S"}}"#,
        r#"{"apiVersion":"eventing.knative.dev/v1","kind":"Trigger","metadata":{"name":"stock"},"spec":{
            "broker":"main","subscriber":{"uri":"http://a/"},"filters":[{"cesql":"type LIKE 'order.%'"}]}}"#,
    ];
    let resources: Vec<_> = (0..).zip(documents).map(|(index, text)| resource(index, text)).collect();
    let (bridge, diagnostics) = configure::<Bridge>((), &resources);
    assert_eq!(diagnostics.lines(), [""; 0]);
    bridge
}

fn event(path: &str, extension: Option<(&str, &str)>) -> TestRequest {
    let request =
        TestRequest::post(path).header("ce-specversion", "1.0").header("ce-id", "q").header("ce-source", "/s");
    let request = request.header("ce-type", "t").attribute("request.time", "0").body("x");
    extension.map_or_else(|| request.clone(), |(name, value)| request.clone().header(name, value))
}

fn decide(host: &str, request: &TestRequest) -> RequestDecision {
    bridge().on_request(&request.clone().authority(host).request())
}

fn status(host: &str, request: &TestRequest) -> u16 {
    match decide(host, request) {
        RequestDecision::Respond(answer) => answer.status,
        RequestDecision::Publish(publish) => publish.answer.status,
        other => panic!("neither answered nor published: {other:?}"),
    }
}

fn published(host: &str, request: &TestRequest) -> Publish {
    match decide(host, request) {
        RequestDecision::Publish(publish) => publish,
        other => panic!("not published: {other:?}"),
    }
}

const ASK: &str = "request-reply.knative-eventing.svc.cluster.local";
const BROKERS: &str = "broker-ingress.knative-eventing.svc.cluster.local";

#[test]
fn the_brokers_host_answers_by_path_as_knative_does() {
    for (path, expected) in [
        ("/default/main", 202),
        ("/default/main/", 202),
        ("/", 404),
        ("/default", 400),
        ("/default/main/more", 400),
        ("/default/none", 404),
    ] {
        assert_eq!(status(BROKERS, &event(path, None)), expected, "{path}");
    }
    assert_eq!(status(BROKERS, &TestRequest::get("/default/main")), 405);
    assert_eq!(status(BROKERS, &TestRequest::new("OPTIONS", "/default/main")), 200);
    assert_eq!(status(BROKERS, &TestRequest::post("/default/main").body("no event")), 400);
    assert_eq!(status("main-broker", &event("/any/path/at/all", None)), 202);
}

#[test]
fn a_broker_counts_hops_and_notes_the_arrival() {
    let sent = |hops: Option<(&str, &str)>| event("/default/main", hops);
    let publish = published(BROKERS, &sent(None));
    let published_event = &publish.publications[0].event;
    assert_eq!(get(published_event, "knativebrokerttl"), Some("255"));
    assert_eq!(get(published_event, "knativearrivaltime"), Some("1970-01-01T00:00:00.000Z"));
    let publish = published(BROKERS, &sent(Some(("ce-knativebrokerttl", "3"))));
    assert_eq!(get(&publish.publications[0].event, "knativebrokerttl"), Some("2"));
    for hops in ["0", "-1", "x"] {
        assert_eq!(status(BROKERS, &sent(Some(("ce-knativebrokerttl", hops)))), 400, "{hops}");
    }
}

#[test]
fn a_request_waits_for_the_event_that_repeats_its_id() {
    let publish = published(ASK, &event("/default/ask", None));
    let wait = publish.reply.clone().expect("it waits");
    assert_eq!((wait.timeout, wait.pending.status, wait.keep), (3_000, 504, 0));
    let id = get(&publish.publications[0].event, "correlationid").unwrap().to_owned();
    assert_eq!((publish.publications[0].channel.as_str(), id.as_str()), ("default/main", "q:test-request"));
    let delivery = Delivery {
        channel: "default/main".into(),
        subscription: "default/ask-kn-request-reply".into(),
        target: Target::Subscriber,
        uri: String::new(),
        format: None,
        attempt: 1,
    };
    let mut reply = Event::new("r", "/s", "t");
    assert_eq!(bridge().on_event(reply.clone(), delivery.clone()), EventDecision::Ack);
    crate::hops::set(&mut reply, "replyid", id);
    let EventDecision::Answer(answer) = bridge().on_event(reply, delivery) else { panic!("no answer") };
    assert_eq!((answer.key, answer.answer.status), (wait.key, 200));
    assert!(answer.answer.headers.iter().any(|header| header.name == "ce-id" && header.value == b"r"));
}

#[test]
fn a_request_whose_event_has_a_long_id_waits_by_its_beginning() {
    let request = TestRequest::post("/default/ask")
        .header("ce-specversion", "1.0")
        .header("ce-id", &format!("x{}", "%C3%A9".repeat(2_000)));
    let request = request.header("ce-source", "/s").header("ce-type", "t").attribute("request.time", "0").body("x");
    let publish = published(ASK, &request);
    let key = publish.reply.expect("it waits").key;
    assert!(key.len() < 1_024 && key.ends_with("é:test-request"), "{key}");
    assert_eq!(publish.publications[0].event.id.chars().count(), 2_001, "the event keeps its own");
}

#[test]
fn replies_come_in_at_a_path_of_their_own() {
    let reply = |id: Option<(&str, &str)>| event("/default/ask/reply", id);
    let publish = published(ASK, &reply(Some(("ce-replyid", "x"))));
    assert_eq!((publish.answer.status, publish.reply), (202, None));
    assert_eq!(status(ASK, &reply(None)), 400);
    for (path, expected) in [("/", 404), ("/default", 400), ("/default/ask/other", 400), ("/default/none", 404)] {
        assert_eq!(status(ASK, &event(path, None)), expected, "{path}");
    }
    assert_eq!(status(ASK, &TestRequest::get("/default/ask")), 405);
}

#[test]
fn a_triggers_filters_keep_back_what_does_not_pass() {
    let delivery = |target: Target| Delivery {
        channel: "default/main".into(),
        subscription: "default/stock".into(),
        target,
        uri: "http://a/".into(),
        format: None,
        attempt: 1,
    };
    let asked = |kind: &str, target: Target| bridge().on_event(Event::new("1", "/s", kind), delivery(target));
    assert_eq!(asked("payment.made", Target::Subscriber), EventDecision::Ack);
    assert!(matches!(asked("order.placed", Target::Subscriber), EventDecision::Deliver(_)));
    assert!(matches!(asked("payment.made", Target::DeadLetter), EventDecision::Deliver(_)), "a dead letter is sent");
    assert!(matches!(asked("payment.made", Target::Reply), EventDecision::Deliver(_)), "and so is a reply");
}

#[test]
fn explain_names_brokers_triggers_and_request_replies() {
    let explain = |host: &str, request: TestRequest| bridge().explain(&request.authority(host).request());
    let broker = explain(BROKERS, TestRequest::post("/default/main"));
    assert_eq!(broker.summary, "becomes an event of broker default/main for 2 triggers");
    let stock = broker.candidates.iter().find(|entry| entry.name == "Trigger default/stock").expect("it is named");
    assert_eq!(stock.reason, "gets the events that pass its filters: subscriber http://a/");
    let kept = explain(BROKERS, event("/default/main", None));
    let stock = kept.candidates.iter().find(|entry| entry.name == "Trigger default/stock").expect("it is named");
    assert_eq!(
        (stock.chosen, stock.reason.split(':').next()),
        (false, Some("does not get the event, which its filters keep back"))
    );
    assert_eq!(explain(BROKERS, TestRequest::post("/x")).summary, "no broker is at \"/x\"");
    let asked = explain(ASK, TestRequest::post("/default/ask")).summary;
    assert_eq!(
        asked,
        "becomes an event of broker default/main, and waits 3000 ms for one that repeats its correlationid as replyid"
    );
}
