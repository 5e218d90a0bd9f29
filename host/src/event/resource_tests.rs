use super::*;
use serde_json::json;

fn resolved(documents: &[(&str, &str, Value)]) -> Result<Vec<ChannelSpec>, Vec<ResourceError>> {
    let documents: Vec<Document<'_>> =
        documents.iter().map(|(kind, name, spec)| Document { namespace: "shop", name, kind, value: spec }).collect();
    resolve(&Names::default(), &documents)
}

fn channel(spec: &Value) -> (&'static str, &'static str, Value) {
    ("Channel", "orders", json!({ "spec": spec }))
}

fn subscription(spec: &Value) -> (&'static str, &'static str, Value) {
    let mut spec = spec.clone();
    spec["channel"] = json!({"apiVersion": "messaging.knative.dev/v1", "kind": "Channel", "name": "orders"});
    ("Subscription", "stock", json!({ "spec": spec }))
}

fn only(channel_spec: &Value, subscription_spec: &Value) -> SubscriptionSpec {
    let mut channels = resolved(&[channel(channel_spec), subscription(subscription_spec)]).unwrap();
    channels.remove(0).subscriptions.remove(0)
}

fn refused(subscription_spec: &Value) -> String {
    resolved(&[channel(&json!({})), subscription(subscription_spec)]).unwrap_err().remove(0).to_string()
}

#[test]
fn references_become_addresses_and_relative_uris_hang_on_them() {
    let cases = [
        (json!({"ref": {"kind": "Service", "name": "inventory"}}), "http://inventory.shop.svc.cluster.local/"),
        (
            json!({"ref": {"kind": "Service", "name": "inventory", "namespace": "other"}, "uri": "/events?x=1"}),
            "http://inventory.other.svc.cluster.local/events?x=1",
        ),
        (json!({"ref": {"kind": "Channel", "name": "next"}}), "http://next-kn-channel.shop.svc.cluster.local/"),
        (json!({"uri": "http://127.0.0.1:9000/hook"}), "http://127.0.0.1:9000/hook"),
    ];
    for (destination, expected) in cases {
        assert_eq!(only(&json!({}), &json!({ "subscriber": destination })).subscriber.as_deref(), Some(expected));
    }
}

#[test]
fn destinations_that_lead_nowhere_are_refused() {
    let cases = [
        (json!({}), "neither ref nor uri"),
        (json!({"uri": "/relative"}), "not an absolute"),
        (json!({"uri": "http://"}), "is not a URI"),
        (json!({"uri": "http://a/", "ref": {"kind": "Service", "name": "b"}}), "is absolute"),
        (json!({"ref": {"kind": "Deployment", "name": "b"}}), "a Deployment has no address"),
    ];
    for (destination, expected) in cases {
        let message = refused(&json!({ "subscriber": destination }));
        assert!(message.starts_with("Subscription shop/stock: spec.subscriber: "), "{message}");
        assert!(message.contains(expected), "{message}");
    }
    assert!(refused(&json!({})).contains("neither a subscriber nor a reply"));
}

#[test]
fn delivery_is_read_with_iso_durations() {
    let delivery = json!({
        "retry": 5, "backoffPolicy": "exponential", "backoffDelay": "PT0.5S", "backoffMax": "PT1M",
        "timeout": "PT2S", "retryAfterMax": "PT0S", "format": "json",
        "deadLetterSink": {"uri": "http://127.0.0.1:9/dead"},
    });
    let spec = only(&json!({}), &json!({"subscriber": {"uri": "http://a/"}, "delivery": delivery}));
    assert_eq!(spec.retry, 5);
    assert_eq!(spec.backoff.growth, Some((Policy::Exponential, Duration::from_millis(500))));
    assert_eq!(spec.backoff.longest, Duration::from_mins(1));
    assert_eq!(spec.backoff.retry_after_max, Some(Duration::ZERO));
    assert_eq!(spec.timeout, Duration::from_secs(2));
    assert_eq!(spec.format.as_deref(), Some("json"));
    assert_eq!(spec.dead_letter_sink.as_deref(), Some("http://127.0.0.1:9/dead"));
}

#[test]
fn durations_that_are_none_are_refused() {
    for text in ["5s", "PT", "-PT1S", "P1M", "1", ""] {
        let message = refused(&json!({"subscriber": {"uri": "http://a/"}, "delivery": {"timeout": text}}));
        assert!(message.contains("spec.delivery.timeout"), "{text}: {message}");
    }
    let message = refused(&json!({"subscriber": {"uri": "http://a/"}, "delivery": {"timeout": "PT0S"}}));
    assert!(message.contains("longer than nothing"), "{message}");
}

#[test]
fn the_subscriptions_delivery_replaces_the_channels_as_a_whole() {
    let of_channel = json!({"delivery": {"retry": 7, "deadLetterSink": {"uri": "http://dead/"}}});
    let subscriber = json!({"uri": "http://a/"});
    let inherited = only(&of_channel, &json!({"subscriber": subscriber, "delivery": {}}));
    assert_eq!((inherited.retry, inherited.dead_letter_sink.as_deref()), (7, Some("http://dead/")));
    let own = only(&of_channel, &json!({"subscriber": subscriber, "delivery": {"timeout": "PT1S"}}));
    assert_eq!((own.retry, own.dead_letter_sink), (0, None));
}

#[test]
fn a_subscription_without_its_channel_waits_for_it() {
    let subscriber = json!({"subscriber": {"uri": "http://a/"}});
    assert_eq!(resolved(&[subscription(&subscriber)]).unwrap(), []);
    let both = resolved(&[subscription(&subscriber), ("InMemoryChannel", "orders", json!({}))]).unwrap();
    assert_eq!(both[0].subscriptions.len(), 1);
}
