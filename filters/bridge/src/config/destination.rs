//! Where events are sent to: a reference, a URI, or both.

use crate::address;
use serde::Deserialize;
use sluicegate_sdk::{Diagnostics, Environment, Resource};

/// Knative's Destination.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(crate) struct Destination {
    #[serde(rename = "ref")]
    reference: Option<Reference>,
    uri: Option<String>,
}

/// A document that events can be sent to.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Reference {
    pub(crate) api_version: String,
    pub(crate) kind: String,
    pub(crate) name: String,
    pub(crate) namespace: Option<String>,
}

const CODE: &str = "SG0411";
const ADDRESSABLE: &str = "a Service of v1 or serving.knative.dev/v1, a Channel or InMemoryChannel of \
    messaging.knative.dev/v1, a Broker of eventing.knative.dev/v1, and a Sequence or Parallel of flows.knative.dev/v1 have one";

impl Destination {
    /// The URI that it stands for, or a diagnostic at `pointer`.
    pub(crate) fn resolve(
        &self,
        environment: &Environment,
        resource: &Resource,
        pointer: &str,
        diagnostics: &mut Diagnostics,
    ) -> Option<String> {
        let absolute = self.uri.as_deref().is_some_and(|uri| uri.contains("://"));
        let mut refuse = |field: &str, message: &str, help: &str| {
            diagnostics.error(resource, format!("{pointer}{field}"), CODE, message);
            diagnostics.help(help);
            None
        };
        match (&self.reference, &self.uri) {
            (None, None) => {
                refuse("", "this leads nowhere: it has neither `ref` nor `uri`", "name a Service with `ref`")
            }
            (Some(_), Some(_)) if absolute => refuse(
                "/uri",
                "with a `ref` the `uri` is a path below it, but this one is absolute",
                "keep one of them",
            ),
            (Some(reference), Some(_)) if reference.kind == "Broker" => {
                refuse("/uri", "a Broker takes events at its own path alone", "remove `uri`")
            }
            (None, Some(_)) if !absolute => {
                refuse("/uri", "without a `ref` the `uri` has to be absolute", "write http://HOST/PATH, or add a `ref`")
            }
            (None, Some(uri)) if !is_http(uri) => {
                refuse("/uri", &format!("{uri:?} is not an http or https URI with a host"), "write http://HOST/PATH")
            }
            (None, Some(uri)) => Some(uri.clone()),
            (Some(_), Some(uri)) if !is_path(uri) => {
                refuse("/uri", &format!("{uri:?} has characters that no path has"), "percent-encode them")
            }
            (Some(reference), uri) => {
                let Some(address) = reference.address(environment, &resource.namespace) else {
                    let message = format!("a {} of {} has no address", reference.kind, reference.api_version);
                    return refuse("/ref/kind", &message, ADDRESSABLE);
                };
                let path = uri.as_deref().unwrap_or_default().trim_start_matches('/');
                Some(format!("http://{address}{path}"))
            }
        }
    }
}

impl Reference {
    /// Host and path, which ends with `/` but for a broker's.
    fn address(&self, environment: &Environment, namespace: &str) -> Option<String> {
        let own = self.namespace.as_deref().unwrap_or(namespace);
        if let ("v1" | "serving.knative.dev/v1", "Service") = (self.api_version.as_str(), self.kind.as_str()) {
            return Some(format!("{}.{own}.svc.{}/", self.name, environment.cluster_domain));
        }
        let (namespace, name) = self.channel(namespace)?;
        Some(match self.kind.as_str() {
            "Broker" => address::broker(environment, namespace, &name),
            _ => format!("{}/", address::service(environment, namespace, &name)),
        })
    }

    /// Namespace and name of the channel that it is, or that events enter it by.
    pub(crate) fn channel<'a>(&'a self, namespace: &'a str) -> Option<(&'a str, String)> {
        let namespace = self.namespace.as_deref().unwrap_or(namespace);
        let name = match (self.api_version.as_str(), self.kind.as_str()) {
            ("messaging.knative.dev/v1", "Channel" | "InMemoryChannel") | ("eventing.knative.dev/v1", "Broker") => {
                self.name.clone()
            }
            ("flows.knative.dev/v1", "Sequence") => address::step_channel(&self.name, 0),
            ("flows.knative.dev/v1", "Parallel") => address::parallel_channel(&self.name),
            _ => return None,
        };
        Some((namespace, name))
    }
}

fn is_http(uri: &str) -> bool {
    let rest = uri.strip_prefix("http://").or_else(|| uri.strip_prefix("https://"));
    let host = rest.map(|rest| rest.split(['/', '?', '#']).next().unwrap_or_default());
    host.is_some_and(|host| !host.is_empty() && !host.contains('@') && !host.starts_with(':')) && is_path(uri)
}

fn is_path(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"<>\\^`{|}#".contains(&byte))
}
