//! `ServiceEntry` (networking.istio.io): services by host name with endpoints written down or found by DNS.

mod rules;

use super::{HostSchema, SERVICE_ENTRY, Scope, codes, compile, item};
use crate::manifest::document::Document;
use crate::upstream::registry::{Endpoint, Labels, Protocol, ServicePort};
use serde::Deserialize;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, LazyLock};

static SCHEMA: HostSchema = LazyLock::new(|| compile("ServiceEntry", include_str!("service_entry.schema.json")));

#[derive(Deserialize)]
struct ServiceEntry {
    spec: Spec,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Spec {
    hosts: Vec<String>,
    addresses: Option<Vec<String>>,
    ports: Option<Vec<Port>>,
    #[serde(default)]
    resolution: Resolution,
    endpoints: Option<Vec<Workload>>,
    workload_selector: Option<serde_json::Value>,
}

// The names are the format's own.
#[allow(clippy::struct_field_names)]
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Port {
    number: u16,
    name: String,
    protocol: Option<String>,
    target_port: Option<u16>,
}

#[derive(Default, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum Resolution {
    #[default]
    None,
    Static,
    Dns,
    DnsRoundRobin,
    DynamicDns,
}

#[derive(Deserialize)]
struct Workload {
    address: Option<String>,
    ports: Option<HashMap<String, u16>>,
    labels: Option<Labels>,
    weight: Option<u32>,
}

/// Adds all service entries.
pub(super) fn add(documents: &[Arc<Document>], scope: &mut Scope<'_>) {
    for (document, entry) in scope.read::<ServiceEntry>(documents, SERVICE_ENTRY, &SCHEMA) {
        add_entry(document, &entry.spec, scope);
    }
}

fn add_entry(document: &Document, spec: &Spec, scope: &mut Scope<'_>) {
    let ports = spec.ports.as_deref().unwrap_or_default();
    if !rules::hold(document, spec, scope) {
        return;
    }
    if ports.is_empty() {
        let message = "the entry has no port, so no request can be sent to its hosts".to_owned();
        scope.warn(document, codes::ENTRY_FIELDS, "/spec", message, Some("give at least one under `ports`"));
        return;
    }
    let pointers: Vec<String> = (0..ports.len()).map(|port| item("/spec/ports", port)).collect();
    scope.check_ports(document, &ports.iter().map(|port| port.service_port(&[])).collect::<Vec<_>>(), &pointers);
    if !fields_fit(document, spec, scope) {
        return;
    }
    let written = workloads(document, spec, scope);
    let whole = spec.resolution == Resolution::DnsRoundRobin;
    for (index, host) in spec.hosts.iter().enumerate() {
        let at = item("/spec/hosts", index);
        let name = host.to_ascii_lowercase();
        if !crate::manifest::header::is_name(&name) {
            let message = format!("`{host}` is not a full DNS name");
            scope.error(document, codes::ENTRY_HOST, &at, message, Some("write out each host that is to be served"));
            continue;
        }
        let itself = match spec.endpoints.as_deref() {
            None | Some([]) => {
                let addresses = scope.addresses(document, &at, &name, true);
                vec![Located { addresses, whole, ports: None, labels: Arc::default(), weight: 1 }]
            }
            Some(_) => Vec::new(),
        };
        let located: Vec<&Located<'_>> = written.iter().chain(&itself).collect();
        let ports = ports.iter().map(|port| port.service_port(&located)).collect();
        let name = scope.registry.names.expand(host, &document.namespace);
        scope.registry.add(name, ports);
    }
}

/// An endpoint whose addresses are known.
struct Located<'a> {
    addresses: Vec<IpAddr>,
    /// Whether they are all one endpoint.
    whole: bool,
    ports: Option<&'a HashMap<String, u16>>,
    labels: Arc<Labels>,
    weight: u32,
}

/// The endpoints that are written down.
fn workloads<'a>(document: &Document, spec: &'a Spec, scope: &mut Scope<'_>) -> Vec<Located<'a>> {
    let mut located = Vec::new();
    for (index, workload) in spec.endpoints.iter().flatten().enumerate() {
        let entry = item("/spec/endpoints", index);
        let Some(address) = workload.address.as_deref() else {
            let message = "the endpoint has no `address`".to_owned();
            scope.error(document, codes::ENDPOINT_ADDRESS, &entry, message, None);
            continue;
        };
        let names = spec.resolution != Resolution::Static;
        let addresses = scope.addresses(document, &format!("{entry}/address"), address, names);
        let whole = spec.resolution == Resolution::DnsRoundRobin;
        let labels = Arc::new(workload.labels.clone().unwrap_or_default());
        // No weight is the same as zero in the format, and means 1.
        let weight = workload.weight.unwrap_or(1).max(1);
        located.push(Located { addresses, whole, ports: workload.ports.as_ref(), labels, weight });
    }
    located
}

/// Whether resolution and endpoints go together; reports where not.
fn fields_fit(document: &Document, spec: &Spec, scope: &mut Scope<'_>) -> bool {
    let at = "/spec/resolution";
    let endpoints = spec.endpoints.as_deref().unwrap_or_default();
    if spec.workload_selector.is_some() {
        let message = "`workloadSelector` selects pods of a cluster, which files do not hold".to_owned();
        let help = "list the addresses under `endpoints`";
        scope.error(document, codes::ENTRY_FIELDS, "/spec/workloadSelector", message, Some(help));
        return false;
    }
    let (code, message, help) = match spec.resolution {
        Resolution::None => (
            codes::RESOLUTION,
            "the entry gives no address: with resolution NONE requests go where the client was going, which this proxy does not know",
            "write `resolution: STATIC` with IP addresses under `endpoints`, or `resolution: DNS`",
        ),
        Resolution::DynamicDns => (
            codes::RESOLUTION,
            "resolution DYNAMIC_DNS takes addresses from the request, which is not supported",
            "write `resolution: DNS` and name the hosts",
        ),
        Resolution::Static if endpoints.is_empty() => (
            codes::ENTRY_FIELDS,
            "resolution STATIC needs at least one endpoint",
            "list IP addresses under `endpoints`, or write `resolution: DNS`",
        ),
        _ => return true,
    };
    scope.error(document, code, at, message.into(), Some(help));
    false
}

impl Port {
    fn service_port(&self, located: &[&Located<'_>]) -> ServicePort {
        let mut endpoints = Vec::new();
        for workload in located {
            let number = workload.ports.and_then(|ports| ports.get(&self.name)).copied();
            let number = number.or(self.target_port).unwrap_or(self.number);
            let places = if workload.whole {
                Endpoint::of_whole_name(&workload.addresses, number).into_iter().collect()
            } else {
                Endpoint::of_name(&workload.addresses, number)
            };
            endpoints.extend(places.into_iter().map(|place| Endpoint {
                labels: Arc::clone(&workload.labels),
                weight: workload.weight,
                ..place
            }));
        }
        let written = self.protocol.as_deref().and_then(Protocol::of_application);
        let protocol = written.or_else(|| Protocol::of_port_name(&self.name)).unwrap_or_default();
        ServicePort { number: Some(self.number), name: Some(self.name.clone()), protocol, endpoints }
    }
}
