//! Where events are sent to, and the addresses of what has one.

use crate::upstream::registry::Names;
use serde::Deserialize;

/// Where Knative's brokers take events.
const BROKER_INGRESS: &str = "broker-ingress.knative-eventing.svc";

/// Knative's Destination.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(super) struct DestinationFields {
    #[serde(rename = "ref")]
    reference: Option<Reference>,
    uri: Option<String>,
}

/// A document that events can be sent to.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(super) struct Reference {
    pub(super) kind: String,
    pub(super) name: String,
    pub(super) namespace: Option<String>,
}

impl DestinationFields {
    /// The absolute URI: the address of a reference, with a relative `uri` resolved against it; without a reference
    /// `uri` as it is.
    pub(super) fn resolve(&self, names: &Names, namespace: &str) -> Result<String, String> {
        let uri = self.uri.as_deref();
        let absolute = uri.is_some_and(|uri| uri.starts_with("http://") || uri.starts_with("https://"));
        let resolved = match (&self.reference, uri) {
            (None, None) => return Err("it has neither ref nor uri".to_owned()),
            (None, Some(uri)) if absolute => uri.to_owned(),
            (None, Some(uri)) => {
                return Err(format!("{uri:?} is not an absolute http or https URI, and there is no ref"));
            }
            (Some(_), Some(uri)) if absolute => return Err(format!("it has a ref, and {uri:?} is absolute")),
            (Some(reference), Some(uri)) if reference.kind == "Broker" => {
                return Err(format!("a Broker takes events at its own path, not at {uri:?}"));
            }
            (Some(reference), None) => format!("http://{}", reference.address(names, namespace)?),
            (Some(reference), Some(uri)) => {
                let address = reference.address(names, namespace)?;
                format!("http://{address}{}", uri.trim_start_matches('/'))
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
    /// Host and path, which ends with `/` but for a broker's.
    fn address(&self, names: &Names, namespace: &str) -> Result<String, String> {
        let namespace = self.namespace(namespace);
        let channel = |name: &str| format!("{}/", channel_address(names, namespace, name));
        match self.kind.as_str() {
            "Service" => Ok(format!("{}.{namespace}.svc.{}/", self.name, names.cluster_domain)),
            "Broker" => Ok(broker_address(names, namespace, &self.name)),
            kind => self.entrance().map(|name| channel(&name)).ok_or_else(|| {
                format!(
                    "a {kind} has no address; Service, Channel, InMemoryChannel, Broker, Sequence and Parallel have one"
                )
            }),
        }
    }

    /// `NAMESPACE/NAME` of the channel that it is, or that events enter it by.
    pub(super) fn channel(&self, namespace: &str) -> Option<String> {
        let name = if self.kind == "Broker" { Some(self.name.clone()) } else { self.entrance() };
        name.map(|name| format!("{}/{name}", self.namespace(namespace)))
    }

    /// Its URI, where it is a channel of this process.
    pub(super) fn channel_uri(&self, names: &Names, namespace: &str) -> Result<String, String> {
        if self.kind == "Service" {
            return Err("a Service is no channel".to_owned());
        }
        self.address(names, namespace).map(|address| format!("http://{address}"))
    }

    /// The name of the channel, or of the first one of a flow.
    fn entrance(&self) -> Option<String> {
        match self.kind.as_str() {
            "Channel" | "InMemoryChannel" => Some(self.name.clone()),
            "Sequence" => Some(step_channel(&self.name, 0)),
            "Parallel" => Some(parallel_channel(&self.name)),
            _ => None,
        }
    }

    fn namespace<'a>(&'a self, default: &'a str) -> &'a str {
        self.namespace.as_deref().unwrap_or(default)
    }
}

/// The host that Knative gives to a channel.
pub(super) fn channel_address(names: &Names, namespace: &str, name: &str) -> String {
    format!("{name}-kn-channel.{namespace}.svc.{}", names.cluster_domain)
}

/// The host and path that Knative gives to a broker.
pub(super) fn broker_address(names: &Names, namespace: &str, name: &str) -> String {
    format!("{BROKER_INGRESS}.{}/{namespace}/{name}", names.cluster_domain)
}

/// The channel before a step of a Sequence, counted from 0, as Knative calls it.
pub(super) fn step_channel(sequence: &str, step: usize) -> String {
    format!("{sequence}-kn-sequence-{step}")
}

/// The channel that events enter a Parallel by, as Knative calls it.
pub(super) fn parallel_channel(parallel: &str) -> String {
    format!("{parallel}-kn-parallel")
}

/// The channel behind the filter of a branch, counted from 0, as Knative calls it.
pub(super) fn branch_channel(parallel: &str, branch: usize) -> String {
    format!("{parallel}-kn-parallel-{branch}")
}
