use super::{document, lines, template, version};
use crate::Bridge;
use serde_json::{Value, json};
use sluicegate_sdk::testing::{configure, resource};

fn reference(kind: &str, name: &str) -> Value {
    let version = if kind == "Service" { "v1" } else { version(kind) };
    json!({"apiVersion": version, "kind": kind, "name": name})
}

/// What is said of a document beside a broker `main` and a channel `orders`.
fn said(kind: &str, spec: &Value) -> Vec<String> {
    lines(&[
        document("Broker", "main", &json!({"delivery": {"deadLetterSink": {"uri": "http://dead/"}}})),
        document("Channel", "orders", &json!({})),
        document(kind, "tested", spec),
    ])
}

fn with(mut base: Value, fields: &Value) -> Value {
    for (name, value) in fields.as_object().unwrap() {
        base[name] = value.clone();
    }
    base
}

fn trigger(fields: &Value) -> Value {
    with(json!({"broker": "main", "subscriber": {"uri": "http://a/"}}), fields)
}

fn filters(filters: &Value) -> Value {
    trigger(&json!({ "filters": filters }))
}

fn request(fields: &Value) -> Value {
    let event = json!({"type": "t", "source": "/s"});
    json!({"request": with(json!({"host": "shop", "to": reference("Broker", "main"), "event": event}), fields)})
}

fn events(fields: &Value) -> Value {
    json!({"events": with(json!({"from": reference("Broker", "main")}), fields)})
}

#[test]
fn documents_of_all_other_kinds_are_fine_in_their_usual_forms() {
    let uri = json!({"uri": "http://a/"});
    let nested = json!([{"all": [{"exact": {"type": "t"}}, {"any": [{"prefix": {"source": "/"}}, {"suffix": {"id": "1"}}]}]},
        {"not": {"cesql": "EXISTS subject AND type LIKE 'a%'"}}]);
    for (kind, spec) in [
        ("Broker", json!({"delivery": {"retry": 3}})),
        ("Trigger", trigger(&json!({}))),
        ("Trigger", trigger(&json!({"filter": {"attributes": {"type": "t", "ext1": ""}}}))),
        ("Trigger", trigger(&json!({"filters": []}))),
        ("Trigger", filters(&nested)),
        ("Trigger", trigger(&json!({"subscriber": {"ref": reference("Broker", "main")}}))),
        ("RequestReply", json!({"brokerRef": reference("Broker", "main"), "timeout": "PT5S"})),
        (
            "Sequence",
            json!({"steps": [uri, {"ref": reference("Service", "b"), "delivery": {"retry": 1}}], "reply": uri}),
        ),
        (
            "Parallel",
            json!({"branches": [{"filter": uri, "subscriber": uri, "reply": uri}, {"subscriber": uri}], "reply": uri,
            "channelTemplate": template("InMemoryChannel")}),
        ),
        ("EventBridge", request(&json!({}))),
        (
            "EventBridge",
            request(&json!({"path": "/orders", "methods": ["POST"], "reply": {"timeout": "PT1S", "keep": "PT1M"}})),
        ),
        (
            "EventBridge",
            events(&json!({"send": {"to": uri, "method": "PUT", "path": "/o/{id}", "headers": {"x-type": "{type}"}}})),
        ),
        (
            "EventBridge",
            events(&json!({"emit": {"to": reference("Channel", "orders"), "split": "/items",
            "event": {"key": "{data/sku}"}, "remove": ["region"]}})),
        ),
    ] {
        assert_eq!(said(kind, &spec), [""; 0], "{kind} {spec}");
    }
}

