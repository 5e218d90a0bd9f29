//! Broker and Trigger (`eventing.knative.dev/v1`), RequestReply (`eventing.knative.dev/v1alpha1`).

use super::delivery::{DURATION_HELP, DeliverySpec};
use super::destination::{Destination, Reference};
use super::filter;
use super::reader::{LONGEST_WAIT, Reader};
use super::{Action, Answering, Channel, Subscription};
use crate::filter::Filters;
use crate::request_reply::RequestReply;
use crate::{address, attribute, duration};
use serde::Deserialize;
use serde_json::{Map, Value};
use sluicegate_sdk::Resource;

/// How long a request waits whose RequestReply does not say: as long as a delivery may take.
const TIMEOUT: u64 = 30_000;
/// The classes that say nothing about how events are kept.
const CLASSES: [&str; 1] = ["MTChannelBasedBroker"];
const CLASS: &str = "eventing.knative.dev/broker.class";

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct BrokerSpec {
    config: Option<Value>,
    delivery: Option<DeliverySpec>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct TriggerSpec {
    broker: String,
    filter: Option<AttributesFilter>,
    filters: Option<Vec<Value>>,
    subscriber: Destination,
    delivery: Option<DeliverySpec>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct AttributesFilter {
    attributes: Option<Map<String, Value>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RequestReplySpec {
    broker_ref: Reference,
    correlation_attribute: Option<String>,
    reply_attribute: Option<String>,
    timeout: Option<String>,
    delivery: Option<DeliverySpec>,
    secrets: Option<Value>,
}

pub(super) fn broker(reader: &mut Reader<'_>, resource: &Resource) {
    let Some(spec) = resource.spec::<BrokerSpec>(reader.diagnostics) else { return };
    let document = resource.value();
    let annotations = document.pointer("/metadata/annotations");
    let class = annotations.and_then(|annotations| annotations.get(CLASS)).and_then(Value::as_str);
    if let Some(class) = class.filter(|class| !CLASSES.contains(class)) {
        let pointer = format!("/metadata/annotations/{}", CLASS.replace('/', "~1"));
        let message =
            format!("brokers of class {class} are none of this proxy; the broker works as a channel of its own");
        let help = "remove the annotation, or leave this broker to the implementation of that class";
        reader.warning((resource, &pointer), "SG0428", &message, help);
    }
    if spec.config.is_some() {
        let message = "`config` says how Knative makes the broker's channels, and is ignored here";
        reader.warning((resource, "/spec/config"), "SG0429", message, "remove it");
    }
    reader.check_delivery(resource, "/spec/delivery", spec.delivery.as_ref());
    reader.add(resource, &resource.name, spec.delivery.as_ref());
}

pub(super) fn trigger(reader: &mut Reader<'_>, resource: &Resource) {
    let Some(spec) = resource.spec::<TriggerSpec>(reader.diagnostics) else { return };
    let filters = trigger_filters(reader, resource, &spec);
    let receiver = reader.resolve((resource, "/spec/subscriber"), &spec.subscriber).unwrap_or_default();
    reader.check_delivery(resource, "/spec/delivery", spec.delivery.as_ref());
    let found = reader.position_of(&resource.namespace, &spec.broker, true);
    let broker = found.and_then(|index| reader.configuration.channels.get(index)).filter(|channel| channel.is_broker());
    let Some(sink) = broker.map(|broker| broker.dead_letter_sink) else {
        let name = format!("{}/{}", resource.namespace, spec.broker);
        return reader.unknown((resource, "/spec/broker"), "SG0427", "Broker", &name);
    };
    if let Some(delivery) = spec.delivery.as_ref().filter(|_| sink) {
        delivery.check_inheritance(resource, "broker", reader.diagnostics);
    }
    let subscription = Subscription {
        name: format!("{}/{}", resource.namespace, resource.name),
        kind: resource.kind.clone(),
        origin: resource.origin.clone(),
        goes_to: format!("subscriber {receiver}"),
        receiver,
        filters,
        action: Action::Deliver,
    };
    reader.subscribe(resource, found.unwrap_or_default(), subscription);
}

/// `filters` come in place of `filter`.
fn trigger_filters(reader: &mut Reader<'_>, resource: &Resource, spec: &TriggerSpec) -> Filters {
    let attributes = spec.filter.as_ref().and_then(|filter| filter.attributes.as_ref());
    match (&spec.filters, attributes) {
        (Some(list), attributes) if !list.is_empty() => {
            if attributes.is_some_and(|attributes| !attributes.is_empty()) {
                let message = "`filter` is ignored, as there are `filters`";
                reader.warning(
                    (resource, "/spec/filter"),
                    "SG0430",
                    message,
                    "write it as `exact` among the `filters`",
                );
            }
            filter::filters(reader, (resource, "/spec/filters"), list)
        }
        (_, Some(attributes)) => filter::attributes(reader, (resource, "/spec/filter/attributes"), attributes),
        _ => Filters::default(),
    }
}

pub(super) fn request_reply(reader: &mut Reader<'_>, resource: &Resource) {
    let Some(spec) = resource.spec::<RequestReplySpec>(reader.diagnostics) else { return };
    let timeout = match &spec.timeout {
        None => TIMEOUT,
        Some(text) => duration::milliseconds(text).filter(|timeout| *timeout > 0).unwrap_or_else(|| {
            let message = format!("{text:?} is not an ISO-8601 duration longer than nothing");
            reader.error((resource, "/spec/timeout"), "SG0413", &message, DURATION_HELP);
            TIMEOUT
        }),
    };
    let timeout = reader.at_most((resource, "/spec/timeout"), timeout, LONGEST_WAIT);
    let correlation = name_of(reader, resource, "correlationAttribute", spec.correlation_attribute, "correlationid");
    let reply = name_of(reader, resource, "replyAttribute", spec.reply_attribute, "replyid");
    if spec.secrets.is_some() {
        let message = "`secrets` are ignored: the id that a reply has to repeat is random, and nobody can guess it";
        reader.warning((resource, "/spec/secrets"), "SG0432", message, "remove them");
    }
    reader.check_delivery(resource, "/spec/delivery", spec.delivery.as_ref());
    if spec.broker_ref.kind != "Broker" {
        let message = format!("requests go over a Broker, not over a {}", spec.broker_ref.kind);
        let help = "name a Broker of eventing.knative.dev/v1";
        return reader.error((resource, "/spec/brokerRef/kind"), "SG0414", &message, help);
    }
    let Some(index) = reader.channel((resource, "/spec/brokerRef"), &spec.broker_ref) else { return };
    let Some(broker) = reader.configuration.channels.get(index).map(Channel::full_name) else { return };
    let full_name = format!("{}/{}", resource.namespace, resource.name);
    let prefix = format!("request-reply {full_name} ");
    let subscription = Subscription {
        name: format!("{full_name}{}", address::REPLIES),
        kind: resource.kind.clone(),
        origin: resource.origin.clone(),
        goes_to: format!("answers requests where {reply} names one"),
        receiver: String::new(),
        filters: Filters::default(),
        action: Action::Answer(Answering { prefix: prefix.clone(), attribute: reply.clone(), unwrap: false }),
    };
    reader.subscribe(resource, index, subscription);
    let origin = resource.origin.clone();
    reader.configuration.requests.push(RequestReply { full_name, origin, broker, correlation, reply, timeout, prefix });
}

/// The name of an extension that a field gives.
fn name_of(reader: &mut Reader<'_>, resource: &Resource, field: &str, given: Option<String>, default: &str) -> String {
    let name = given.unwrap_or_else(|| default.to_owned());
    if !attribute::is_extension(&name) {
        let message = format!("{name:?} is not a name that an extension may have");
        let help = "names have a-z and 0-9 alone, and are not those of other attributes";
        reader.error((resource, &format!("/spec/{field}")), "SG0431", &message, help);
    }
    name
}
