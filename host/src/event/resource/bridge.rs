//! Bridges between requests and events, as far as they deliver events.

use super::delivery::DeliveryFields;
use super::destination::{DestinationFields, Reference};
use super::table::{Field, Subscribing, Table};
use super::{Document, FieldError};
use serde::Deserialize;

/// What a bridge's subscription is called, after its own name.
const SUBSCRIPTION: &str = "-event-bridge";

#[derive(Debug, Default, Deserialize)]
struct BridgeFields {
    request: Option<RequestFields>,
    events: Option<EventsFields>,
}

#[derive(Debug, Deserialize)]
struct RequestFields {
    to: Reference,
    reply: Option<ReplyFields>,
}

#[derive(Debug, Deserialize)]
struct ReplyFields {
    from: Option<Reference>,
}

#[derive(Debug, Deserialize)]
struct EventsFields {
    from: Reference,
    send: Option<SendFields>,
    emit: Option<EmitFields>,
    reply: Option<DestinationFields>,
    delivery: Option<DeliveryFields>,
}

#[derive(Debug, Deserialize)]
struct SendFields {
    to: DestinationFields,
}

#[derive(Debug, Deserialize)]
struct EmitFields {
    to: Reference,
}

/// A bridge subscribes to the channel that it takes events from, or replies.
pub(super) fn bridge(table: &mut Table<'_>, document: &Document<'_>) {
    let Some(fields) = table.read::<BridgeFields>(document) else { return };
    let name = format!("{}{SUBSCRIPTION}", document.name);
    if let Some(RequestFields { to, reply: Some(reply) }) = &fields.request {
        let from = reply.from.as_ref().unwrap_or(to);
        let from_broker = from.kind == "Broker";
        subscribe(table, document, from, "spec.request", |from| {
            let (name, of_broker) = (name.clone(), from_broker);
            Ok(Subscribing { name, of_broker, subscriber: Some(Field::Uri(from)), reply: None, delivery: None })
        });
    }
    let Some(events) = fields.events else { return };
    let names = table.names;
    subscribe(table, document, &events.from, "spec.events.from", |_| {
        let subscriber = match (&events.send, &events.emit) {
            (Some(send), None) => Field::Written("spec.events.send.to", &send.to),
            (None, Some(emit)) => {
                let uri = emit.to.channel_uri(names, document.namespace);
                Field::Uri(uri.map_err(|reason| ("spec.events.emit.to", reason))?)
            }
            _ => return Err(("spec.events", "it needs either send or emit".to_owned())),
        };
        let reply = events.reply.as_ref().map(|reply| Field::Written("spec.events.reply", reply));
        let of_broker = events.from.kind == "Broker";
        Ok(Subscribing { name, of_broker, subscriber: Some(subscriber), reply, delivery: events.delivery.clone() })
    });
}

/// Subscribes to the channel of a reference; what to subscribe with may need its URI.
fn subscribe<'d>(
    table: &mut Table<'_>,
    document: &Document<'_>,
    from: &Reference,
    field: &'static str,
    with: impl FnOnce(String) -> Result<Subscribing<'d>, FieldError>,
) {
    let channel = from.channel(document.namespace).ok_or_else(|| (field, format!("a {} is no channel", from.kind)));
    let uri = from.channel_uri(table.names, document.namespace).map_err(|reason| (field, reason));
    match channel.and_then(|channel| Ok((channel, with(uri?)?))) {
        Ok((channel, subscribing)) => table.subscribe(document, &channel, subscribing),
        Err(error) => table.refuse(document, error),
    }
}
