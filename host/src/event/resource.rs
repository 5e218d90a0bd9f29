//! Documents of kinds Channel, InMemoryChannel and Subscription, resolved to what delivery uses.
//!
//! The event filter has checked the documents before and says what is wrong with them at the right place; the rules are
//! kept here once more so that another filter in its place cannot make the host deliver to nonsense.

use super::backoff::{Backoff, LONGEST_WAIT, Policy};
use super::tuning::{self, Ordering};
use crate::config::StoreChoice;
use crate::upstream::registry::Names;
use jiff::{SignedDuration, Span, SpanRelativeTo};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;

/// One delivery attempt, unless `timeout` says otherwise. Knative has no limit; here every wait has one.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(30);

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
    /// The host of its address. What is delivered there goes into the channel without leaving the process.
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
pub fn resolve(names: &Names, documents: &[Document<'_>]) -> Result<Vec<ChannelSpec>, Vec<ResourceError>> {
    let mut problems = Vec::new();
    let mut channels: BTreeMap<String, (ChannelSpec, Option<DeliveryFields>)> = BTreeMap::new();
    for document in documents.iter().filter(|document| matches!(document.kind, "Channel" | "InMemoryChannel")) {
        let Some(spec) = read::<ChannelFields>(document, &mut problems) else { continue };
        let name = full_name(document.namespace, document.name);
        let address = channel_address(names, document.namespace, document.name);
        let store = tuning::store(document.value).unwrap_or_else(|(field, reason)| {
            problems.push(error(document, field, reason));
            None
        });
        let channel = ChannelSpec { name: name.clone(), address, store, subscriptions: Vec::new() };
        channels.insert(name, (channel, spec.delivery));
    }
    for document in documents.iter().filter(|document| document.kind == "Subscription") {
        let Some(spec) = read::<SubscriptionFields>(document, &mut problems) else { continue };
        let channel = full_name(document.namespace, &spec.channel.name);
        let Some((channel, delivery)) = channels.get_mut(&channel) else { continue };
        match subscription(names, document, spec, delivery.as_ref()) {
            Ok(resolved) => channel.subscriptions.push(resolved),
            Err((field, reason)) => problems.push(error(document, field, reason)),
        }
    }
    if problems.is_empty() { Ok(channels.into_values().map(|(channel, _)| channel).collect()) } else { Err(problems) }
}

pub(super) type FieldError = (&'static str, String);

fn subscription(
    names: &Names,
    document: &Document<'_>,
    spec: SubscriptionFields,
    inherited: Option<&DeliveryFields>,
) -> Result<SubscriptionSpec, FieldError> {
    // A subscription that sets anything replaces the channel's block as a whole (Knative, delivery inheritance).
    let own = spec.delivery.filter(|delivery| *delivery != DeliveryFields::default());
    let delivery = own.as_ref().or(inherited).cloned().unwrap_or_default();
    let address = |field, destination: Option<&DestinationFields>| {
        let resolved = destination.map(|destination| destination.resolve(names, document.namespace));
        resolved.transpose().map_err(|reason| (field, reason))
    };
    let subscriber = address("spec.subscriber", spec.subscriber.as_ref())?;
    let reply = address("spec.reply", spec.reply.as_ref())?;
    if subscriber.is_none() && reply.is_none() {
        return Err(("spec.subscriber", "there is neither a subscriber nor a reply".to_owned()));
    }
    Ok(SubscriptionSpec {
        name: full_name(document.namespace, document.name),
        subscriber,
        reply,
        dead_letter_sink: address("spec.delivery.deadLetterSink", delivery.dead_letter_sink.as_ref())?,
        retry: delivery.retry.unwrap_or(0),
        backoff: delivery.backoff()?,
        timeout: delivery.timeout()?,
        format: delivery.format,
        concurrency: tuning::concurrency(document.value)?,
        ordering: tuning::ordering(document.value)?,
    })
}

fn read<T: serde::de::DeserializeOwned + Default>(
    document: &Document<'_>,
    problems: &mut Vec<ResourceError>,
) -> Option<T> {
    let Some(spec) = document.value.get("spec") else { return Some(T::default()) };
    T::deserialize(spec).map_err(|reason| problems.push(error(document, "spec", reason.to_string()))).ok()
}

fn error(document: &Document<'_>, field: &'static str, reason: String) -> ResourceError {
    ResourceError { kind: document.kind.to_owned(), name: full_name(document.namespace, document.name), field, reason }
}

/// The host that Knative gives to a channel.
fn channel_address(names: &Names, namespace: &str, name: &str) -> String {
    format!("{name}-kn-channel.{namespace}.svc.{}", names.cluster_domain)
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

#[derive(Debug, Clone, PartialEq, Deserialize)]
struct DestinationFields {
    #[serde(rename = "ref")]
    reference: Option<Reference>,
    uri: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
struct Reference {
    kind: String,
    name: String,
    namespace: Option<String>,
}

impl DestinationFields {
    /// The absolute URI: of a reference `http://NAME.NAMESPACE.svc.DOMAIN/`, with a relative `uri` resolved against it;
    /// without a reference `uri` as it is.
    fn resolve(&self, names: &Names, namespace: &str) -> Result<String, String> {
        let uri = self.uri.as_deref();
        let absolute = uri.is_some_and(|uri| uri.starts_with("http://") || uri.starts_with("https://"));
        let resolved = match (&self.reference, uri) {
            (None, None) => return Err("it has neither ref nor uri".to_owned()),
            (None, Some(uri)) if absolute => uri.to_owned(),
            (None, Some(uri)) => {
                return Err(format!("{uri:?} is not an absolute http or https URI, and there is no ref"));
            }
            (Some(_), Some(uri)) if absolute => return Err(format!("it has a ref, and {uri:?} is absolute")),
            (Some(reference), uri) => {
                let path = uri.unwrap_or_default().trim_start_matches('/');
                format!("http://{}/{path}", reference.host(names, namespace)?)
            }
        };
        match resolved.parse::<http::Uri>() {
            Ok(parsed) if parsed.authority().is_some() => Ok(resolved),
            Ok(_) => Err(format!("{resolved:?} names no host")),
            Err(error) => Err(format!("{resolved:?} is not a URI: {error}")),
        }
    }
}

impl Reference {
    fn host(&self, names: &Names, namespace: &str) -> Result<String, String> {
        let namespace = self.namespace.as_deref().unwrap_or(namespace);
        match self.kind.as_str() {
            "Service" => Ok(format!("{}.{namespace}.svc.{}", self.name, names.cluster_domain)),
            "Channel" | "InMemoryChannel" => Ok(channel_address(names, namespace, &self.name)),
            kind => Err(format!("a {kind} has no address; Service, Channel and InMemoryChannel have one")),
        }
    }
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
struct DeliveryFields {
    dead_letter_sink: Option<DestinationFields>,
    retry: Option<u32>,
    backoff_policy: Option<PolicyField>,
    backoff_delay: Option<String>,
    backoff_max: Option<String>,
    timeout: Option<String>,
    retry_after_max: Option<String>,
    format: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum PolicyField {
    Linear,
    Exponential,
}

impl DeliveryFields {
    fn backoff(&self) -> Result<Backoff, FieldError> {
        let policy = self.backoff_policy.map(|policy| match policy {
            PolicyField::Linear => Policy::Linear,
            PolicyField::Exponential => Policy::Exponential,
        });
        let delay = duration("spec.delivery.backoffDelay", self.backoff_delay.as_deref())?;
        Ok(Backoff {
            growth: policy.zip(delay),
            longest: duration("spec.delivery.backoffMax", self.backoff_max.as_deref())?.unwrap_or(LONGEST_WAIT),
            retry_after_max: duration("spec.delivery.retryAfterMax", self.retry_after_max.as_deref())?,
        })
    }

    fn timeout(&self) -> Result<Duration, FieldError> {
        match duration("spec.delivery.timeout", self.timeout.as_deref())? {
            None => Ok(ATTEMPT_TIMEOUT),
            Some(Duration::ZERO) => Err(("spec.delivery.timeout", "it has to be longer than nothing".to_owned())),
            Some(timeout) => Ok(timeout),
        }
    }
}

/// An ISO-8601 duration of days and smaller units; a day has 24 hours.
fn duration(field: &'static str, text: Option<&str>) -> Result<Option<Duration>, FieldError> {
    let Some(text) = text else { return Ok(None) };
    let wrong = || (field, format!("{text:?} is not an ISO-8601 duration of at least nothing, such as PT0.5S"));
    // The parser takes friendlier forms as well, which Knative does not.
    if !text.starts_with('P') {
        return Err(wrong());
    }
    let span: Span = text.parse().map_err(|_| wrong())?;
    let exact: SignedDuration = span.to_duration(SpanRelativeTo::days_are_24_hours()).map_err(|_| wrong())?;
    Duration::try_from(exact).map(Some).map_err(|_| wrong())
}

#[cfg(test)]
#[path = "resource_tests.rs"]
mod tests;
