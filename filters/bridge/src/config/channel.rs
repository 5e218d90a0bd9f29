//! Channel, InMemoryChannel and Subscription (`messaging.knative.dev/v1`).

use super::delivery::DeliverySpec;
use super::destination::Destination;
use super::reader::Reader;
use super::{Action, Subscription};
use crate::filter::Filters;
use serde::Deserialize;
use sluicegate_sdk::Resource;

/// The `apiVersion` of all three kinds.
const API_VERSION: &str = "messaging.knative.dev/v1";

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ChannelSpec {
    channel_template: Option<Template>,
    channel: Option<Template>,
    delivery: Option<DeliverySpec>,
    subscribers: Option<serde_json::Value>,
}

/// Which kind of channel is to be made.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Template {
    api_version: String,
    kind: String,
    spec: Option<serde_json::Map<String, serde_json::Value>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SubscriptionSpec {
    channel: ChannelReference,
    subscriber: Option<Destination>,
    reply: Option<Destination>,
    delivery: Option<DeliverySpec>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ChannelReference {
    api_version: String,
    kind: String,
    name: String,
}

pub(super) fn channel(reader: &mut Reader<'_>, resource: &Resource) {
    let Some(spec) = resource.spec::<ChannelSpec>(reader.diagnostics) else { return };
    check_alias(reader, resource, &spec);
    if spec.subscribers.is_some() {
        let message = "subscribers are filled in by Knative and ignored here";
        reader.warning((resource, "/spec/subscribers"), "SG0405", message, "write a Subscription for each");
    }
    reader.check_delivery(resource, "/spec/delivery", spec.delivery.as_ref());
    reader.add(resource, &resource.name, spec.delivery.as_ref());
}

/// A channel's template is `spec.channelTemplate`; `spec.channel` is taken for it too.
fn check_alias(reader: &mut Reader<'_>, resource: &Resource, spec: &ChannelSpec) {
    if let Some(alias) = &spec.channel {
        let message = "a Channel has no field `channel`; it is taken for `channelTemplate`";
        let help = "rename it to `channelTemplate`: Knative ignores or refuses `channel` here";
        reader.warning((resource, "/spec/channel"), "SG0401", message, help);
        if spec.channel_template.as_ref().is_some_and(|template| !template.is_like(alias)) {
            let message = "`channel` is taken for `channelTemplate`, which is there too and says something else";
            reader.error((resource, "/spec/channel"), "SG0402", message, "remove `channel`");
        }
    }
    for (pointer, template) in [("/spec/channelTemplate", &spec.channel_template), ("/spec/channel", &spec.channel)] {
        check_template(reader, resource, pointer, template.as_ref());
    }
}

/// Only memory holds channels that a template asks for.
pub(super) fn check_template(reader: &mut Reader<'_>, resource: &Resource, pointer: &str, template: Option<&Template>) {
    let Some(template) = template.filter(|template| !template.is_in_memory()) else { return };
    let (kind, version) = (&template.kind, &template.api_version);
    let message = format!("no {kind} of {version} is known here, only InMemoryChannel of {API_VERSION}");
    let help = "events would live in memory where the file asks for something else; say so if that is fine";
    reader.error((resource, &format!("{pointer}/kind")), "SG0403", &message, help);
}

pub(super) fn subscription(reader: &mut Reader<'_>, resource: &Resource) {
    let Some(spec) = resource.spec::<SubscriptionSpec>(reader.diagnostics) else { return };
    let (mut goes_to, mut receiver) = (Vec::new(), None);
    for (field, destination) in [("subscriber", &spec.subscriber), ("reply", &spec.reply)] {
        let Some(destination) = destination else { continue };
        let uri = reader.resolve((resource, &format!("/spec/{field}")), destination);
        goes_to.extend(uri.as_ref().map(|uri| format!("{field} {uri}")));
        receiver = receiver.or(uri);
    }
    if spec.subscriber.is_none() && spec.reply.is_none() {
        let message = "a subscription needs a `subscriber`, a `reply`, or both";
        let help = "add `subscriber: {ref: {apiVersion: v1, kind: Service, name: …}}`";
        reader.error((resource, "/spec"), "SG0410", message, help);
    }
    reader.check_delivery(resource, "/spec/delivery", spec.delivery.as_ref());
    let Some(channel) = subscribed(reader, resource, &spec) else { return };
    let subscription = Subscription {
        name: format!("{}/{}", resource.namespace, resource.name),
        kind: resource.kind.clone(),
        origin: resource.origin.clone(),
        goes_to: goes_to.join(", "),
        receiver: receiver.unwrap_or_default(),
        filters: Filters::default(),
        action: Action::Deliver,
    };
    reader.subscribe(resource, channel, subscription);
}

/// The channel that is subscribed to. What is allowed but likely not meant is said.
fn subscribed(reader: &mut Reader<'_>, resource: &Resource, spec: &SubscriptionSpec) -> Option<usize> {
    let reference = &spec.channel;
    if reference.api_version != API_VERSION || !matches!(reference.kind.as_str(), "Channel" | "InMemoryChannel") {
        let message = format!("{} of {} is no channel that is known here", reference.kind, reference.api_version);
        let help = format!("expected Channel or InMemoryChannel of {API_VERSION}");
        reader.error((resource, "/spec/channel/kind"), "SG0414", &message, &help);
        return None;
    }
    let Some(index) = reader.position_of(&resource.namespace, &reference.name, false) else {
        let name = format!("{}/{}", resource.namespace, reference.name);
        reader.unknown((resource, "/spec/channel/name"), "SG0412", "Channel", &name);
        return None;
    };
    let channel = reader.configuration.channels.get(index)?;
    let (name, kind, sink) = (channel.full_name(), channel.kind.clone(), channel.dead_letter_sink);
    if reference.kind == "Channel" && kind != "Channel" {
        let message = format!("{name} is an {kind}; Knative would look for a Channel and find none");
        reader.warning((resource, "/spec/channel/kind"), "SG0416", &message, &format!("write `kind: {kind}`"));
    }
    if let Some(delivery) = spec.delivery.as_ref().filter(|_| sink) {
        delivery.check_inheritance(resource, "channel", reader.diagnostics);
    }
    Some(index)
}

impl Template {
    fn is_in_memory(&self) -> bool {
        self.api_version == API_VERSION && self.kind == "InMemoryChannel"
    }

    fn is_like(&self, other: &Self) -> bool {
        let parts = |template: &Self| {
            let spec = template.spec.clone().unwrap_or_default();
            (template.api_version.clone(), template.kind.clone(), spec)
        };
        parts(self) == parts(other)
    }
}