#[test]
#[allow(clippy::too_many_lines, reason = "it is a table")]
fn each_mistake_in_the_other_kinds_is_named_where_it_is() {
    let uri = json!({"uri": "http://a/"});
    let event = |fields: &Value| request(&json!({"event": with(json!({"type": "t", "source": "/s"}), fields)}));
    let to = || reference("Channel", "orders");
    let emit = |fields: &Value| events(&json!({"emit": with(json!({"to": to()}), fields)}));
    let send = |fields: &Value| events(&json!({"send": with(json!({"to": {"uri": "http://a/"}}), fields)}));
    let mut deep = json!({"exact": {"type": "t"}});
    for _ in 0..20 {
        deep = json!({ "not": deep });
    }
    for (kind, spec, expected) in [
        ("Broker", json!({"config": {}}), "warning SG0429 /spec/config: "),
        ("Broker", json!({"delivery": {"timeout": "5"}}), "error SG0413 /spec/delivery/timeout: "),
        ("Broker", json!({"x": 1}), "error SG0101 /spec: "),
        (
            "Trigger",
            trigger(&json!({"broker": "other"})),
            "warning SG0427 /spec/broker: no broker is called default/other",
        ),
        ("Trigger", trigger(&json!({"broker": "orders"})), "warning SG0427 /spec/broker: "),
        ("Trigger", trigger(&json!({"subscriber": {}})), "error SG0411 /spec/subscriber: "),
        (
            "Trigger",
            trigger(&json!({"subscriber": {"ref": reference("Broker", "main"), "uri": "/x"}})),
            "error SG0411 /spec/subscriber/uri: a Broker takes",
        ),
        (
            "Trigger",
            trigger(&json!({"subscriber": {"ref": {"apiVersion": "v1", "kind": "Broker", "name": "main"}}})),
            "error SG0411 /spec/subscriber/ref/kind: ",
        ),
        (
            "Trigger",
            trigger(&json!({"delivery": {"retry": 1}})),
            "note SG0417 /spec/delivery: this replaces the broker's",
        ),
        (
            "Trigger",
            trigger(&json!({"filter": {"attributes": {"My.Type": "t"}}})),
            "error SG0420 /spec/filter/attributes/My.Type: ",
        ),
        (
            "Trigger",
            trigger(&json!({"filter": {"attributes": {"a/b": "t"}}})),
            "error SG0420 /spec/filter/attributes/a~1b: ",
        ),
        (
            "Trigger",
            trigger(&json!({"filter": {"attributes": {"type": "t"}}, "filters": [{"exact": {"type": "t"}}]})),
            "warning SG0430 /spec/filter: ",
        ),
        ("Trigger", filters(&json!([{"exact": {"Type": "t"}}])), "error SG0420 /spec/filters/0/exact/Type: "),
        ("Trigger", filters(&json!([{"exact": {"1type": "t"}}])), "error SG0420 /spec/filters/0/exact/1type: "),
        ("Trigger", filters(&json!([{"prefix": {"type": ""}}])), "error SG0421 /spec/filters/0/prefix/type: "),
        (
            "Trigger",
            filters(&json!([{}])),
            "error SG0422 /spec/filters/0: a filter has exactly one dialect, and this one has 0",
        ),
        (
            "Trigger",
            filters(&json!([{"exact": {"type": "t"}, "prefix": {"type": "t"}}])),
            "error SG0422 /spec/filters/0: ",
        ),
        ("Trigger", filters(&json!([{"regex": {"type": "t"}}])), "error SG0422 /spec/filters/0/regex: "),
        ("Trigger", filters(&json!([{"exact": {}}])), "error SG0423 /spec/filters/0/exact: "),
        ("Trigger", filters(&json!([{"all": []}])), "error SG0423 /spec/filters/0/all: "),
        (
            "Trigger",
            filters(&json!([{"any": [{"all": [{"not": {"suffix": {"type": ""}}}]}]}])),
            "error SG0421 /spec/filters/0/any/0/all/0/not/suffix/type: ",
        ),
        ("Trigger", filters(&json!([deep])), "error SG0424 /spec/filters/0/not/not"),
        (
            "Trigger",
            filters(&json!([{"cesql": "type ="}])),
            "error SG0425 /spec/filters/0/cesql: the expression cannot be read, at character 7: ",
        ),
        ("Trigger", filters(&json!([{"cesql": "HASH(type) = 1"}])), "warning SG0426 /spec/filters/0/cesql: "),
        ("RequestReply", json!({"brokerRef": reference("Channel", "orders")}), "error SG0414 /spec/brokerRef/kind: "),
        (
            "RequestReply",
            json!({"brokerRef": reference("Broker", "none")}),
            "warning SG0412 /spec/brokerRef/name: no broker",
        ),
        (
            "RequestReply",
            json!({"brokerRef": reference("Broker", "main"), "timeout": "PT0S"}),
            "error SG0413 /spec/timeout: ",
        ),
        (
            "RequestReply",
            json!({"brokerRef": reference("Broker", "main"), "replyAttribute": "reply-id"}),
            "error SG0431 /spec/replyAttribute: ",
        ),
        (
            "RequestReply",
            json!({"brokerRef": reference("Broker", "main"), "correlationAttribute": "id"}),
            "error SG0431 /spec/correlationAttribute: ",
        ),
        (
            "RequestReply",
            json!({"brokerRef": reference("Broker", "main"), "secrets": ["a"]}),
            "warning SG0432 /spec/secrets: ",
        ),
        ("Sequence", json!({"steps": []}), "error SG0433 /spec/steps: "),
        ("Sequence", json!({"steps": [uri, {}]}), "error SG0411 /spec/steps/1: "),
        ("Sequence", json!({"steps": [uri], "reply": {"uri": "x"}}), "error SG0411 /spec/reply/uri: "),
        (
            "Sequence",
            json!({"steps": [uri], "channelTemplate": template("KafkaChannel")}),
            "error SG0403 /spec/channelTemplate/kind: ",
        ),
        (
            "Sequence",
            json!({"steps": [{"uri": "http://a/", "delivery": {"timeout": "x"}}]}),
            "error SG0413 /spec/steps/0/delivery/timeout: ",
        ),
        ("Parallel", json!({"branches": []}), "error SG0434 /spec/branches: "),
        (
            "Parallel",
            json!({"branches": [{"subscriber": uri, "filter": {}}]}),
            "error SG0411 /spec/branches/0/filter: ",
        ),
        ("Parallel", json!({"branches": [{"subscriber": uri, "reply": {}}]}), "error SG0411 /spec/branches/0/reply: "),
        ("EventBridge", json!({}), "error SG0440 /spec: "),
        ("EventBridge", request(&json!({"host": "http://shop"})), "error SG0443 /spec/request/host: "),
        ("EventBridge", request(&json!({"path": "orders"})), "error SG0443 /spec/request/path: "),
        ("EventBridge", request(&json!({"methods": ["post"]})), "error SG0444 /spec/request/methods/0: "),
        ("EventBridge", request(&json!({"to": reference("Service", "a")})), "error SG0414 /spec/request/to/kind: "),
        ("EventBridge", request(&json!({"to": reference("Broker", "none")})), "warning SG0412 /spec/request/to/name: "),
        ("EventBridge", request(&json!({"event": {"type": "t"}})), "error SG0447 /spec/request/event: "),
        ("EventBridge", request(&json!({"reply": {"timeout": "5s"}})), "error SG0413 /spec/request/reply/timeout: "),
        (
            "EventBridge",
            request(&json!({"reply": {"replyAttribute": "X"}})),
            "error SG0431 /spec/request/reply/replyAttribute: ",
        ),
        (
            "EventBridge",
            event(&json!({"subject": "{nothing}"})),
            "error SG0442 /spec/request/event/subject: a request has no `{nothing}`",
        ),
        (
            "EventBridge",
            event(&json!({"key": "{path"})),
            "error SG0442 /spec/request/event/key: there is a `{` without a `}`",
        ),
        (
            "EventBridge",
            event(&json!({"extensions": {"Bad": "x"}})),
            "error SG0431 /spec/request/event/extensions/Bad: ",
        ),
        ("EventBridge", events(&json!({})), "error SG0441 /spec/events: "),
        (
            "EventBridge",
            events(&json!({"from": reference("Channel", "main"), "emit": {"to": to()}})),
            "warning SG0412 /spec/events/from/name: no channel is called default/main",
        ),
        (
            "Subscription",
            json!({"channel": reference("Channel", "main"), "reply": uri}),
            "warning SG0412 /spec/channel/name: no channel is called default/main",
        ),
        (
            "EventBridge",
            events(&json!({"from": reference("Service", "a"), "emit": {"to": to()}})),
            "error SG0414 /spec/events/from/kind: ",
        ),
        (
            "EventBridge",
            events(&json!({"emit": {"to": to()}, "filters": [{"exact": {}}]})),
            "error SG0423 /spec/events/filters/0/exact: ",
        ),
        ("EventBridge", events(&json!({"emit": {"to": to()}, "reply": uri})), "warning SG0449 /spec/events/reply: "),
        ("EventBridge", emit(&json!({"split": "items"})), "error SG0446 /spec/events/emit/split: "),
        ("EventBridge", emit(&json!({"remove": ["a-b"]})), "error SG0431 /spec/events/emit/remove/0: "),
        (
            "EventBridge",
            emit(&json!({"event": {"type": "{header.x}"}})),
            "error SG0442 /spec/events/emit/event/type: an event has no",
        ),
        ("EventBridge", send(&json!({"method": "CONNECT"})), "error SG0444 /spec/events/send/method: "),
        ("EventBridge", send(&json!({"path": "orders"})), "error SG0443 /spec/events/send/path: "),
        ("EventBridge", send(&json!({"headers": {"Host": "a"}})), "error SG0445 /spec/events/send/headers/Host: "),
        ("EventBridge", send(&json!({"headers": {"x": "}"}})), "error SG0442 /spec/events/send/headers/x: "),
    ] {
        let lines = said(kind, &spec);
        assert_eq!(lines.len(), 1, "{kind} {spec}: {lines:?}");
        assert!(lines[0].starts_with(expected), "{kind} {spec}: {lines:?}");
    }
}

