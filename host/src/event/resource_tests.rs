use super::*;
use crate::event::backoff::Policy;
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

const BROKER: &str = "http://broker-ingress.knative-eventing.svc.cluster.local/shop/main";

fn broker(spec: &Value) -> (&'static str, &'static str, Value) {
    ("Broker", "main", json!({ "spec": spec }))
}

fn trigger(spec: &Value) -> (&'static str, &'static str, Value) {
    let mut spec = spec.clone();
    spec["broker"] = "main".into();
    ("Trigger", "stock", json!({ "spec": spec }))
}

fn ends(channel: &ChannelSpec) -> Vec<(&str, Option<&str>, Option<&str>)> {
    channel
        .subscriptions
        .iter()
        .map(|spec| (spec.name.as_str(), spec.subscriber.as_deref(), spec.reply.as_deref()))
        .collect()
}

#[test]
fn a_broker_is_a_channel_whose_triggers_reply_into_it() {
    let channels = resolved(&[trigger(&json!({"subscriber": {"uri": "http://a/"}})), broker(&json!({}))]).unwrap();
    assert_eq!((channels[0].name.as_str(), format!("http://{}", channels[0].address).as_str()), ("shop/main", BROKER));
    assert_eq!(ends(&channels[0]), [("shop/stock", Some("http://a/"), Some(BROKER))]);
    assert!(resolved(&[broker(&json!({})), trigger(&json!({}))]).is_err(), "a trigger without a subscriber");
    assert_eq!(resolved(&[trigger(&json!({"subscriber": {"uri": "http://a/"}}))]).unwrap(), []);
}

#[test]
fn a_trigger_inherits_the_brokers_delivery_unless_it_sets_any() {
    let of_broker = broker(&json!({"delivery": {"retry": 3, "deadLetterSink": {"uri": "http://dead/"}}}));
    let subscriber = json!({"uri": "http://a/"});
    for (own, retry, sink) in [
        (json!({"subscriber": subscriber}), 3, Some("http://dead/")),
        (json!({"subscriber": subscriber, "delivery": {"retry": 1}}), 1, None),
        (json!({"subscriber": subscriber, "delivery": {"deadLetterSink": {"uri": "http://b/"}}}), 0, Some("http://b/")),
    ] {
        let channels = resolved(&[of_broker.clone(), trigger(&own)]).unwrap();
        let spec = &channels[0].subscriptions[0];
        assert_eq!((spec.retry, spec.dead_letter_sink.as_deref()), (retry, sink), "{own}");
    }
}

#[test]
fn every_addressable_kind_has_an_address() {
    for (kind, address) in [
        ("Service", "http://x.shop.svc.cluster.local/"),
        ("Channel", "http://x-kn-channel.shop.svc.cluster.local/"),
        ("InMemoryChannel", "http://x-kn-channel.shop.svc.cluster.local/"),
        ("Broker", "http://broker-ingress.knative-eventing.svc.cluster.local/shop/x"),
        ("Sequence", "http://x-kn-sequence-0-kn-channel.shop.svc.cluster.local/"),
        ("Parallel", "http://x-kn-parallel-kn-channel.shop.svc.cluster.local/"),
    ] {
        let spec = only(&json!({}), &json!({"subscriber": {"ref": {"kind": kind, "name": "x"}}}));
        assert_eq!(spec.subscriber.as_deref(), Some(address), "{kind}");
    }
    let message = refused(&json!({"subscriber": {"ref": {"kind": "Broker", "name": "x"}, "uri": "/path"}}));
    assert!(message.contains("at its own path"), "{message}");
}

#[test]
fn a_sequence_is_a_channel_for_each_step() {
    let steps = json!([{"uri": "http://a/"}, {"uri": "http://b/", "delivery": {"retry": 2}}]);
    let document = json!({"spec": {"steps": steps, "reply": {"uri": "http://end/"}}});
    let channels = resolved(&[("Sequence", "s", document)]).unwrap();
    let second = "http://s-kn-sequence-1-kn-channel.shop.svc.cluster.local/";
    assert_eq!(ends(&channels[0]), [("shop/s-kn-sequence-0", Some("http://a/"), Some(second))]);
    assert_eq!(ends(&channels[1]), [("shop/s-kn-sequence-1", Some("http://b/"), Some("http://end/"))]);
    assert_eq!(channels[1].subscriptions[0].retry, 2);
    assert!(resolved(&[("Sequence", "s", json!({"spec": {"steps": []}}))]).is_err());
}

