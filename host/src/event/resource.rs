//! Documents of channels, brokers, flows and bridges, resolved to what delivery uses: channels with subscriptions.
//!
//! The event filter has checked the documents before and says what is wrong with them at the right place; the rules are
//! kept here once more so that another filter in its place cannot make the host deliver to nonsense. What an event has to
//! be like to be delivered (a Trigger's filters) is the filter's alone.

mod bridge;
mod broker;
mod delivery;
mod destination;
mod flow;
mod table;

use super::backoff::Backoff;
use super::tuning::Ordering;
use crate::config::StoreChoice;
use crate::upstream::registry::Names;
use delivery::DeliveryFields;
use destination::DestinationFields;
use serde::Deserialize;
use serde_json::Value;
use std::time::Duration;
use table::{Field, Subscribing, Table};

/// The API groups that have such documents.
pub const GROUPS: [&str; 4] = ["messaging.knative.dev", "eventing.knative.dev", "flows.knative.dev", "sluicegate.dev"];

/// One document, as the manifests hold it.
#[derive(Debug, Clone, Copy)]
pub struct Document<'a> {
    /// The namespace, never empty.
    pub namespace: &'a str,
    /// The name.
    pub name: &'a str,
    /// Such as `Subscription`; documents of other kinds are passed over.
    pub kind: &'a str,
    /// The whole document.
    pub value: &'a Value,
}

/// A channel with all its subscriptions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChannelSpec {
    /// `NAMESPACE/NAME`.
    pub name: String,
    /// The host of its address, of a broker with the path. What is delivered there goes into the channel without leaving
    /// the process.
    pub address: String,
    /// Where its events are kept, where a document says so.
    pub store: Option<StoreChoice>,
    /// In the order of the documents.
    pub subscriptions: Vec<SubscriptionSpec>,
}

/// A subscription with everything that its delivery needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubscriptionSpec {
    /// `NAMESPACE/NAME`.
    pub name: String,
    /// Where events go; none sends them straight to `reply`.
    pub subscriber: Option<String>,
    /// Where replies go; none drops them.
    pub reply: Option<String>,
    /// Where events go that cannot be delivered; none drops them.
    pub dead_letter_sink: Option<String>,
    /// How many times to try again after the first try.
    pub retry: u32,
    /// The waits between tries.
    pub backoff: Backoff,
    /// For each try.
    pub timeout: Duration,
    /// The content mode that is asked for: `binary` or `json`.
    pub format: Option<String>,
    /// Deliveries at a time, those that wait for their next try included; at least one.
    pub concurrency: usize,
    /// Which events wait for one another.
    pub ordering: Ordering,
}

/// A field of a document that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{kind} {name}: {field}: {reason}")]
pub struct ResourceError {
    /// The document's kind.
    pub kind: String,
    /// `NAMESPACE/NAME` of the document.
    pub name: String,
    /// Such as `spec.delivery.timeout`.
    pub field: &'static str,
    /// What is wrong with it.
    pub reason: String,
}

/// Resolves all channels and subscriptions. A subscription to a channel that is not there is passed over until it is.
///
/// # Errors
/// With every field that cannot be used.
pub fn resolve(names: &Names, documents: &[Document<'_>]) -> Result<Vec<ChannelSpec>, Vec<ResourceError>> {
    let mut table = Table::new(names);
    for document in documents {
        match document.kind {
            "Channel" | "InMemoryChannel" => channel(&mut table, document),
            "Broker" => broker::broker(&mut table, document),
            _ => {}
        }
    }
    for document in documents {
        match document.kind {
            "Sequence" => flow::sequence(&mut table, document),
            "Parallel" => flow::parallel(&mut table, document),
            _ => {}
        }
    }
    for document in documents {
        match document.kind {
            "Subscription" => subscription(&mut table, document),
            "Trigger" => broker::trigger(&mut table, document),
            "RequestReply" => broker::request_reply(&mut table, document),
            "EventBridge" => bridge::bridge(&mut table, document),
            _ => {}
        }
    }
    table.finish()
}

pub(super) type FieldError = (&'static str, String);

fn channel(table: &mut Table<'_>, document: &Document<'_>) {
    let Some(fields) = table.read::<ChannelFields>(document) else { return };
    table.channel(document, document.name, fields.delivery);
}

fn subscription(table: &mut Table<'_>, document: &Document<'_>) {
    let Some(fields) = table.read::<SubscriptionFields>(document) else { return };
    if fields.subscriber.is_none() && fields.reply.is_none() {
        let reason = "there is neither a subscriber nor a reply".to_owned();
        return table.refuse(document, ("spec.subscriber", reason));
    }
    let subscribing = Subscribing {
        name: document.name.to_owned(),
        of_broker: false,
        subscriber: fields.subscriber.as_ref().map(|subscriber| Field::Written("spec.subscriber", subscriber)),
        reply: fields.reply.as_ref().map(|reply| Field::Written("spec.reply", reply)),
        delivery: fields.delivery,
    };
    table.subscribe(document, &full_name(document.namespace, &fields.channel.name), subscribing);
}

fn full_name(namespace: &str, name: &str) -> String {
    format!("{namespace}/{name}")
}

#[derive(Debug, Default, Deserialize)]
struct ChannelFields {
    delivery: Option<DeliveryFields>,
}

#[derive(Debug, Default, Deserialize)]
struct SubscriptionFields {
    #[serde(default)]
    channel: ChannelReference,
    subscriber: Option<DestinationFields>,
    reply: Option<DestinationFields>,
    delivery: Option<DeliveryFields>,
}

#[derive(Debug, Default, Deserialize)]
struct ChannelReference {
    #[serde(default)]
    name: String,
}

#[cfg(test)]
#[path = "resource_tests.rs"]
mod tests;
