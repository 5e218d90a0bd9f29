//! Which services there are, by name, and where their endpoints are.

#[cfg(test)]
mod tests;

use crate::config::Upstream;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

/// Turns names as written into full names, as Istio does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Names {
    /// The namespace of names that give none; `default` unless set.
    pub namespace: String,
    /// `cluster.local` unless set.
    pub cluster_domain: String,
}

impl Default for Names {
    fn default() -> Self {
        Self { namespace: "default".into(), cluster_domain: "cluster.local".into() }
    }
}

impl Names {
    /// The full name of a host as a manifest in `namespace` writes it: a name without a dot becomes
    /// `NAME.NAMESPACE.svc.DOMAIN`, everything else is only lower-cased.
    pub fn expand(&self, host: &str, namespace: &str) -> String {
        let host = host.to_ascii_lowercase();
        if host.contains('.') || host == "*" || host.parse::<std::net::IpAddr>().is_ok() {
            return host;
        }
        format!("{host}.{namespace}.svc.{}", self.cluster_domain)
    }

    /// The shorter names that mean the service `NAME.NAMESPACE.svc.DOMAIN`; none for any other name.
    fn shorter<'a>(&self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let without_domain = name.strip_suffix(&self.cluster_domain).and_then(|name| name.strip_suffix('.'));
        let qualified = without_domain.and_then(|name| name.strip_suffix(".svc"));
        let bare = qualified.and_then(|name| name.strip_suffix(&self.namespace)?.strip_suffix('.'));
        [without_domain.filter(|_| qualified.is_some()), qualified, bare.filter(|name| !name.contains('.'))]
            .into_iter()
            .flatten()
    }
}

/// All services of a snapshot.
#[derive(Debug, Default)]
pub struct Registry {
    /// How names are expanded.
    pub names: Names,
    /// By full name.
    services: HashMap<String, Arc<Service>>,
    /// The full names behind shorter ones, so that a request's lookup puts no names together.
    short: HashMap<String, String>,
    /// Takes every name that no service has (`--upstream '*=ADDR'`).
    fallback: Option<Arc<Service>>,
}

/// A named service.
#[derive(Debug, PartialEq, Eq)]
pub struct Service {
    /// The full name.
    pub name: String,
    /// Its ports; at least one.
    pub ports: Vec<ServicePort>,
}

impl Service {
    /// Adds a port; one of the same number gains the endpoints.
    fn add(&mut self, port: ServicePort) {
        match self.ports.iter_mut().find(|known| known.number == port.number) {
            Some(known) => known.endpoints.extend(port.endpoints),
            None => self.ports.push(port),
        }
    }
}

/// One port of a service with the endpoints behind it.
#[derive(Debug, PartialEq, Eq)]
pub struct ServicePort {
    /// The port's number; none takes any port (`--upstream NAME=ADDR`).
    pub number: Option<u16>,
    /// The port's name, where it has one.
    pub name: Option<String>,
    /// Where requests go; may be empty.
    pub endpoints: Vec<Endpoint>,
}

/// One address that serves a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Where to connect.
    pub address: SocketAddr,
}

/// The endpoints that a destination leads to. Cheap to copy.
#[derive(Debug, Clone)]
pub struct Cluster {
    service: Arc<Service>,
    port: usize,
}

impl Cluster {
    /// A single address that no manifest describes.
    pub fn of(name: &str, address: SocketAddr) -> Self {
        let port = ServicePort { number: None, name: None, endpoints: vec![Endpoint { address }] };
        Self { service: Arc::new(Service { name: name.into(), ports: vec![port] }), port: 0 }
    }

    /// The service's full name.
    pub fn name(&self) -> &str {
        &self.service.name
    }

    /// Tells it from every other cluster that lives at the same time.
    pub fn key(&self) -> (usize, usize) {
        (Arc::as_ptr(&self.service).addr(), self.port)
    }

    /// Where requests go; may be empty.
    pub fn endpoints(&self) -> &[Endpoint] {
        self.service.ports.get(self.port).map_or(&[], |port| &port.endpoints)
    }
}

impl Registry {
    /// An empty one.
    pub fn new(names: Names) -> Self {
        Self { names, services: HashMap::new(), short: HashMap::new(), fallback: None }
    }

    /// Adds a service, or ports to one that is there: a port of the same number gains the endpoints.
    pub fn add(&mut self, name: String, ports: Vec<ServicePort>) {
        let known = self.services.remove(&name).and_then(Arc::into_inner);
        let mut service = known.unwrap_or_else(|| Service { name: name.clone(), ports: Vec::new() });
        for port in ports {
            service.add(port);
        }
        for short in self.names.shorter(&name) {
            self.short.insert(short.to_owned(), name.clone());
        }
        self.services.insert(name, Arc::new(service));
    }

    /// The endpoints of a destination. A name without a dot is looked up in the default namespace; `NAME.NAMESPACE`
    /// and `NAME.NAMESPACE.svc` are understood too. Without a port the service's only port is taken, or else 80.
    pub fn find(&self, host: &str, port: Option<u16>) -> Option<Cluster> {
        let service = self.service(host).or(self.fallback.as_ref())?;
        let matching = |number: Option<u16>| match (number, port) {
            (None, _) => true,
            (Some(number), Some(wanted)) => number == wanted,
            (Some(number), None) => service.ports.len() == 1 || number == 80,
        };
        let port = service.ports.iter().position(|port| matching(port.number))?;
        Some(Cluster { service: Arc::clone(service), port })
    }

    /// Whether any service is known, so that an unknown name is worth a warning.
    pub fn is_empty(&self) -> bool {
        self.services.is_empty() && self.fallback.is_none()
    }

    /// Adds what `--upstream` says. Several for one name add endpoints.
    pub fn add_upstream(&mut self, upstream: &Upstream) {
        let endpoints = upstream.addresses.iter().map(|address| Endpoint { address: *address }).collect();
        let port = ServicePort { number: upstream.port, name: None, endpoints };
        let Some(name) = &upstream.name else {
            let known = self.fallback.take().and_then(Arc::into_inner);
            let mut service = known.unwrap_or_else(|| Service { name: "*".into(), ports: Vec::new() });
            service.add(port);
            self.fallback = Some(Arc::new(service));
            return;
        };
        self.add(self.names.expand(name, &self.names.namespace), vec![port]);
    }

    /// All services, in no order.
    pub fn services(&self) -> impl Iterator<Item = &Arc<Service>> {
        self.services.values()
    }

    fn service(&self, host: &str) -> Option<&Arc<Service>> {
        if host.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return self.service(&host.to_ascii_lowercase());
        }
        self.services.get(host).or_else(|| self.services.get(self.short.get(host)?))
    }
}