#[test]
fn a_parallel_filters_into_a_channel_for_each_branch() {
    let branches = json!([
        {"filter": {"uri": "http://f/"}, "subscriber": {"uri": "http://a/"}},
        {"subscriber": {"uri": "http://b/"}, "reply": {"uri": "http://own/"}},
    ]);
    let document = json!({"spec": {"branches": branches, "reply": {"uri": "http://all/"}}});
    let channels = resolved(&[("Parallel", "p", document)]).unwrap();
    let branch = |n: u32| format!("http://p-kn-parallel-{n}-kn-channel.shop.svc.cluster.local/");
    assert_eq!(
        ends(&channels[0]),
        [
            ("shop/p-kn-parallel-filter-0", Some("http://f/"), Some(branch(0).as_str())),
            ("shop/p-kn-parallel-filter-1", None, Some(branch(1).as_str())),
        ]
    );
    assert_eq!(ends(&channels[1]), [("shop/p-kn-parallel-0", Some("http://a/"), Some("http://all/"))]);
    assert_eq!(ends(&channels[2]), [("shop/p-kn-parallel-1", Some("http://b/"), Some("http://own/"))]);
    assert!(resolved(&[("Parallel", "p", json!({"spec": {}}))]).is_err());
}

#[test]
fn channels_brokers_and_flows_share_their_names() {
    let channel = ("Channel", "main", json!({}));
    let error = resolved(&[channel, broker(&json!({}))]).unwrap_err().remove(0).to_string();
    assert!(error.starts_with("Broker shop/main: metadata.name: "), "{error}");
}

#[test]
fn a_trigger_of_a_channel_and_a_subscription_of_a_broker_get_nothing() {
    let subscriber = json!({"subscriber": {"uri": "http://a/"}});
    let (of_channel, of_broker) = (trigger(&subscriber), subscription(&subscriber));
    let channels = [("Channel", "main", json!({})), ("Broker", "orders", json!({})), of_channel, of_broker];
    let resolved = resolved(&channels).unwrap();
    assert!(resolved.iter().all(|channel| channel.subscriptions.is_empty()), "{resolved:?}");
}

#[test]
fn replies_to_requests_are_looked_for_among_the_brokers_events() {
    let reference = json!({"kind": "Broker", "name": "main"});
    let documents =
        [broker(&json!({})), ("RequestReply", "ask", json!({"spec": {"brokerRef": reference, "timeout": "PT5S"}}))];
    let channels = resolved(&documents).unwrap();
    let own = "http://request-reply.knative-eventing.svc.cluster.local/shop/ask/reply";
    assert_eq!(ends(&channels[0]), [("shop/ask-kn-request-reply", Some(own), None)]);
}

#[test]
fn a_bridge_subscribes_to_where_its_events_or_replies_come_from() {
    let (main, orders) = (json!({"kind": "Broker", "name": "main"}), json!({"kind": "Channel", "name": "orders"}));
    let bridge = |spec: &Value| {
        let documents =
            [broker(&json!({})), ("Channel", "orders", json!({})), ("EventBridge", "b", json!({"spec": spec}))];
        resolved(&documents).map(|channels| channels.iter().map(|channel| ends(channel).len()).collect::<Vec<_>>())
    };
    assert_eq!(bridge(&json!({"request": {"to": main}})), Ok(vec![0, 0]));
    assert_eq!(bridge(&json!({"request": {"to": main, "reply": {}}})), Ok(vec![1, 0]));
    assert_eq!(bridge(&json!({"request": {"to": main, "reply": {"from": orders}}})), Ok(vec![0, 1]));
    assert_eq!(bridge(&json!({"events": {"from": orders, "send": {"to": {"uri": "http://a/"}}}})), Ok(vec![0, 1]));
    assert_eq!(bridge(&json!({"events": {"from": main, "emit": {"to": orders}}})), Ok(vec![1, 0]));
    assert!(bridge(&json!({"events": {"from": main}})).is_err());
    assert!(bridge(&json!({"events": {"from": {"kind": "Service", "name": "a"}, "emit": {"to": orders}}})).is_err());
    assert!(bridge(&json!({"events": {"from": main, "emit": {"to": {"kind": "Service", "name": "a"}}}})).is_err());
}