#[test]
fn names_are_shared_and_bridges_do_not_hide_each_other() {
    let twice = [document("Broker", "a", &json!({})), document("Channel", "a", &json!({}))];
    assert_eq!(
        lines(&twice),
        ["error SG0404 /metadata/name: a broker has the channel default/a already, at test.yaml:1"]
    );
    let bridge = |name: &str, path: &str| document("EventBridge", name, &request(&json!({ "path": path })));
    let broker = document("Broker", "main", &json!({}));
    assert_eq!(lines(&[broker.clone(), bridge("a", "/x"), bridge("b", "/y")]), [""; 0]);
    let hidden = lines(&[broker, bridge("a", "/x"), bridge("b", "/x")]);
    assert!(hidden[0].starts_with("error SG0448 /spec/request/path: "), "{hidden:?}");
}

#[test]
fn a_class_of_another_implementation_is_worth_a_warning() {
    let mut broker = document("Broker", "main", &json!({}));
    broker["metadata"]["annotations"] = json!({"eventing.knative.dev/broker.class": "Kafka"});
    let found = lines(&[broker.clone()]);
    let expected = "warning SG0428 /metadata/annotations/eventing.knative.dev~1broker.class: brokers of class Kafka";
    assert!(found[0].starts_with(expected), "{found:?}");
    broker["metadata"]["annotations"] = json!({"eventing.knative.dev/broker.class": "MTChannelBasedBroker"});
    assert_eq!(lines(&[broker]), [""; 0]);
}

#[test]
fn every_diagnostic_says_what_to_do() {
    let spec = trigger(&json!({"filters": [{"cesql": "("}, {"exact": {}}], "subscriber": {}}));
    let documents = [document("Broker", "main", &json!({"config": {}})), document("Trigger", "t", &spec)];
    let resources: Vec<_> = (0..).zip(&documents).map(|(index, text)| resource(index, &text.to_string())).collect();
    let found = configure::<Bridge>((), &resources).1.into_wit();
    assert_eq!(found.len(), 4);
    assert!(found.iter().all(|diagnostic| diagnostic.help.is_some()), "{found:?}");
}
