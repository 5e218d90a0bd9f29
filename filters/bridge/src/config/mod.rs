//! The documents, and what can be wrong with them beyond their shape.
//!
//! Brokers and flows become channels with subscriptions, under the names that the host gives them too: an event on its
//! way to a subscriber is known by channel and subscription.

mod bridge;
mod broker;
mod channel;
mod delivery;
mod destination;
mod filter;
mod flow;
mod reader;
#[cfg(test)]
mod tests;

use crate::bridging::{Emit, EventStream, RequestBridge, Send};
use crate::filter::Filters;
use crate::request_reply::RequestReply;
use reader::Reader;
use sluicegate_sdk::{Diagnostics, Environment, Resource};

/// Everything that the documents say.
#[derive(Debug, Clone, Default)]
pub(crate) struct Configuration {
    pub(crate) channels: Vec<Channel>,
    pub(crate) requests: Vec<RequestReply>,
    pub(crate) bridges: Vec<RequestBridge>,
    pub(crate) streams: Vec<EventStream>,
}

/// A channel, or the channel that a broker or a part of a flow is, with its subscriptions.
#[derive(Debug, Clone)]
pub(crate) struct Channel {
    pub(crate) namespace: String,
    pub(crate) name: String,
    /// The kind of the document that it comes from.
    pub(crate) kind: String,
    /// `file:line`.
    pub(crate) origin: String,
    /// The host that Knative gives it; of a broker also the path.
    pub(crate) address: String,
    pub(crate) subscriptions: Vec<Subscription>,
    dead_letter_sink: bool,
}

/// Who gets a channel's events.
#[derive(Debug, Clone)]
pub(crate) struct Subscription {
    /// `NAMESPACE/NAME`, as the host has it.
    pub(crate) name: String,
    /// The kind of the document that it comes from.
    pub(crate) kind: String,
    /// `file:line`.
    pub(crate) origin: String,
    /// Such as `subscriber http://…, reply http://…`.
    pub(crate) goes_to: String,
    /// Where every event goes that passes.
    pub(crate) receiver: String,
    /// What an event has to be like.
    pub(crate) filters: Filters,
    pub(crate) action: Action,
}

/// What becomes of an event that passes.
#[derive(Debug, Clone)]
pub(crate) enum Action {
    /// It is sent as it is.
    Deliver,
    /// It may answer a request: the key of the exchange stands in this extension, after this.
    Answer(Answering),
    /// It becomes a request.
    Send(Box<Send>),
    /// It becomes other events.
    Emit(Box<Emit>),
}

/// How an event is known to answer a request.
#[derive(Debug, Clone)]
pub(crate) struct Answering {
    /// What comes before the extension's value in the key of the exchange.
    pub(crate) prefix: String,
    /// The extension of the answering event.
    pub(crate) attribute: String,
    /// Whether its data becomes the response, instead of the event as it is.
    pub(crate) unwrap: bool,
}

impl Channel {
    /// `NAMESPACE/NAME`.
    pub(crate) fn full_name(&self) -> String {
        format!("{}/{}", self.namespace, self.name)
    }

    /// Whether it counts how far events have come, and takes replies itself.
    pub(crate) fn is_broker(&self) -> bool {
        self.kind == "Broker"
    }
}

/// Reads all documents. What is wrong with them goes into the diagnostics.
pub(crate) fn read(environment: &Environment, resources: &[Resource], diagnostics: &mut Diagnostics) -> Configuration {
    let mut reader = Reader::new(environment, diagnostics);
    for resource in resources {
        match resource.kind.as_str() {
            "Channel" | "InMemoryChannel" => channel::channel(&mut reader, resource),
            "Broker" => broker::broker(&mut reader, resource),
            _ => {}
        }
    }
    for resource in resources {
        match resource.kind.as_str() {
            "Sequence" => flow::sequence(&mut reader, resource),
            "Parallel" => flow::parallel(&mut reader, resource),
            _ => {}
        }
    }
    for resource in resources {
        match resource.kind.as_str() {
            "Subscription" => channel::subscription(&mut reader, resource),
            "Trigger" => broker::trigger(&mut reader, resource),
            "RequestReply" => broker::request_reply(&mut reader, resource),
            "EventBridge" => bridge::bridge(&mut reader, resource),
            _ => {}
        }
    }
    reader.configuration
}
