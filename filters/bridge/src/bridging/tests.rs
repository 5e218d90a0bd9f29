use super::template::{Scope, Template};
use crate::Bridge;
use crate::attribute::get;
use serde_json::{Value, json};
use sluicegate_sdk::prelude::*;
use sluicegate_sdk::testing::{TestRequest, configure, resource};
use sluicegate_sdk::{Publish, Target};

fn document(version: &str, kind: &str, name: &str, spec: &Value) -> Value {
    json!({"apiVersion": version, "kind": kind, "metadata": {"name": name}, "spec": spec})
}

/// A broker `main`, a channel `parts` and an EventBridge `tested`.
fn bridge(spec: &Value) -> Bridge {
    let documents = [
        document("eventing.knative.dev/v1", "Broker", "main", &json!({})),
        document("messaging.knative.dev/v1", "Channel", "parts", &json!({})),
        document("sluicegate.dev/v1alpha1", "EventBridge", "tested", spec),
    ];
    let resources: Vec<_> = (0..).zip(&documents).map(|(index, text)| resource(index, &text.to_string())).collect();
    let (bridge, diagnostics) = configure::<Bridge>((), &resources);
    assert_eq!(diagnostics.lines(), [""; 0]);
    bridge
}

fn broker() -> Value {
    json!({"apiVersion": "eventing.knative.dev/v1", "kind": "Broker", "name": "main"})
}

fn parts() -> Value {
    json!({"apiVersion": "messaging.knative.dev/v1", "kind": "Channel", "name": "parts"})
}

fn orders(reply: &Value) -> Bridge {
    let event = json!({
        "type": "order.{data/kind}", "source": "/{host}", "subject": "{path.2}", "key": "{header.x-customer}",
        "extensions": {"channel": "{query.via}"},
    });
    let mut request = json!({"host": "shop", "path": "/orders", "to": broker(), "event": event});
    if !reply.is_null() {
        request["reply"] = reply.clone();
    }
    bridge(&json!({ "request": request }))
}

