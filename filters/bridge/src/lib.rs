//! Channels: a request to a channel's address becomes an event, an event becomes a request to each subscriber.
//!
//! The filter reads and writes CloudEvents and says what an answer means; the host keeps the queues, sends, waits and
//! retries. See the README for what it makes of requests and where the texts it follows disagree.

mod address;
mod attribute;
mod circle;
mod cloudevents;
mod config;
mod delivery;
mod destination;
mod duration;
mod explain;
mod header;
mod ingress;
mod json;

use address::Addresses;
use config::Channel;
use sluicegate_sdk::prelude::*;

/// The filter: all channels, and the addresses that lead to them.
#[derive(Debug)]
pub struct Bridge {
    channels: Vec<Channel>,
    addresses: Addresses,
}

impl Bridge {
    /// The channel that a request is for.
    fn channel(&self, request: &Request<'_>) -> Option<&Channel> {
        self.channels.get(self.addresses.find(&request.authority())?)
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
        let channels = config::channels(environment, resources, diagnostics);
        let names = channels.iter().map(|channel| (channel.namespace.as_str(), channel.name.as_str()));
        let names: Vec<_> = names.collect();
        let addresses = Addresses::new(environment, &names);
        Self { channels, addresses }
    }
}

impl RequestFilter for Bridge {
    fn on_request(&self, request: &Request<'_>) -> RequestDecision {
        match self.channel(request) {
            Some(channel) => ingress::decide(channel, request),
            None => next().into(),
        }
    }
}

impl EventFilter for Bridge {
    fn on_event(&self, event: Event, delivery: Delivery) -> EventDecision {
        delivery::request(&event, &delivery)
    }

    fn on_delivered(
        &self,
        _event: Event,
        delivery: Delivery,
        outcome: Result<CallResponse, CallError>,
    ) -> DeliveryDecision {
        delivery::judge(&delivery, outcome)
    }
}

impl Explain for Bridge {
    fn explain(&self, request: &Request<'_>) -> Explanation {
        explain::explain(&self.channels, self.channel(request), request)
    }
}

sluicegate_sdk::export!(
    Bridge,
    hooks: [configuration, request, event, explain],
    kinds: [
        ("messaging.knative.dev", "Channel", "channel.schema.json"),
        ("messaging.knative.dev", "InMemoryChannel", "in-memory-channel.schema.json"),
        ("messaging.knative.dev", "Subscription", "subscription.schema.json"),
    ],
    capabilities: ["log"],
    priority: 50,
);
