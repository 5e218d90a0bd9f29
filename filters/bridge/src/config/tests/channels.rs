use super::{document, lines, template};
use serde::Deserialize;
use serde_json::{Value, json};

fn subscription(fields: &Value) -> Vec<String> {
    let mut spec = json!({
        "channel": {"apiVersion": "messaging.knative.dev/v1", "kind": "Channel", "name": "orders"},
        "subscriber": {"ref": {"apiVersion": "v1", "kind": "Service", "name": "inventory"}},
    });
    for (name, value) in fields.as_object().unwrap() {
        spec[name] = value.clone();
    }
    lines(&[document("Channel", "orders", &json!({})), document("Subscription", "stock", &spec)])
}

#[test]
fn channel_in_place_of_channel_template_is_one_warning() {
    let spec = json!({"channel": template("InMemoryChannel")});
    assert_eq!(
        lines(&[document("Channel", "orders-channel", &spec)]),
        ["warning SG0401 /spec/channel: a Channel has no field `channel`; it is taken for `channelTemplate`"]
    );
}

#[test]
fn both_templates_may_be_there_only_when_they_agree() {
    let both = |alias: &Value| {
        let spec = json!({"channelTemplate": template("InMemoryChannel"), "channel": alias});
        let lines = lines(&[document("Channel", "orders", &spec)]);
        lines.iter().map(|line| line.split(':').next().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let mut with_spec = template("InMemoryChannel");
    with_spec["spec"] = json!({});
    assert_eq!(both(&with_spec), ["warning SG0401 /spec/channel"]);
    let expected = ["warning SG0401 /spec/channel", "error SG0402 /spec/channel", "error SG0403 /spec/channel/kind"];
    assert_eq!(both(&template("KafkaChannel")), expected);
}

#[test]
fn channels_of_the_usual_forms_are_fine() {
    let documents = [
        document("Channel", "plain", &json!({})),
        document("Channel", "templated", &json!({"channelTemplate": template("InMemoryChannel")})),
        document("InMemoryChannel", "memory", &json!({"delivery": {"retry": 3}})),
        json!({"apiVersion": "messaging.knative.dev/v1", "kind": "Channel", "metadata": {"name": "bare"}}),
    ];
    assert_eq!(lines(&documents), [""; 0]);
}

#[test]
fn channels_that_cannot_be_are_refused() {
    let kafka = document("Channel", "orders", &json!({"channelTemplate": template("KafkaChannel")}));
    assert_eq!(
        lines(&[kafka]),
        ["error SG0403 /spec/channelTemplate/kind: no KafkaChannel of messaging.knative.dev/v1 is known here, \
          only InMemoryChannel of messaging.knative.dev/v1"]
    );
    let twice = [document("Channel", "orders", &json!({})), document("InMemoryChannel", "orders", &json!({}))];
    assert_eq!(lines(&twice), ["error SG0404 /metadata/name: channel default/orders exists already, at test.yaml:1"]);
    let filled = document("Channel", "orders", &json!({"subscribers": []}));
    assert_eq!(
        lines(&[filled]),
        ["warning SG0405 /spec/subscribers: subscribers are filled in by Knative and ignored here"]
    );
}

#[test]
fn subscriptions_of_the_usual_forms_are_fine() {
    let sink = json!({"uri": "http://127.0.0.1:9/dead"});
    for fields in [
        json!({}),
        json!({"reply": {"ref": {"apiVersion": "messaging.knative.dev/v1", "kind": "Channel", "name": "replies"}}}),
        json!({"subscriber": null, "reply": {"uri": "https://replies.example/"}}),
        json!({"subscriber": {"ref": {"apiVersion": "v1", "kind": "Service", "name": "a", "namespace": "b"}, "uri": "/x?y=%20"}}),
        json!({"delivery": {"retry": 3, "backoffPolicy": "linear", "backoffDelay": "PT0.2S", "timeout": "PT5S",
                            "backoffMax": "PT1M", "retryAfterMax": "PT0S", "format": "json", "deadLetterSink": sink}}),
    ] {
        assert_eq!(subscription(&fields), [""; 0], "{fields}");
    }
}

#[test]
fn each_mistake_in_a_subscription_is_named_where_it_is() {
    let reference = |kind: &str| json!({"apiVersion": "v1", "kind": kind, "name": "a"});
    for (fields, expected) in [
        (json!({"subscriber": null}), "error SG0410 /spec: "),
        (json!({"subscriber": {}}), "error SG0411 /spec/subscriber: "),
        (json!({"subscriber": {"uri": "/path"}}), "error SG0411 /spec/subscriber/uri: "),
        (json!({"subscriber": {"uri": "ftp://a/"}}), "error SG0411 /spec/subscriber/uri: "),
        (json!({"subscriber": {"uri": "http:///path"}}), "error SG0411 /spec/subscriber/uri: "),
        (json!({"subscriber": {"uri": "http://a/b c"}}), "error SG0411 /spec/subscriber/uri: "),
        (json!({"subscriber": {"uri": "/b c", "ref": reference("Service")}}), "error SG0411 /spec/subscriber/uri: "),
        (
            json!({"subscriber": {"uri": "http://a/", "ref": reference("Service")}}),
            "error SG0411 /spec/subscriber/uri: ",
        ),
        (json!({"reply": {"ref": reference("Deployment")}}), "error SG0411 /spec/reply/ref/kind: "),
        (json!({"delivery": {"deadLetterSink": {}}}), "error SG0411 /spec/delivery/deadLetterSink: "),
        (json!({"delivery": {"timeout": "5s"}}), "error SG0413 /spec/delivery/timeout: "),
        (json!({"delivery": {"timeout": "PT0S"}}), "error SG0413 /spec/delivery/timeout: "),
        (json!({"delivery": {"backoffMax": "P1M"}}), "error SG0413 /spec/delivery/backoffMax: "),
        (json!({"delivery": {"retryAfterMax": ""}}), "error SG0413 /spec/delivery/retryAfterMax: "),
        (json!({"delivery": {"backoffDelay": "PT1S"}}), "warning SG0415 /spec/delivery: "),
        (json!({"delivery": {"retry": -1}}), "error SG0101 /spec: "),
        (json!({"delivery": {"retries": 1}}), "error SG0101 /spec: "),
        (
            json!({"channel": {"apiVersion": "v1", "kind": "Channel", "name": "orders"}}),
            "error SG0414 /spec/channel/kind: ",
        ),
        (
            json!({"channel": {"apiVersion": "messaging.knative.dev/v1", "kind": "Broker", "name": "orders"}}),
            "error SG0414 /spec/channel/kind: ",
        ),
        (
            json!({"channel": {"apiVersion": "messaging.knative.dev/v1", "kind": "Channel", "name": "order"}}),
            "warning SG0412 /spec/channel/name: no channel is called default/order",
        ),
    ] {
        let lines = subscription(&fields);
        assert_eq!(lines.len(), 1, "{fields}: {lines:?}");
        assert!(lines[0].starts_with(expected), "{fields}: {lines:?}");
    }
}

#[test]
fn a_replaced_dead_letter_sink_is_worth_a_note() {
    let channel = document("Channel", "orders", &json!({"delivery": {"deadLetterSink": {"uri": "http://dead/"}}}));
    let with = |delivery: &Value| {
        let reference = json!({"apiVersion": "messaging.knative.dev/v1", "kind": "Channel", "name": "orders"});
        let spec = json!({"channel": reference, "reply": {"uri": "http://a/"}, "delivery": delivery});
        lines(&[channel.clone(), document("Subscription", "stock", &spec)])
    };
    assert!(with(&json!({"retry": 1}))[0].starts_with("note SG0417 /spec/delivery: "));
    assert_eq!(with(&json!({})), [""; 0]);
}

#[test]
fn a_reference_of_the_other_kind_is_worth_a_warning() {
    let reference = json!({"apiVersion": "messaging.knative.dev/v1", "kind": "Channel", "name": "orders"});
    let spec = json!({"channel": reference, "reply": {"uri": "http://a/"}});
    let found = lines(&[document("InMemoryChannel", "orders", &json!({})), document("Subscription", "stock", &spec)]);
    assert!(found[0].starts_with("warning SG0416 /spec/channel/kind: "), "{found:?}");
}

#[test]
fn the_schemas_are_json_and_know_each_field_that_the_filter_knows() {
    let schemas = [
        include_str!("../../schema/broker.json"),
        include_str!("../../schema/trigger.json"),
        include_str!("../../schema/request-reply.json"),
        include_str!("../../schema/sequence.json"),
        include_str!("../../schema/parallel.json"),
        include_str!("../../schema/event-bridge.json"),
        include_str!("../../schema/channel.json"),
        include_str!("../../schema/in-memory-channel.json"),
        include_str!("../../schema/subscription.json"),
    ];
    let parsed = schemas.map(|text| serde_json::from_str::<Value>(text).unwrap());
    let delivery = |schema: &Value| schema["$defs"]["delivery"].clone();
    for other in &parsed {
        let (one, other) = (delivery(&parsed[0]).to_string(), delivery(other).to_string());
        assert_eq!(one.replace("reference", ""), other.replace("reference", ""));
    }
    let fields: Vec<&String> = parsed[0]["$defs"]["delivery"]["properties"].as_object().unwrap().keys().collect();
    let unknown = crate::config::delivery::DeliverySpec::deserialize(json!({"x": 1})).unwrap_err().to_string();
    for field in fields {
        assert!(unknown.contains(&format!("`{field}`")), "{field} is not in: {unknown}");
    }
}