fn order() -> TestRequest {
    let request = TestRequest::post("/orders/a%20b?via=web%2Fapp").authority("SHOP:8080");
    request.header("x-customer", "c1").header("content-type", "application/json").body(r#"{"kind": "placed"}"#)
}

fn published(bridge: &Bridge, request: &TestRequest) -> Publish {
    match bridge.on_request(&request.request()) {
        RequestDecision::Publish(publish) => publish,
        other => panic!("not published: {other:?}"),
    }
}

fn event_of(publish: &Publish) -> &Event {
    &publish.publications[0].event
}

fn delivery() -> Delivery {
    Delivery {
        channel: "default/main".into(),
        subscription: "default/tested-event-bridge".into(),
        target: Target::Subscriber,
        uri: "http://inventory/".into(),
        format: None,
        attempt: 1,
    }
}

fn placed() -> Event {
    let mut event = Event::new("7", "/shop", "order.placed");
    event.subject = Some("a/b".into());
    event.datacontenttype = Some("application/json".into());
    event.data = Some(br#"{"items": [{"sku": "x", "n": 1.0}, {"sku": "y"}], "customer": {"id": 5}}"#.to_vec());
    crate::hops::set(&mut event, "region", "eu".into());
    crate::hops::set(&mut event, "knativebrokerttl", "9".into());
    event
}

#[test]
fn a_request_becomes_the_event_that_the_templates_say() {
    let bridge = orders(&Value::Null);
    let publish = published(&bridge, &order());
    let event = event_of(&publish);
    assert_eq!((event.type_.as_str(), event.source.as_str()), ("order.placed", "/shop"));
    assert_eq!((event.id.as_str(), event.subject.as_deref()), ("test-request", Some("a b")));
    assert_eq!((get(event, "partitionkey"), get(event, "channel")), (Some("c1"), Some("web/app")));
    assert_eq!(get(event, "knativebrokerttl"), Some("255"));
    assert_eq!((publish.publications[0].channel.as_str(), publish.answer.status), ("default/main", 202));
    assert_eq!(publish.reply, None);
}

#[test]
fn the_same_request_sent_again_is_the_same_event() {
    let bridge = orders(&Value::Null);
    for (name, value) in [("idempotency-key", "\"k-1\""), ("idempotency-key", "k-1"), ("x-request-id", "k-1")] {
        assert_eq!(event_of(&published(&bridge, &order().header(name, value))).id, "k-1", "{name}: {value}");
    }
}

#[test]
fn what_an_optional_attribute_lacks_is_left_out_and_what_a_needed_one_lacks_is_refused() {
    let bridge = orders(&Value::Null);
    let bare = TestRequest::post("/orders").authority("shop").header("content-type", "application/json");
    let event = published(&bridge, &bare.clone().body(r#"{"kind": "placed"}"#));
    let event = event_of(&event);
    assert_eq!((event.subject.as_deref(), get(event, "partitionkey"), get(event, "channel")), (None, None, None));
    for body in ["{}", "no json", r#"{"kind": null}"#] {
        let decision = bridge.on_request(&bare.clone().body(body).request());
        assert!(matches!(decision, RequestDecision::Respond(answer) if answer.status == 400), "{body}");
    }
}

#[test]
fn a_bridge_takes_its_host_path_and_methods_and_leaves_the_rest_to_the_chain() {
    let bridge = orders(&Value::Null);
    let takes = |method: &str, path: &str, host: &str| {
        let request = TestRequest::new(method, path).authority(host);
        !matches!(bridge.on_request(&request.request()), RequestDecision::Next(_))
    };
    assert!(
        takes("POST", "/orders", "shop") && takes("PUT", "/orders/1", "shop:80") && takes("PATCH", "/orders/", "shop")
    );
    for (method, path, host) in
        [("GET", "/orders", "shop"), ("POST", "/ordersx", "shop"), ("POST", "/", "shop"), ("POST", "/orders", "other")]
    {
        assert!(!takes(method, path, host), "{method} {host}{path}");
    }
}

#[test]
fn an_event_that_comes_to_a_bridge_stays_as_it_is() {
    let request = TestRequest::post("/orders").authority("shop").header("ce-specversion", "1.0").header("ce-id", "e");
    let request = request.header("ce-source", "/other").header("ce-type", "t").header("ce-region", "eu").body("x");
    let publish = published(&orders(&Value::Null), &request);
    let event = event_of(&publish);
    assert_eq!((event.id.as_str(), event.type_.as_str(), get(event, "region")), ("e", "t", Some("eu")));
}

#[test]
fn a_request_waits_for_its_reply_and_is_answered_with_its_data() {
    let bridge = orders(&json!({"timeout": "PT2S"}));
    let publish = published(&bridge, &order());
    let wait = publish.reply.clone().expect("it waits");
    assert_eq!((wait.timeout, wait.pending.status, wait.keep), (2_000, 504, 0));
    let id = get(event_of(&publish), "correlationid").expect("it is correlated").to_owned();
    assert_eq!(wait.key, format!("event-bridge default/tested {id}"));
    let asked = event_of(&publish).clone();
    assert_eq!(bridge.on_event(asked, delivery()), EventDecision::Ack, "the request's own event is no reply");
    let mut reply = placed();
    crate::hops::set(&mut reply, "replyid", id);
    crate::hops::set(&mut reply, "httpstatus", "201".into());
    let EventDecision::Answer(answer) = bridge.on_event(reply.clone(), delivery()) else { panic!("no answer") };
    assert_eq!((answer.key, answer.answer.status), (wait.key, 201));
    assert_eq!(Some(answer.answer.body), reply.data);
    assert!(answer.answer.headers.iter().any(|header| header.name == "content-type"));
    assert!(answer.answer.headers.iter().all(|header| !header.name.starts_with("ce-")), "it is a plain response");
}

#[test]
fn a_late_answer_is_fetched_where_location_says() {
    let bridge = orders(&json!({"timeout": "PT2S", "keep": "PT1M"}));
    for (prefer, timeout) in [
        (None, 2_000),
        (Some("wait=1"), 1_000),
        (Some("wait=60"), 2_000),
        (Some("respond-async"), 0),
        (Some("respond-async, wait=1"), 0),
        (Some("return=minimal; wait=1"), 1_000),
    ] {
        let request = prefer.map_or_else(order, |value| order().header("prefer", value));
        let wait = published(&bridge, &request).reply.expect("it waits");
        assert_eq!((wait.timeout, wait.pending.status), (timeout, 202), "{prefer:?}");
        assert_eq!(wait.timeout + wait.keep, 62_000, "it is kept as long, however short the wait");
        let location = wait.pending.headers.iter().find(|header| header.name == "location").expect("a place to look");
        let location = String::from_utf8(location.value.clone()).unwrap();
        assert_eq!(location, "/orders/replies/test-request");
        let fetch = published(&bridge, &TestRequest::get(&location).authority("shop"));
        assert_eq!((fetch.publications.len(), fetch.answer.status), (0, 404));
        assert_eq!(fetch.reply.map(|fetch| (fetch.key, fetch.timeout)), Some((wait.key, 0)));
    }
    let other = TestRequest::get("/orders/replies/a/b").authority("shop");
    assert!(matches!(bridge.on_request(&other.request()), RequestDecision::Next(_)));
}

#[test]
fn an_event_becomes_the_request_that_the_templates_say() {
    let send = json!({"to": {"uri": "http://inventory/"}, "method": "PUT", "path": "/orders/{subject}?c={data/customer/id}",
                      "headers": {"X-Type": "{type}", "x-missing": "{time}", "ce-id": "own"}});
    let bridge = bridge(&json!({"events": {"from": broker(), "filters": [{"exact": {"region": "eu"}}], "send": send}}));
    let EventDecision::Deliver(request) = bridge.on_event(placed(), delivery()) else { panic!("not sent") };
    assert_eq!((request.method.as_deref(), request.path.as_deref()), (Some("PUT"), Some("/orders/a%2Fb?c=5")));
    let header = |name: &str| {
        let found = request.headers.iter().filter(|header| header.name == name);
        found.map(|header| String::from_utf8(header.value.clone()).unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(
        (header("x-type"), header("x-missing").len(), header("ce-id")),
        (vec!["order.placed".into()], 0, vec!["own".into()])
    );
    assert_eq!(header("ce-knativebrokerttl").len(), 0, "the count of brokers stays inside");
    let mut other = placed();
    crate::hops::set(&mut other, "region", "us".into());
    assert_eq!(bridge.on_event(other, delivery()), EventDecision::Ack, "the filter keeps it back");
    let mut lacking = placed();
    lacking.subject = None;
    assert!(matches!(bridge.on_event(lacking, delivery()), EventDecision::DeadLetter(_)));
}

#[test]
fn an_event_is_split_and_changed_into_others() {
    let emit = json!({"to": parts(), "split": "/items", "remove": ["region"],
                      "event": {"type": "order.item", "subject": "{data/sku}", "key": "{data/sku}"}});
    let bridge = bridge(&json!({"events": {"from": broker(), "emit": emit}}));
    let EventDecision::Emit(emission) = bridge.on_event(placed(), delivery()) else { panic!("not emitted") };
    assert_eq!(emission.channel.as_deref(), Some("default/parts"));
    let seen = emission.events.iter().map(|event| {
        let data = String::from_utf8(event.data.clone().unwrap()).unwrap();
        (event.id.clone(), event.subject.clone().unwrap(), get(event, "partitionkey").unwrap().to_owned(), data)
    });
    let item = |id: &str, sku: &str, data: &str| (id.to_owned(), sku.to_owned(), sku.to_owned(), data.to_owned());
    assert_eq!(
        seen.collect::<Vec<_>>(),
        [item("7-0", "x", r#"{"sku": "x", "n": 1.0}"#), item("7-1", "y", r#"{"sku": "y"}"#)],
        "each has the bytes that it was written in"
    );
    assert!(emission.events.iter().all(|event| event.type_ == "order.item" && get(event, "region").is_none()));
    let mut other = placed();
    other.data = Some(b"{}".to_vec());
    assert!(
        matches!(bridge.on_event(other, delivery()), EventDecision::DeadLetter(reason) if reason.contains("/items"))
    );
}

#[test]
fn an_event_that_would_be_repeated_too_often_is_a_dead_letter() {
    let bridge = bridge(&json!({"events": {"from": broker(), "emit": {"to": parts(), "split": "/items"}}}));
    let decided = |items: usize, extensions: usize, subject: usize| {
        let mut event = placed();
        event.data = Some(json!({ "items": vec![1; items] }).to_string().into_bytes());
        event.subject = Some("s".repeat(subject));
        event.extensions.clear();
        (0..extensions).for_each(|index| crate::hops::set(&mut event, &format!("x{index}"), "1".into()));
        bridge.on_event(event, delivery())
    };
    for (items, extensions, subject) in [(256, 64, 1), (1, 10_000, 1), (256, 1, 4_000), (1, 1, 200_000)] {
        let decision = decided(items, extensions, subject);
        assert!(matches!(decision, EventDecision::Emit(_)), "{items} {extensions} {subject}: {decision:?}");
    }
    for (items, extensions, subject, reason) in [
        (257, 1, 1, "it has 257 items; 256 are the most"),
        (256, 65, 1, "its 256 items would have 16640 extensions; 16384 are the most"),
        (256, 1, 5_000, "bytes of attributes; 1048576 are the most"),
    ] {
        let EventDecision::DeadLetter(why) = decided(items, extensions, subject) else { panic!("{reason}") };
        assert!(why.ends_with(reason), "{why}");
    }
}

#[test]
fn templates_are_read_and_their_mistakes_named() {
    let parse = |text: &str| Template::parse(text, Scope::Event);
    let event = placed();
    let values = super::making::EventValues::new(&event, true);
    let fill = |text: &str| parse(text).unwrap().fill(&values);
    for (text, filled) in [
        ("", Some("")),
        ("plain", Some("plain")),
        ("{{{type}}}", Some("{order.placed}")),
        ("{data/items/1/sku}-{region}", Some("y-eu")),
        ("{data/customer}", Some(r#"{"id":5}"#)),
        ("{specversion}", Some("1.0")),
        ("{missing}", None),
        ("{data/missing}", None),
    ] {
        assert_eq!(fill(text).as_deref(), filled, "{text}");
    }
    for text in ["{", "}", "a{b", "a}b", "{}", "{header.x}", "{path.0}", "{Type}", "{data.x}"] {
        assert!(parse(text).is_err(), "{text}");
    }
    assert!(Template::parse("{path.0}", Scope::Request).is_err());
    assert!(Template::parse("{type}", Scope::Request).is_err());
}
