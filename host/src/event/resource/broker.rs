//! Brokers, their triggers, and requests that are answered over them.

use super::delivery::DeliveryFields;
use super::destination::{DestinationFields, Reference, broker_address};
use super::table::{Field, Subscribing, Table};
use super::{Document, full_name};
use serde::Deserialize;

/// What a RequestReply's subscription of its broker is called, after its own name.
const REPLIES: &str = "-kn-request-reply";
/// Where Knative's RequestReply takes requests.
const REQUEST_REPLY: &str = "request-reply.knative-eventing.svc";

#[derive(Debug, Default, Deserialize)]
struct BrokerFields {
    delivery: Option<DeliveryFields>,
}

#[derive(Debug, Default, Deserialize)]
struct TriggerFields {
    #[serde(default)]
    broker: String,
    subscriber: Option<DestinationFields>,
    delivery: Option<DeliveryFields>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct RequestReplyFields {
    broker_ref: Option<Reference>,
    delivery: Option<DeliveryFields>,
}

/// A Broker is a channel.
pub(super) fn broker(table: &mut Table<'_>, document: &Document<'_>) {
    let Some(fields) = table.read::<BrokerFields>(document) else { return };
    table.broker(document, fields.delivery);
}

/// A Trigger is a subscription of its broker, whose replies go into the broker. The event filter keeps back what its
/// filters do not pass.
pub(super) fn trigger(table: &mut Table<'_>, document: &Document<'_>) {
    let Some(fields) = table.read::<TriggerFields>(document) else { return };
    let Some(subscriber) = &fields.subscriber else {
        return table.refuse(document, ("spec.subscriber", "a Trigger needs one".to_owned()));
    };
    let reply = format!("http://{}", broker_address(table.names, document.namespace, &fields.broker));
    let subscribing = Subscribing {
        name: document.name.to_owned(),
        of_broker: true,
        subscriber: Some(Field::Written("spec.subscriber", subscriber)),
        reply: Some(Field::Uri(reply)),
        delivery: fields.delivery,
    };
    table.subscribe(document, &full_name(document.namespace, &fields.broker), subscribing);
}

/// A `RequestReply` looks at the events of its broker for those that answer one of its requests.
pub(super) fn request_reply(table: &mut Table<'_>, document: &Document<'_>) {
    let Some(fields) = table.read::<RequestReplyFields>(document) else { return };
    let Some(broker) = &fields.broker_ref else {
        return table.refuse(document, ("spec.brokerRef", "a RequestReply needs one".to_owned()));
    };
    let (namespace, domain) = (document.namespace, &table.names.cluster_domain);
    let own = format!("http://{REQUEST_REPLY}.{domain}/{namespace}/{}/reply", document.name);
    let subscribing = Subscribing {
        name: format!("{}{REPLIES}", document.name),
        of_broker: true,
        subscriber: Some(Field::Uri(own)),
        reply: None,
        delivery: fields.delivery,
    };
    let broker = full_name(broker.namespace.as_deref().unwrap_or(namespace), &broker.name);
    table.subscribe(document, &broker, subscribing);
}
