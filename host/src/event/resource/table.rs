//! Channels as they are put together from documents.

use super::delivery::{DeliveryFields, inherited};
use super::destination::{DestinationFields, broker_address, channel_address};
use super::{ChannelSpec, Document, FieldError, ResourceError};
use crate::event::tuning;
use crate::upstream::registry::Names;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;

/// All channels so far, and what cannot be used.
pub(super) struct Table<'a> {
    pub(super) names: &'a Names,
    /// By `NAMESPACE/NAME`, each with the delivery that its subscriptions inherit.
    channels: BTreeMap<String, (ChannelSpec, Option<DeliveryFields>)>,
    problems: Vec<ResourceError>,
}

/// A subscription to be, with what it sets itself.
pub(super) struct Subscribing<'d> {
    /// Its name without the namespace.
    pub(super) name: String,
    /// Whether it is a broker whose events it gets; a channel of the same name is none.
    pub(super) of_broker: bool,
    pub(super) subscriber: Option<Field<'d>>,
    pub(super) reply: Option<Field<'d>>,
    pub(super) delivery: Option<DeliveryFields>,
}

/// Where a field of a document sends events.
pub(super) enum Field<'d> {
    /// A destination that has to be resolved, in a field of this name.
    Written(&'static str, &'d DestinationFields),
    /// A channel of this namespace.
    Channel(String),
    /// As it is.
    Uri(String),
}

impl<'a> Table<'a> {
    pub(super) fn new(names: &'a Names) -> Self {
        Self { names, channels: BTreeMap::new(), problems: Vec::new() }
    }

    /// The fields of a document's spec.
    pub(super) fn read<T: DeserializeOwned + Default>(&mut self, document: &Document<'_>) -> Option<T> {
        let Some(spec) = document.value.get("spec") else { return Some(T::default()) };
        T::deserialize(spec).map_err(|reason| self.refuse(document, ("spec", reason.to_string()))).ok()
    }

    pub(super) fn refuse(&mut self, document: &Document<'_>, (field, reason): FieldError) {
        let (kind, name) = (document.kind.to_owned(), format!("{}/{}", document.namespace, document.name));
        self.problems.push(ResourceError { kind, name, field, reason });
    }

    /// Adds a channel of the document's namespace, with the host that Knative gives it.
    pub(super) fn channel(&mut self, document: &Document<'_>, name: &str, delivery: Option<DeliveryFields>) {
        let address = channel_address(self.names, document.namespace, name);
        self.add(document, name, address, delivery);
    }

    /// Adds the channel that a broker is.
    pub(super) fn broker(&mut self, document: &Document<'_>, delivery: Option<DeliveryFields>) {
        let address = broker_address(self.names, document.namespace, document.name);
        self.add(document, document.name, address, delivery);
    }

    fn add(&mut self, document: &Document<'_>, name: &str, address: String, delivery: Option<DeliveryFields>) {
        let name = format!("{}/{name}", document.namespace);
        if self.channels.contains_key(&name) {
            let reason = format!("there is a channel {name} already; channels, brokers and flows share their names");
            return self.refuse(document, ("metadata.name", reason));
        }
        let store = tuning::store(document.value).unwrap_or_else(|error| {
            self.refuse(document, error);
            None
        });
        let channel = ChannelSpec { name: name.clone(), address, store, subscriptions: Vec::new() };
        self.channels.insert(name, (channel, delivery));
    }

    /// Adds a subscription to a channel (`NAMESPACE/NAME`). Where there is no such channel it is passed over until
    /// there is.
    pub(super) fn subscribe(&mut self, document: &Document<'_>, channel: &str, subscribing: Subscribing<'_>) {
        let Some((known, parent)) = self.channels.get(channel) else { return };
        // Only a broker's address has a path.
        if known.address.contains('/') != subscribing.of_broker {
            return;
        }
        let delivery = inherited(subscribing.delivery, parent.as_ref());
        let to = |field: Option<Field<'_>>| field.map(|field| field.uri(self.names, document.namespace)).transpose();
        let ends = to(subscribing.subscriber).and_then(|subscriber| Ok((subscriber, to(subscribing.reply)?)));
        let resolved = ends.and_then(|ends| delivery.subscription(self.names, document, &subscribing.name, ends));
        match resolved {
            Ok(resolved) => {
                if let Some((channel, _)) = self.channels.get_mut(channel) {
                    channel.subscriptions.push(resolved);
                }
            }
            Err(error) => self.refuse(document, error),
        }
    }

    pub(super) fn finish(self) -> Result<Vec<ChannelSpec>, Vec<ResourceError>> {
        if !self.problems.is_empty() {
            return Err(self.problems);
        }
        Ok(self.channels.into_values().map(|(channel, _)| channel).collect())
    }
}

impl Field<'_> {
    fn uri(self, names: &Names, namespace: &str) -> Result<String, FieldError> {
        match self {
            Self::Written(field, destination) => {
                destination.resolve(names, namespace).map_err(|reason| (field, reason))
            }
            Self::Channel(name) => Ok(format!("http://{}/", channel_address(names, namespace, &name))),
            Self::Uri(uri) => Ok(uri),
        }
    }
}
