//! Events that would go round for ever.

use super::{document, lines};
use serde_json::{Value, json};

#[test]
fn channels_that_feed_each_other_for_ever_are_refused() {
    let pass = |name: &str, from: &str, field: &str, to: &str| {
        document("Subscription", name, &json!({"channel": reference(from), field: {"ref": reference(to)}}))
    };
    let channels = ["a", "b", "c"].map(|name| document("Channel", name, &json!({})));
    let with = |subscriptions: Vec<Value>| lines(&[channels.to_vec(), subscriptions].concat());
    assert_eq!(
        with(vec![pass("1", "a", "subscriber", "b"), pass("2", "b", "reply", "c"), pass("3", "c", "subscriber", "a")]),
        ["error SG0418 /spec: events go round for ever: default/c -> default/a -> default/b -> default/c"]
    );
    assert_eq!(with(vec![pass("1", "a", "subscriber", "a")]).len(), 1);
    assert_eq!(with(vec![pass("1", "a", "subscriber", "b"), pass("2", "a", "subscriber", "c")]), [""; 0]);
    let answering =
        json!({"channel": reference("a"), "subscriber": {"uri": "http://s/"}, "reply": {"ref": reference("a")}});
    assert_eq!(with(vec![document("Subscription", "1", &answering)]), [""; 0], "its subscriber may end it");
}

/// What is said of channels `a` and `b`, brokers `m` and `n`, and these.
fn with_channels(documents: &[Value]) -> Vec<String> {
    let known = [("Channel", "a"), ("Channel", "b"), ("Broker", "m"), ("Broker", "n")];
    lines(&[&known.map(|(kind, name)| document(kind, name, &json!({})))[..], documents].concat())
}

fn reference(name: &str) -> Value {
    let kind = if matches!(name, "m" | "n") { "Broker" } else { "Channel" };
    let version = if kind == "Broker" { "eventing.knative.dev/v1" } else { "messaging.knative.dev/v1" };
    json!({"apiVersion": version, "kind": kind, "name": name})
}

#[test]
fn bridges_that_feed_channels_for_ever_are_refused() {
    let bridge = |name: &str, from: &str, action: &Value| {
        let spec = [json!({"from": reference(from)}), action.clone()];
        let spec: serde_json::Map<_, _> =
            spec.into_iter().filter_map(|part| part.as_object().cloned()).flatten().collect();
        document("EventBridge", name, &json!({ "events": spec }))
    };
    let emit = |to: &str| json!({"emit": {"to": reference(to)}});
    let send = |to: &str| json!({"send": {"to": {"ref": reference(to)}}});
    let trigger = |to: &str| document("Trigger", "t", &json!({"broker": "m", "subscriber": {"ref": reference(to)}}));
    let passed = |from: &str, to: &str| {
        document("Subscription", "s", &json!({"channel": reference(from), "subscriber": {"ref": reference(to)}}))
    };
    for (documents, round) in [
        (vec![bridge("1", "a", &emit("a"))], "default/a -> default/a"),
        (vec![bridge("1", "a", &send("a"))], "default/a -> default/a"),
        (vec![bridge("1", "a", &emit("b")), bridge("2", "b", &send("a"))], "default/b -> default/a -> default/b"),
        (vec![bridge("1", "a", &emit("b")), passed("b", "a")], "default/b -> default/a -> default/b"),
        (vec![bridge("1", "m", &emit("a")), passed("a", "m")], "default/a -> default/m -> default/a"),
        (vec![passed("a", "m"), trigger("a")], "default/m -> default/a -> default/m"),
        (vec![bridge("1", "m", &send("m"))], "default/m -> default/m"),
    ] {
        assert_eq!(with_channels(&documents), [format!("error SG0418 /spec: events go round for ever: {round}")]);
    }
    for ended in [
        vec![bridge("1", "a", &json!({"emit": {"to": reference("a")}, "filters": [{"exact": {"type": "t"}}]}))],
        vec![bridge("1", "a", &json!({"emit": {"to": reference("a"), "split": "/items"}}))],
        vec![bridge("1", "a", &json!({"send": {"to": {"ref": reference("a")}, "method": "PUT"}}))],
        vec![bridge("1", "a", &json!({"send": {"to": {"uri": "http://other/"}}}))],
        vec![bridge("1", "a", &emit("b")), bridge("2", "a", &emit("m"))],
        // Brokers count, and refuse the event at last.
        vec![bridge("1", "m", &emit("m"))],
        vec![bridge("1", "n", &emit("m")), trigger("n")],
    ] {
        assert_eq!(with_channels(&ended), [""; 0], "{ended:?}");
    }
}
