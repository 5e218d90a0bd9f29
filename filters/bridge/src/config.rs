//! Documents of kinds Channel, InMemoryChannel and Subscription, and what can be wrong with them beyond their shape.

use crate::destination::Destination;
use crate::{address, circle, duration};
use serde::Deserialize;
use sluicegate_sdk::{Diagnostics, Environment, Resource};

/// The `apiVersion` of all three kinds.
const API_VERSION: &str = "messaging.knative.dev/v1";

/// A channel with its subscriptions.
#[derive(Debug, Clone)]
pub(crate) struct Channel {
    pub(crate) namespace: String,
    pub(crate) name: String,
    pub(crate) kind: String,
    /// `file:line`.
    pub(crate) origin: String,
    /// The host that Knative gives it.
    pub(crate) address: String,
    pub(crate) subscriptions: Vec<Subscription>,
    dead_letter_sink: bool,
}

/// A subscription, as far as `explain` speaks of it; the host resolves the rest for itself.
#[derive(Debug, Clone)]
pub(crate) struct Subscription {
    /// `NAMESPACE/NAME`.
    pub(crate) name: String,
    /// `file:line`.
    pub(crate) origin: String,
    /// Such as `subscriber http://…, reply http://…`.
    pub(crate) goes_to: String,
    /// Where every event goes.
    pub(crate) receiver: String,
}

impl Channel {
    /// `NAMESPACE/NAME`.
    pub(crate) fn full_name(&self) -> String {
        format!("{}/{}", self.namespace, self.name)
    }
}

/// Reads all documents. What is wrong with them goes into the diagnostics.
pub(crate) fn channels(
    environment: &Environment,
    resources: &[Resource],
    diagnostics: &mut Diagnostics,
) -> Vec<Channel> {
    let mut channels: Vec<Channel> = Vec::new();
    for resource in resources.iter().filter(|resource| resource.kind != "Subscription") {
        let Some(channel) = channel(environment, resource, diagnostics) else { continue };
        let same = |known: &&Channel| (&known.namespace, &known.name) == (&channel.namespace, &channel.name);
        if let Some(known) = channels.iter().find(same) {
            let message = format!("channel {} exists already, at {}", known.full_name(), known.origin);
            diagnostics.error(resource, "/metadata/name", "SG0404", message);
            diagnostics.help("Channel and InMemoryChannel share their names; rename one, or remove it");
            continue;
        }
        channels.push(channel);
    }
    for resource in resources.iter().filter(|resource| resource.kind == "Subscription") {
        subscribe(environment, resource, &mut channels, diagnostics);
        if let Some(round) = circle::closed_by(&channels, resource) {
            let message = format!("events go round for ever: {round}");
            diagnostics.error(resource, "/spec", "SG0418", message);
            diagnostics.help("send them somewhere else");
        }
    }
    channels
}

fn channel(environment: &Environment, resource: &Resource, diagnostics: &mut Diagnostics) -> Option<Channel> {
    let spec: ChannelSpec = resource.spec(diagnostics)?;
    check_template(resource, &spec, diagnostics);
    if spec.subscribers.is_some() {
        diagnostics.warning(
            resource,
            "/spec/subscribers",
            "SG0405",
            "subscribers are filled in by Knative and ignored here",
        );
        diagnostics.help("write a Subscription for each");
    }
    if let Some(delivery) = &spec.delivery {
        delivery.check(environment, resource, diagnostics);
    }
    Some(Channel {
        namespace: resource.namespace.clone(),
        name: resource.name.clone(),
        kind: resource.kind.clone(),
        origin: resource.origin.clone(),
        address: address::service(environment, &resource.namespace, &resource.name),
        subscriptions: Vec::new(),
        dead_letter_sink: spec.delivery.is_some_and(|delivery| delivery.dead_letter_sink.is_some()),
    })
}

/// A channel's template is `spec.channelTemplate`; `spec.channel` is taken for it too.
fn check_template(resource: &Resource, spec: &ChannelSpec, diagnostics: &mut Diagnostics) {
    if let Some(alias) = &spec.channel {
        let message = "a Channel has no field `channel`; it is taken for `channelTemplate`";
        diagnostics.warning(resource, "/spec/channel", "SG0401", message);
        diagnostics.help("rename it to `channelTemplate`: Knative ignores or refuses `channel` here");
        if spec.channel_template.as_ref().is_some_and(|template| !template.is_like(alias)) {
            let message = "`channel` is taken for `channelTemplate`, which is there too and says something else";
            diagnostics.error(resource, "/spec/channel", "SG0402", message);
            diagnostics.help("remove `channel`");
        }
    }
    for (pointer, template) in [("/spec/channelTemplate", &spec.channel_template), ("/spec/channel", &spec.channel)] {
        let Some(template) = template else { continue };
        if !template.is_in_memory() {
            let message = format!(
                "no {} of {} is known here, only InMemoryChannel of {API_VERSION}",
                template.kind, template.api_version
            );
            diagnostics.error(resource, format!("{pointer}/kind"), "SG0403", message);
            diagnostics
                .help("events would live in memory where the file asks for something else; say so if that is fine");
        }
    }
}

