//! `Service` (v1) and `EndpointSlice` (discovery.k8s.io/v1), as a cluster or a file gives them.
//!
//! A slice belongs to the service that its label names, in its own namespace. Selectors are not followed: there are no
//! pods here, so what subsets select by are the labels of the slice itself.

use super::{ENDPOINT_SLICE, HostSchema, SERVICE, Scope, codes, compile, item};
use crate::manifest::document::Document;
use crate::manifest::nearest;
use crate::upstream::registry::{Endpoint, Labels, Protocol, Readiness, ServicePort};
use serde::Deserialize;
use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::{Arc, LazyLock};

static SERVICE_SCHEMA: HostSchema = LazyLock::new(|| compile("Service", include_str!("service.schema.json")));
static SLICE_SCHEMA: HostSchema =
    LazyLock::new(|| compile("EndpointSlice", include_str!("endpoint_slice.schema.json")));

/// The label that ties a slice to its service.
const SERVICE_NAME: &str = "kubernetes.io/service-name";

#[derive(Deserialize)]
struct Service {
    spec: ServiceSpec,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ServiceSpec {
    ports: Option<Vec<Port>>,
    external_name: Option<String>,
    publish_not_ready_addresses: Option<bool>,
}

// The names are the format's own.
#[allow(clippy::struct_field_names)]
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Port {
    name: Option<String>,
    port: u16,
    target_port: Option<TargetPort>,
    protocol: Option<String>,
    app_protocol: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum TargetPort {
    Number(u16),
    Name(String),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct EndpointSlice {
    metadata: Metadata,
    address_type: String,
    ports: Option<Vec<SlicePort>>,
    endpoints: Option<Vec<SliceEndpoint>>,
}

#[derive(Deserialize)]
struct Metadata {
    labels: Option<Labels>,
}

#[derive(Deserialize)]
struct SlicePort {
    name: Option<String>,
    port: Option<u16>,
    protocol: Option<String>,
}

#[derive(Deserialize)]
struct SliceEndpoint {
    addresses: Vec<String>,
    conditions: Option<Conditions>,
}

#[derive(Deserialize)]
struct Conditions {
    ready: Option<bool>,
    serving: Option<bool>,
    terminating: Option<bool>,
}

/// A slice whose addresses are known and whose service is named.
struct Backend<'a> {
    document: &'a Document,
    service: String,
    ports: Vec<SlicePort>,
    labels: Arc<Labels>,
    /// The addresses of each endpoint; more than one only for a name.
    addresses: Vec<(Vec<IpAddr>, Readiness)>,
}

/// Adds all services.
pub(super) fn add(documents: &[Arc<Document>], scope: &mut Scope<'_>) {
    let services = scope.read::<Service>(documents, SERVICE, &SERVICE_SCHEMA);
    let slices = scope.read::<EndpointSlice>(documents, ENDPOINT_SLICE, &SLICE_SCHEMA);
    let backends: Vec<Backend<'_>> =
        slices.into_iter().filter_map(|(document, slice)| backend(document, slice, scope)).collect();
    // Services that do not fit their schema are known by name all the same.
    let known: HashSet<(&str, &str)> = documents
        .iter()
        .filter(|document| SERVICE.is_of(document))
        .map(|document| (document.namespace.as_str(), document.name.as_str()))
        .collect();
    for backend in &backends {
        report_unknown_service(backend, &known, scope);
    }
    for (document, service) in services {
        let belongs = |backend: &&Backend<'_>| {
            backend.document.namespace == document.namespace && backend.service == document.name
        };
        let backends: Vec<&Backend<'_>> = backends.iter().filter(belongs).collect();
        add_service(document, &service.spec, &backends, scope);
    }
}

fn backend<'a>(document: &'a Document, slice: EndpointSlice, scope: &mut Scope<'_>) -> Option<Backend<'a>> {
    let names = slice.address_type == "FQDN";
    let mut addresses = Vec::new();
    for (index, endpoint) in slice.endpoints.into_iter().flatten().enumerate() {
        let readiness = endpoint.conditions.map_or(Readiness::Ready, |conditions| conditions.readiness());
        for (place, address) in endpoint.addresses.iter().enumerate() {
            let pointer = item(&format!("{}/addresses", item("/endpoints", index)), place);
            let found = scope.addresses(document, &pointer, address, names);
            if !names && found.iter().any(|found| found.is_ipv4() != (slice.address_type == "IPv4")) {
                let message = format!("`{address}` is not an address of type {}", slice.address_type);
                scope.error(document, codes::ENDPOINT_ADDRESS, &pointer, message, None);
            }
            addresses.push((found, readiness));
        }
    }
    let mut labels = slice.metadata.labels.unwrap_or_default();
    let Some(service) = labels.remove(SERVICE_NAME) else {
        let message = format!("the slice has no label `{SERVICE_NAME}`, so it belongs to no Service");
        let help = "write `labels: {kubernetes.io/service-name: NAME}` under `metadata`";
        scope.error(document, codes::SLICE_WITHOUT_SERVICE_NAME, "/metadata", message, Some(help));
        return None;
    };
    Some(Backend { document, service, ports: slice.ports.unwrap_or_default(), labels: Arc::new(labels), addresses })
}

impl Conditions {
    /// A condition that is not given counts as good, as Kubernetes asks.
    fn readiness(&self) -> Readiness {
        match (self.ready.unwrap_or(true), self.serving.unwrap_or(false), self.terminating.unwrap_or(false)) {
            (true, ..) => Readiness::Ready,
            (false, true, true) => Readiness::Terminating,
            (false, ..) => Readiness::NotReady,
        }
    }
}

fn report_unknown_service(backend: &Backend<'_>, known: &HashSet<(&str, &str)>, scope: &mut Scope<'_>) {
    let namespace = backend.document.namespace.as_str();
    if known.contains(&(namespace, backend.service.as_str())) {
        return;
    }
    let names = known.iter().filter(|(other, _)| *other == namespace).map(|(_, name)| *name);
    let help = match nearest(&backend.service, names) {
        Some(close) => format!("did you mean `{close}`?"),
        None => format!("add a Service of that name in namespace `{namespace}`"),
    };
    let message = format!("there is no Service `{}` in namespace `{namespace}`", backend.service);
    let pointer = format!("/metadata/labels/{}", SERVICE_NAME.replace('/', "~1"));
    scope.warn(backend.document, codes::SLICE_OF_UNKNOWN_SERVICE, &pointer, message, Some(&help));
}

fn add_service(document: &Document, spec: &ServiceSpec, backends: &[&Backend<'_>], scope: &mut Scope<'_>) {
    let mut ports = Vec::new();
    let mut pointers = Vec::new();
    let external = spec.external_name.as_ref().map(|name| scope.addresses(document, "/spec/externalName", name, true));
    for (index, port) in spec.ports.iter().flatten().enumerate() {
        if port.protocol.as_deref().is_some_and(|protocol| protocol != "TCP") {
            continue;
        }
        let pointer = item("/spec/ports", index);
        let mut endpoints = match &external {
            Some(addresses) => Endpoint::of_name(addresses, port.port),
            None => endpoints(document, port, &pointer, backends, scope),
        };
        if spec.publish_not_ready_addresses == Some(true) {
            for endpoint in &mut endpoints {
                endpoint.readiness = Readiness::Ready;
            }
        }
        let mut seen = HashSet::new();
        endpoints.retain(|endpoint| seen.insert(endpoint.address));
        ports.push(ServicePort {
            number: Some(port.port),
            name: port.name.clone(),
            protocol: port.wire_protocol(),
            endpoints,
        });
        pointers.push(pointer);
    }
    scope.check_ports(document, &ports, &pointers);
    let serves = |backend: &&Backend<'_>| {
        let all = spec.publish_not_ready_addresses == Some(true);
        let mut known = backend.addresses.iter().filter(|(addresses, _)| !addresses.is_empty());
        known.any(|(_, readiness)| all || *readiness != Readiness::NotReady)
    };
    if external.is_none() && !backends.iter().any(serves) && !ports.is_empty() {
        let why = if backends.is_empty() { "no EndpointSlice names it" } else { "no endpoint of its slices is ready" };
        let message = format!("the Service has no endpoints: {why}");
        let help = format!("requests to it are answered 503; add an EndpointSlice with the label `{SERVICE_NAME}`");
        scope.warn(document, codes::SERVICE_WITHOUT_ENDPOINTS, "/metadata/name", message, Some(&help));
    }
    if !ports.is_empty() {
        let name = scope.registry.names.expand(&document.name, &document.namespace);
        scope.registry.add(name, ports);
    }
}

/// The endpoints behind one port of a service.
fn endpoints(
    document: &Document,
    port: &Port,
    pointer: &str,
    backends: &[&Backend<'_>],
    scope: &mut Scope<'_>,
) -> Vec<Endpoint> {
    let mut endpoints = Vec::new();
    let mut matched = backends.is_empty();
    for backend in backends {
        let Some(number) = port.number_in(&backend.ports) else { continue };
        matched = true;
        for (addresses, readiness) in &backend.addresses {
            endpoints.extend(Endpoint::of_name(addresses, number).into_iter().map(|endpoint| Endpoint {
                labels: Arc::clone(&backend.labels),
                readiness: *readiness,
                ..endpoint
            }));
        }
    }
    if !matched {
        let message = format!("no EndpointSlice of the Service has a port for port {}", port.port);
        let slices = backends.iter().map(|backend| backend.document.origin()).collect::<Vec<_>>().join(", ");
        let wanted = port.name.as_deref().map_or_else(String::new, |name| format!(" named `{name}`"));
        let help = format!("give the slice ({slices}) a port{wanted}");
        scope.warn(document, codes::PORT_WITHOUT_ENDPOINTS, pointer, message, Some(&help));
    }
    endpoints
}

impl Port {
    /// The version of HTTP: what `appProtocol` says counts before what the name does.
    fn wire_protocol(&self) -> Protocol {
        let application = self.app_protocol.as_deref().and_then(Protocol::of_application);
        application.or_else(|| Protocol::of_port_name(self.name.as_deref()?)).unwrap_or_default()
    }

    /// The number that this port has in a slice. Names come first, as they do in a cluster; files written by hand often
    /// name the target instead, or nothing at all.
    fn number_in(&self, ports: &[SlicePort]) -> Option<u16> {
        let tcp: Vec<&SlicePort> =
            ports.iter().filter(|port| port.protocol.as_deref().unwrap_or("TCP") == "TCP").collect();
        let named = |name: &str| tcp.iter().copied().find(|port| port.name.as_deref().unwrap_or("") == name);
        let target = match &self.target_port {
            Some(TargetPort::Name(name)) => named(name),
            Some(TargetPort::Number(number)) => tcp.iter().copied().find(|port| port.port == Some(*number)),
            None => tcp.iter().copied().find(|port| port.port == Some(self.port)),
        };
        let only = match tcp.as_slice() {
            [only] if self.name.is_none() || only.name.is_none() => Some(*only),
            _ => None,
        };
        let found = named(self.name.as_deref().unwrap_or("")).or(target).or(only)?;
        // A port without number means every port.
        found.port.or(match self.target_port {
            Some(TargetPort::Number(number)) => Some(number),
            _ => Some(self.port),
        })
    }
}
