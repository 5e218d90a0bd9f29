//! Which services there are, by name, where their endpoints are, and how they are used.

mod names;
#[cfg(test)]
mod tests;

pub use super::cluster::Cluster;
pub use super::endpoint::{Endpoint, Labels, Readiness};
pub use super::member::Member;
pub use super::wire::Protocol;
pub use names::Names;

use super::policy::{HealthCheck, ServicePolicy};
use super::state::{ClusterKey, States};
use crate::config::{Place, Upstream};
use crate::error::RequestError;
use crate::wasm::types::Destination;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

/// All services of a snapshot.
#[derive(Debug, Default)]
pub struct Registry {
    /// How names are expanded.
    pub names: Names,
    /// What outlives the snapshot.
    states: Arc<States>,
    /// By full name.
    services: HashMap<String, Service>,
    /// The full names behind shorter ones, so that a request's lookup puts no names together.
    short: HashMap<String, String>,
    /// Takes every name that no service has (`--upstream '*=ADDR'`).
    fallback: Option<Service>,
}

/// A named service.
#[derive(Debug)]
pub struct Service {
    /// The full name.
    pub name: String,
    /// Its ports; at least one.
    pub ports: Vec<ServicePort>,
    /// How it is used.
    policy: ServicePolicy,
    checks: Vec<Arc<HealthCheck>>,
    /// What each of the ports comes to.
    clusters: Vec<Clusters>,
}

/// One port of a service with the endpoints behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServicePort {
    /// The port's number; none takes any port (`--upstream NAME=ADDR`).
    pub number: Option<u16>,
    /// The port's name, where it has one.
    pub name: Option<String>,
    /// How its endpoints are spoken to.
    pub protocol: Protocol,
    /// Where requests go; may be empty.
    pub endpoints: Vec<Endpoint>,
}

/// The ways into a port.
#[derive(Debug)]
struct Clusters {
    all: Cluster,
    subsets: HashMap<Arc<str>, Cluster>,
}

impl Registry {
    /// An empty one, whose endpoints nobody else knows.
    pub fn new(names: Names) -> Self {
        Self { names, ..Self::default() }
    }

    /// An empty one that shares what is known of endpoints with others.
    pub fn with_states(names: Names, states: Arc<States>) -> Self {
        Self { names, states, ..Self::default() }
    }

    /// Adds a service, or ports to one that is there: a port of the same number gains the endpoints.
    pub fn add(&mut self, name: String, ports: Vec<ServicePort>) {
        for short in self.names.shorter(&name) {
            self.short.insert(short.to_owned(), name.clone());
        }
        let service = self.services.entry(name).or_insert_with_key(|name| Service::new(name.clone()));
        for port in ports {
            service.add(port);
        }
        service.build(&self.states);
    }

    /// Adds what `--upstream` says, with the addresses behind its host name. Several for one name add endpoints.
    pub fn add_upstream(&mut self, upstream: &Upstream, found: &[IpAddr]) {
        let endpoints = match &upstream.place {
            Place::Address(address) => vec![Endpoint::new(*address)],
            Place::Host(_, port) => Endpoint::of_name(found, *port),
        };
        let protocol = if upstream.http2 { Protocol::Http2 } else { Protocol::Http1 };
        let port = ServicePort { number: upstream.port, name: None, protocol, endpoints };
        let Some(name) = &upstream.name else {
            let service = self.fallback.get_or_insert_with(|| Service::new("*".into()));
            service.add(port);
            service.build(&self.states);
            return;
        };
        self.add(self.names.expand(name, &self.names.namespace), vec![port]);
    }

    /// Says how a service is used, by its full name; `*` is the one that takes every other name.
    pub fn set_policy(&mut self, name: &str, policy: ServicePolicy) {
        let service = if name == "*" { self.fallback.as_mut() } else { self.services.get_mut(name) };
        if let Some(service) = service {
            service.policy = policy;
            service.build(&self.states);
        }
    }

    /// Says how a service's endpoints are asked whether they are well, by its full name.
    pub fn set_checks(&mut self, name: &str, checks: Vec<Arc<HealthCheck>>) {
        if let Some(service) = self.services.get_mut(name) {
            service.checks = checks;
            service.build(&self.states);
        }
    }

    /// The endpoints of a destination. A name without a dot is looked up in the default namespace; `NAME.NAMESPACE`
    /// and `NAME.NAMESPACE.svc` are understood too. Without a port the service's only port is taken, or else 80.
    pub fn find(&self, host: &str, port: Option<u16>) -> Option<Cluster> {
        self.port(host, port).map(|clusters| clusters.all.clone())
    }

