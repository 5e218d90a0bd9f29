//! What reading needs at hand: where names lead, what has been read, and where to say what is wrong.

use super::delivery::DeliverySpec;
use super::destination::{Destination, Reference};
use super::{Channel, Configuration, Subscription};
use crate::{address, circle};
use sluicegate_sdk::{Diagnostics, Environment, Resource};

/// The longest that an answer is waited for and kept, in milliseconds and as it is written. The host goes no further.
pub(super) const LONGEST_WAIT: (u64, &str) = (300_000, "PT5M");
pub(super) const LONGEST_KEPT: (u64, &str) = (3_600_000, "PT1H");

pub(super) struct Reader<'a> {
    pub(super) environment: &'a Environment,
    pub(super) diagnostics: &'a mut Diagnostics,
    pub(super) configuration: Configuration,
}

impl<'a> Reader<'a> {
    pub(super) fn new(environment: &'a Environment, diagnostics: &'a mut Diagnostics) -> Self {
        Self { environment, diagnostics, configuration: Configuration::default() }
    }

    /// Refuses the configuration, and says what to do about it.
    pub(super) fn error(&mut self, at: (&Resource, &str), code: &str, message: &str, help: &str) {
        self.diagnostics.error(at.0, at.1, code, message);
        self.diagnostics.help(help);
    }

    /// Warns of what is likely not meant, and says what to do about it.
    pub(super) fn warning(&mut self, at: (&Resource, &str), code: &str, message: &str, help: &str) {
        self.diagnostics.warning(at.0, at.1, code, message);
        self.diagnostics.help(help);
    }

    /// The URI of a destination, or a diagnostic.
    pub(super) fn resolve(&mut self, at: (&Resource, &str), destination: &Destination) -> Option<String> {
        destination.resolve(self.environment, at.0, at.1, self.diagnostics)
    }

    /// So many milliseconds, or the most there may be, which is said then.
    pub(super) fn at_most(&mut self, at: (&Resource, &str), given: u64, (most, written): (u64, &str)) -> u64 {
        if given > most {
            let message = format!("this is longer than {written}, which is the most and is taken instead");
            self.warning(at, "SG0452", &message, &format!("write {written}, or less"));
        }
        given.min(most)
    }

    pub(super) fn check_delivery(&mut self, resource: &Resource, pointer: &str, delivery: Option<&DeliverySpec>) {
        if let Some(delivery) = delivery {
            delivery.check(self.environment, resource, pointer, self.diagnostics);
        }
    }

    /// Adds a channel of the document's namespace; a second one of its name is refused.
    pub(super) fn add(&mut self, resource: &Resource, name: &str, delivery: Option<&DeliverySpec>) {
        let address = match resource.kind.as_str() {
            "Broker" => address::broker(self.environment, &resource.namespace, name),
            _ => address::service(self.environment, &resource.namespace, name),
        };
        let channel = Channel {
            namespace: resource.namespace.clone(),
            name: name.to_owned(),
            kind: resource.kind.clone(),
            origin: resource.origin.clone(),
            address,
            subscriptions: Vec::new(),
            dead_letter_sink: delivery.is_some_and(|delivery| delivery.dead_letter_sink.is_some()),
        };
        match self.position(&resource.namespace, name) {
            None => self.configuration.channels.push(channel),
            Some(index) => {
                let known = self.configuration.channels.get(index);
                let known = known.map(|known| (known.kind.to_lowercase(), known.origin.clone())).unwrap_or_default();
                let message = match known.0.as_str() {
                    "inmemorychannel" | "channel" => {
                        format!("channel {} exists already, at {}", channel.full_name(), known.1)
                    }
                    kind => format!("a {kind} has the channel {} already, at {}", channel.full_name(), known.1),
                };
                let help = "channels, brokers and flows share their names; rename one, or remove it";
                self.error((resource, "/metadata/name"), "SG0404", &message, help);
            }
        }
    }

    /// Adds a subscription to a channel that there is.
    pub(super) fn subscribe(&mut self, resource: &Resource, channel: usize, subscription: Subscription) {
        let Some(known) = self.configuration.channels.get_mut(channel) else { return };
        known.subscriptions.push(subscription);
        if let Some(round) = circle::closed_by_last(&self.configuration.channels, channel) {
            let message = format!("events go round for ever: {round}");
            let help = match resource.kind.as_str() {
                "Trigger" | "EventBridge" => "send them somewhere else, or only some of them, with `filters`",
                _ => "send them somewhere else",
            };
            self.error((resource, "/spec"), "SG0418", &message, help);
        }
    }

    /// Where the channel of this name is that is a broker, or that is none.
    pub(super) fn position_of(&self, namespace: &str, name: &str, is_broker: bool) -> Option<usize> {
        let is = |index: &usize| {
            self.configuration.channels.get(*index).is_some_and(|channel| channel.is_broker() == is_broker)
        };
        self.position(namespace, name).filter(is)
    }

    /// Where a channel of this name is.
    pub(super) fn position(&self, namespace: &str, name: &str) -> Option<usize> {
        let channels = &self.configuration.channels;
        channels.iter().position(|channel| channel.namespace == namespace && channel.name == name)
    }

    /// The channel that events of a reference come from or go into; says so when there is none.
    pub(super) fn channel(&mut self, at: (&Resource, &str), reference: &Reference) -> Option<usize> {
        let Some((namespace, name)) = reference.channel(&at.0.namespace) else {
            let message = format!("a {} of {} is no channel", reference.kind, reference.api_version);
            let help = "expected a Channel, InMemoryChannel, Broker, Sequence or Parallel";
            self.error((at.0, &format!("{}/kind", at.1)), "SG0414", &message, help);
            return None;
        };
        let is_broker = reference.kind == "Broker";
        let found = self.position_of(namespace, &name, is_broker);
        if found.is_none() {
            self.unknown((at.0, &format!("{}/name", at.1)), "SG0412", &reference.kind, &format!("{namespace}/{name}"));
        }
        found
    }

    /// Warns of a channel or broker that is not there.
    pub(super) fn unknown(&mut self, at: (&Resource, &str), code: &str, kind: &str, name: &str) {
        let is_broker = kind == "Broker";
        let word = if is_broker { "broker" } else { "channel" };
        let channels = self.configuration.channels.iter();
        let known = channels.filter(|channel| channel.is_broker() == is_broker).map(Channel::full_name);
        let known = known.collect::<Vec<_>>().join(", ");
        let help = if known.is_empty() { format!("there are no {word}s") } else { format!("there are: {known}") };
        self.warning(at, code, &format!("no {word} is called {name}, so nothing is delivered"), &help);
    }
}
