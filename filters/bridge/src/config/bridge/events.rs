//! Events that become requests, or other events.

use super::checks::{EventSpec, check_extension, check_method, is_header, making, template};
use super::subscription;
use crate::bridging::template::Scope;
use crate::bridging::{Emit, Send};
use crate::config::delivery::DeliverySpec;
use crate::config::destination::{Destination, Reference};
use crate::config::reader::Reader;
use crate::config::{Action, Channel, Subscription, filter};
use serde::Deserialize;
use serde_json::Value;
use sluicegate_sdk::Resource;
use std::collections::BTreeMap;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EventsSpec {
    from: Reference,
    filters: Option<Vec<Value>>,
    send: Option<SendSpec>,
    emit: Option<EmitSpec>,
    reply: Option<Destination>,
    delivery: Option<DeliverySpec>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SendSpec {
    to: Destination,
    method: Option<String>,
    path: Option<String>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct EmitSpec {
    to: Reference,
    split: Option<String>,
    event: Option<EventSpec>,
    #[serde(default)]
    remove: Vec<String>,
}

pub(super) fn events(reader: &mut Reader<'_>, resource: &Resource, spec: &EventsSpec) {
    let filters = spec.filters.as_deref().unwrap_or_default();
    let filters = filter::filters(reader, (resource, "/spec/events/filters"), filters);
    reader.check_delivery(resource, "/spec/events/delivery", spec.delivery.as_ref());
    if let Some(reply) = &spec.reply {
        reader.resolve((resource, "/spec/events/reply"), reply);
        if spec.emit.is_some() {
            let message = "nobody replies to events that are emitted";
            reader.warning((resource, "/spec/events/reply"), "SG0449", message, "remove `reply`");
        }
    }
    let subscription = match (&spec.send, &spec.emit) {
        (Some(send), None) => {
            let receiver = reader.resolve((resource, "/spec/events/send/to"), &send.to).unwrap_or_default();
            let action = Action::Send(Box::new(sent(reader, resource, send)));
            let goes_to = format!("becomes a request to {receiver}");
            Subscription { receiver, filters, ..subscription(resource, goes_to, action) }
        }
        (None, Some(emit)) => {
            let emit = emitted(reader, resource, emit);
            let goes_to = format!("becomes events of {}", emit.channel);
            Subscription { filters, ..subscription(resource, goes_to, Action::Emit(Box::new(emit))) }
        }
        _ => {
            let message = "events are either sent or emitted";
            let help = "keep one of `send` (a request) and `emit` (other events)";
            return reader.error((resource, "/spec/events"), "SG0441", message, help);
        }
    };
    let Some(index) = reader.channel((resource, "/spec/events/from"), &spec.from) else { return };
    reader.subscribe(resource, index, subscription);
}

fn sent(reader: &mut Reader<'_>, resource: &Resource, spec: &SendSpec) -> Send {
    if let Some(method) = &spec.method {
        check_method(reader, (resource, "/spec/events/send/method"), method);
    }
    if spec.path.as_ref().is_some_and(|path| !path.starts_with('/')) {
        let message = "a path begins with `/`";
        reader.error((resource, "/spec/events/send/path"), "SG0443", message, "write /PATH");
    }
    let path = template(reader, (resource, "/spec/events/send/path"), spec.path.as_deref(), Scope::Event);
    let mut headers = Vec::new();
    for (name, text) in &spec.headers {
        let pointer = format!("/spec/events/send/headers/{}", name.replace('~', "~0").replace('/', "~1"));
        if !is_header(name) {
            let message = format!("{name:?} is not the name of a header that a filter may set");
            let help = "framing and connection headers are the proxy's own, and so is Host";
            reader.error((resource, &pointer), "SG0445", &message, help);
        }
        let text = template(reader, (resource, &pointer), Some(text), Scope::Event);
        headers.extend(text.map(|text| (name.to_ascii_lowercase(), text)));
    }
    Send { method: spec.method.clone(), path, headers }
}

fn emitted(reader: &mut Reader<'_>, resource: &Resource, spec: &EmitSpec) -> Emit {
    if spec.split.as_ref().is_some_and(|pointer| !pointer.is_empty() && !pointer.starts_with('/')) {
        let message = "`split` is a JSON pointer";
        let help = "write /items for the member `items`, or \"\" where the data itself is the array";
        reader.error((resource, "/spec/events/emit/split"), "SG0446", message, help);
    }
    let event = spec.event.as_ref();
    let making = event.map(|event| making(reader, (resource, "/spec/events/emit/event"), event, Scope::Event));
    for (index, name) in spec.remove.iter().enumerate() {
        check_extension(reader, (resource, &format!("/spec/events/emit/remove/{index}")), name);
    }
    let channel = reader.channel((resource, "/spec/events/emit/to"), &spec.to);
    let channel = channel.and_then(|index| reader.configuration.channels.get(index));
    Emit {
        channel: channel.map(Channel::full_name).unwrap_or_default(),
        is_broker: channel.is_some_and(Channel::is_broker),
        split: spec.split.clone(),
        making: making.unwrap_or_default(),
        remove: spec.remove.clone(),
    }
}