fn subscribe(environment: &Environment, resource: &Resource, channels: &mut [Channel], diagnostics: &mut Diagnostics) {
    let Some(spec) = resource.spec::<SubscriptionSpec>(diagnostics) else { return };
    let (mut goes_to, mut receiver) = (Vec::new(), None);
    for (field, destination) in [("subscriber", &spec.subscriber), ("reply", &spec.reply)] {
        let Some(destination) = destination else { continue };
        let uri = destination.resolve(environment, resource, &format!("/spec/{field}"), diagnostics);
        goes_to.extend(uri.as_ref().map(|uri| format!("{field} {uri}")));
        receiver = receiver.or(uri);
    }
    if spec.subscriber.is_none() && spec.reply.is_none() {
        diagnostics.error(resource, "/spec", "SG0410", "a subscription needs a `subscriber`, a `reply`, or both");
        diagnostics.help("add `subscriber: {ref: {apiVersion: v1, kind: Service, name: …}}`");
    }
    if let Some(delivery) = &spec.delivery {
        delivery.check(environment, resource, diagnostics);
    }
    let reference = &spec.channel;
    if reference.api_version != API_VERSION || !matches!(reference.kind.as_str(), "Channel" | "InMemoryChannel") {
        let message = format!("{} of {} is no channel that is known here", reference.kind, reference.api_version);
        diagnostics.error(resource, "/spec/channel/kind", "SG0414", message);
        diagnostics.help(format!("expected Channel or InMemoryChannel of {API_VERSION}"));
        return;
    }
    let known = channels.iter().map(Channel::full_name).collect::<Vec<_>>().join(", ");
    let matching =
        |channel: &&mut Channel| (&channel.namespace, &channel.name) == (&resource.namespace, &reference.name);
    let Some(channel) = channels.iter_mut().find(matching) else {
        let message =
            format!("no channel is called {}/{}, so nothing is delivered", resource.namespace, reference.name);
        diagnostics.warning(resource, "/spec/channel/name", "SG0412", message);
        diagnostics.help(if known.is_empty() {
            "there are no channels".to_owned()
        } else {
            format!("there are: {known}")
        });
        return;
    };
    check_against(resource, &spec, channel, diagnostics);
    let name = format!("{}/{}", resource.namespace, resource.name);
    channel.subscriptions.push(Subscription {
        name,
        origin: resource.origin.clone(),
        goes_to: goes_to.join(", "),
        receiver: receiver.unwrap_or_default(),
    });
}

/// What is allowed but likely not meant, now that the channel is known.
fn check_against(resource: &Resource, spec: &SubscriptionSpec, channel: &Channel, diagnostics: &mut Diagnostics) {
    if spec.channel.kind == "Channel" && channel.kind != "Channel" {
        let message =
            format!("{} is an {}; Knative would look for a Channel and find none", channel.full_name(), channel.kind);
        diagnostics.warning(resource, "/spec/channel/kind", "SG0416", message);
        diagnostics.help(format!("write `kind: {}`", channel.kind));
    }
    let own = spec.delivery.as_ref().filter(|delivery| **delivery != DeliverySpec::default());
    if channel.dead_letter_sink && own.is_some_and(|delivery| delivery.dead_letter_sink.is_none()) {
        let message = "this replaces the channel's `delivery` as a whole, so its dead letter sink does not apply";
        diagnostics.note(resource, "/spec/delivery", "SG0417", message);
        diagnostics.help("repeat `deadLetterSink` here if it should");
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ChannelSpec {
    channel_template: Option<Template>,
    channel: Option<Template>,
    delivery: Option<DeliverySpec>,
    subscribers: Option<serde_json::Value>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Template {
    api_version: String,
    kind: String,
    spec: Option<serde_json::Map<String, serde_json::Value>>,
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

#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct DeliverySpec {
    dead_letter_sink: Option<Destination>,
    retry: Option<u32>,
    backoff_policy: Option<BackoffPolicy>,
    backoff_delay: Option<String>,
    backoff_max: Option<String>,
    timeout: Option<String>,
    retry_after_max: Option<String>,
    format: Option<Format>,
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum BackoffPolicy {
    Linear,
    Exponential,
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Format {
    Json,
    Binary,
}

impl DeliverySpec {
    fn check(&self, environment: &Environment, resource: &Resource, diagnostics: &mut Diagnostics) {
        let durations = [
            ("backoffDelay", &self.backoff_delay),
            ("backoffMax", &self.backoff_max),
            ("timeout", &self.timeout),
            ("retryAfterMax", &self.retry_after_max),
        ];
        for (field, text) in durations {
            let Some(text) = text else { continue };
            let pointer = format!("/spec/delivery/{field}");
            let message = match duration::milliseconds(text) {
                None => format!("{text:?} is not an ISO-8601 duration"),
                Some(0) if field == "timeout" => "a timeout has to be longer than nothing".to_owned(),
                Some(_) => continue,
            };
            diagnostics.error(resource, pointer, "SG0413", message);
            diagnostics
                .help("write PT0.5S for half a second, PT1M for a minute; months and years have no fixed length");
        }
        if self.backoff_policy.is_some() != self.backoff_delay.is_some() {
            let message = "there is a wait between tries only when both `backoffPolicy` and `backoffDelay` are set";
            diagnostics.warning(resource, "/spec/delivery", "SG0415", message);
            diagnostics.help("add the one that is missing");
        }
        if let Some(sink) = &self.dead_letter_sink {
            sink.resolve(environment, resource, "/spec/delivery/deadLetterSink", diagnostics);
        }
    }
}

#[cfg(test)]
#[path = "config_tests.rs"]
mod tests;
