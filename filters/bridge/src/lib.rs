//! Channels, brokers and bridges: a request to their addresses becomes an event, an event becomes a request to each
//! subscriber that wants it.
//!
//! The filter reads and writes CloudEvents, says which events pass and what an answer means; the host keeps the queues,
//! sends, waits and retries. See the README for what it makes of requests and where the texts it follows disagree.

mod address;
mod attribute;
mod bridging;
pub mod cesql;
mod circle;
mod cloudevents;
mod config;
mod delivery;
mod duration;
mod explain;
mod filter;
#[doc(hidden)]
pub mod fuzzing;
mod header;
mod hops;
mod ingress;
mod json;
mod request_reply;

use address::{Addresses, Place};
use config::{Action, Channel, Configuration, Subscription};
use delivery::Way;
use sluicegate_sdk::Target;
use sluicegate_sdk::prelude::*;
use std::collections::BTreeMap;

/// The filter: everything that the documents say, and how to find it.
#[derive(Debug)]
pub struct Bridge {
    configuration: Configuration,
    addresses: Addresses,
    /// Channels by `NAMESPACE/NAME`.
    names: BTreeMap<String, usize>,
    /// Brokers by the URI that leads to them.
    brokers: BTreeMap<String, String>,
}

impl Bridge {
    /// Where a request goes.
    fn place(&self, request: &Request<'_>) -> Option<Place> {
        self.addresses.find(&request.authority())
    }

    fn channel(&self, index: usize) -> Option<&Channel> {
        self.configuration.channels.get(index)
    }

    /// The channel and the subscription that a delivery is of, as far as the documents have them.
    fn delivered(&self, delivery: &Delivery) -> (Option<&Channel>, Option<&Subscription>) {
        let channel = self.names.get(&delivery.channel).and_then(|index| self.channel(*index));
        let same = |subscription: &&Subscription| subscription.name == delivery.subscription;
        (channel, channel.and_then(|channel| channel.subscriptions.iter().find(same)))
    }
}

impl Configure for Bridge {
    type Settings = ();

    fn configure(
        environment: &Environment,
        _settings: (),
        resources: &[Resource],
        diagnostics: &mut Diagnostics,
    ) -> Self {
        let configuration = config::read(environment, resources, diagnostics);
        let channels = configuration.channels.iter();
        let parts = channels.clone().map(|entry| (entry.namespace.as_str(), entry.name.as_str(), entry.is_broker()));
        let addresses = Addresses::new(environment, &parts.collect::<Vec<_>>());
        let names = channels.clone().enumerate().map(|(index, channel)| (channel.full_name(), index)).collect();
        let brokers = channels.filter(|channel| channel.is_broker());
        let brokers = brokers.map(|broker| (format!("http://{}", broker.address), broker.full_name())).collect();
        Self { configuration, addresses, names, brokers }
    }
}

impl RequestFilter for Bridge {
    fn on_request(&self, request: &Request<'_>) -> RequestDecision {
        let Configuration { channels, requests, bridges, streams } = &self.configuration;
        match self.place(request) {
            Some(Place::Channel(index)) => match self.channel(index) {
                Some(channel) => ingress::decide(channel, request),
                None => next().into(),
            },
            Some(Place::Brokers) => ingress::of_path(channels, request),
            Some(Place::Requests) => request_reply::decide(requests, request),
            None => match bridges.iter().find(|bridge| bridge.takes(request)) {
                Some(bridge) => bridge.decide(request),
                None => match streams.iter().find(|stream| stream.takes(request)) {
                    Some(stream) => stream.decide(request),
                    None => next().into(),
                },
            },
        }
    }
}

impl EventFilter for Bridge {
    fn on_event(&self, event: Event, delivery: Delivery) -> EventDecision {
        let (channel, subscription) = self.delivered(&delivery);
        let way = Way {
            from_broker: channel.is_some_and(Channel::is_broker),
            to_broker: self.brokers.get(delivery.uri.trim_end_matches('/')).map(String::as_str),
        };
        match subscription.filter(|_| delivery.target == Target::Subscriber) {
            Some(subscription) if !subscription.filters.pass(&event) => EventDecision::Ack,
            Some(Subscription { action: Action::Answer(answering), .. }) => request_reply::answer(answering, &event),
            Some(Subscription { action: Action::Emit(emit), .. }) => emit.decide(&event),
            Some(Subscription { action: Action::Send(send), .. }) => send.request(&event),
            _ => delivery::decide(&event, &delivery, way),
        }
    }

    fn on_delivered(
        &self,
        event: Event,
        delivery: Delivery,
        outcome: Result<CallResponse, CallError>,
    ) -> DeliveryDecision {
        let from_broker = self.delivered(&delivery).0.is_some_and(Channel::is_broker);
        delivery::judge(&event, &delivery, from_broker, outcome)
    }
}

impl Explain for Bridge {
    fn explain(&self, request: &Request<'_>) -> Explanation {
        explain::explain(&self.configuration, self.place(request), request)
    }
}

sluicegate_sdk::export!(
    Bridge,
    hooks: [configuration, request, event, explain],
    kinds: [
        ("messaging.knative.dev", "Channel", "schema/channel.json"),
        ("messaging.knative.dev", "InMemoryChannel", "schema/in-memory-channel.json"),
        ("messaging.knative.dev", "Subscription", "schema/subscription.json"),
        ("eventing.knative.dev", "Broker", "schema/broker.json"),
        ("eventing.knative.dev", "Trigger", "schema/trigger.json"),
        ("eventing.knative.dev", "RequestReply", "schema/request-reply.json"),
        ("flows.knative.dev", "Sequence", "schema/sequence.json"),
        ("flows.knative.dev", "Parallel", "schema/parallel.json"),
        ("sluicegate.dev", "EventBridge", "schema/event-bridge.json"),
    ],
    capabilities: ["log"],
    priority: 50,
    idle_unless: [],
);