    /// The endpoints of a destination and, when it names one, of its subset.
    ///
    /// # Errors
    /// When the service, its port or its subset is not known.
    pub fn resolve(&self, destination: &Destination) -> Result<Cluster, RequestError> {
        let found = self.port(&destination.host, destination.port);
        let clusters = found.ok_or_else(|| RequestError::NoEndpoint { destination: destination.host.clone() })?;
        let Some(subset) = &destination.subset else { return Ok(clusters.all.clone()) };
        let unknown = || RequestError::UnknownSubset { destination: destination.host.clone(), subset: subset.clone() };
        clusters.subsets.get(subset.as_str()).cloned().ok_or_else(unknown)
    }

    /// Whether any service is known, so that an unknown name is worth a warning.
    pub fn is_empty(&self) -> bool {
        self.services.is_empty() && self.fallback.is_none()
    }

    /// All services, in no order.
    pub fn services(&self) -> impl Iterator<Item = &Service> {
        self.services.values().chain(&self.fallback)
    }

    /// All clusters, subsets included, in no order.
    pub fn clusters(&self) -> impl Iterator<Item = &Cluster> {
        let clusters = self.services().flat_map(|service| &service.clusters);
        clusters.flat_map(|clusters| std::iter::once(&clusters.all).chain(clusters.subsets.values()))
    }

    fn port(&self, host: &str, port: Option<u16>) -> Option<&Clusters> {
        let service = self.service(host).or(self.fallback.as_ref())?;
        let matching = |number: Option<u16>| match (number, port) {
            (None, _) => true,
            (Some(number), Some(wanted)) => number == wanted,
            (Some(number), None) => service.ports.len() == 1 || number == 80,
        };
        let port = service.ports.iter().position(|port| matching(port.number))?;
        service.clusters.get(port)
    }

    /// The service that a name means, as [`Registry::find`] understands it.
    pub fn service(&self, host: &str) -> Option<&Service> {
        if host.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return self.service(&host.to_ascii_lowercase());
        }
        self.services.get(host).or_else(|| self.services.get(self.short.get(host)?))
    }
}

impl Service {
    /// Each port with what it comes to: all of its endpoints, and its subsets.
    pub fn ways(&self) -> impl Iterator<Item = (&ServicePort, &Cluster, impl Iterator<Item = &Cluster>)> {
        let ways = self.ports.iter().zip(&self.clusters);
        ways.map(|(port, clusters)| (port, &clusters.all, clusters.subsets.values()))
    }

    fn new(name: String) -> Self {
        let (policy, checks) = (ServicePolicy::default(), Vec::new());
        Self { name, ports: Vec::new(), policy, checks, clusters: Vec::new() }
    }

    /// Adds a port; one of the same number gains the endpoints.
    fn add(&mut self, port: ServicePort) {
        match self.ports.iter_mut().find(|known| known.number == port.number) {
            Some(known) => known.endpoints.extend(port.endpoints),
            None => self.ports.push(port),
        }
    }

    /// Works out what the ports come to. The states of endpoints that were there before are still held meanwhile.
    fn build(&mut self, states: &States) {
        let service: Arc<str> = self.name.as_str().into();
        self.clusters = self.ports.iter().map(|port| self.clusters_of(port, &service, states)).collect();
    }

    fn clusters_of(&self, port: &ServicePort, service: &Arc<str>, states: &States) -> Clusters {
        let checks: Vec<Arc<HealthCheck>> =
            self.checks.iter().filter(|check| check.port.is_none() || check.port == port.number).cloned().collect();
        let key = |subset: Option<&str>| ClusterKey {
            service: Arc::clone(service),
            port: port.number,
            subset: subset.map(Arc::from),
        };
        let policy = Arc::clone(self.policy.base.of(port.number));
        let all = Cluster::new(states, key(None), &port.endpoints, port.protocol, policy, checks.clone());
        let subsets = self.policy.subsets.iter().map(|subset| {
            let matching = port.endpoints.iter().filter(|endpoint| endpoint.matches(&subset.labels));
            let endpoints: Vec<Endpoint> = matching.cloned().collect();
            let policy = Arc::clone(subset.policies.of(port.number));
            let cluster =
                Cluster::new(states, key(Some(&subset.name)), &endpoints, port.protocol, policy, checks.clone());
            (Arc::from(subset.name.as_str()), cluster)
        });
        Clusters { all, subsets: subsets.collect() }
    }
}
