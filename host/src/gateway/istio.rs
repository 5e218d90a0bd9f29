//! `Gateway` (networking.istio.io): servers, each with a port, hosts and TLS of its own.

mod tls;

use super::scope::{HostSchema, Scope, compile};
use super::secret::Reference;
use super::{Declared, ISTIO_GATEWAY};
use crate::manifest::{Document, codes, node};
use crate::tls::{Action, HostPattern};
use serde::Deserialize;
use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::LazyLock;
use tls::Tls;

static SCHEMA: HostSchema = LazyLock::new(|| compile("Gateway", include_str!("istio.schema.json")));

#[derive(Deserialize)]
struct Gateway {
    spec: Spec,
}

#[derive(Deserialize)]
struct Spec {
    servers: Vec<Server>,
}

#[derive(Deserialize)]
struct Server {
    port: Port,
    bind: Option<String>,
    hosts: Vec<String>,
    tls: Option<Tls>,
}

#[derive(Deserialize)]
struct Port {
    number: u16,
    name: String,
    protocol: String,
}

/// What a protocol means for a listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Protocol {
    Plain,
    Https,
    /// Encrypted bytes that need not be HTTP.
    Tls,
    /// Bytes that are not HTTP.
    Other,
}

/// Reads all Gateways.
pub(super) fn read<'d>(scope: &mut Scope<'d>, declared: &mut Vec<Declared<'d>>) {
    for (document, gateway) in scope.read::<Gateway>(ISTIO_GATEWAY, &SCHEMA) {
        let mut names = HashSet::new();
        for (index, server) in gateway.spec.servers.iter().enumerate() {
            let at = node::step("/spec/servers", &index.to_string());
            if !names.insert(server.port.name.as_str()) {
                let message = format!("another port of the Gateway is called `{}`", server.port.name);
                scope.error(document, codes::GATEWAY_PORT, &format!("{at}/port/name"), message, None);
            }
            declared.extend(Reading { document, at, server }.server(scope));
        }
    }
}

/// Something is wrong, and was reported.
struct Refused;

/// One server that is being read.
struct Reading<'d, 's> {
    document: &'d Document,
    at: String,
    server: &'s Server,
}

impl<'d> Reading<'d, '_> {
    fn server(&self, scope: &mut Scope<'d>) -> Option<Declared<'d>> {
        let (hosts, bind) = (self.hosts(scope), self.bind(scope));
        let name = self.server.port.protocol.as_str();
        let Some(protocol) = Protocol::of(name) else {
            let message = format!("`{name}` is not a protocol");
            let help = "the protocols are HTTP, HTTP2, GRPC, GRPC-WEB, HTTPS, TLS, TCP and MONGO";
            return self.refuse(codes::GATEWAY_PROTOCOL, "port/protocol", message, Some(help), scope);
        };
        let tls = match (protocol, &self.server.tls) {
            (Protocol::Plain, None) => None,
            (Protocol::Plain, Some(_)) => self.plain_tls_fits(scope).then_some(None)?,
            (Protocol::Https | Protocol::Tls, None) => {
                let help = "write `tls: {mode: SIMPLE, credentialName: NAME}`";
                let message = format!("a server of protocol {name} needs `tls`");
                return self.refuse(codes::GATEWAY_TLS, "", message, Some(help), scope);
            }
            (Protocol::Https | Protocol::Tls, Some(tls)) if tls.passes() => Some(Action::Pass),
            (Protocol::Https, Some(tls)) => {
                let config = self.config(tls, hosts.as_deref().unwrap_or_default(), scope)?;
                Some(Action::Terminate(config))
            }
            (Protocol::Tls | Protocol::Other, _) => {
                let message = format!("protocol {name} is not served so: the port is not opened");
                let help = "HTTP, HTTP2, GRPC, GRPC-WEB, HTTPS, and TLS with `mode: PASSTHROUGH` are";
                scope.warn(self.document, codes::GATEWAY_PROTOCOL, &self.pointer("port/protocol"), message, Some(help));
                return None;
            }
        };
        Some(Declared {
            document: self.document,
            at: self.at.clone(),
            port_at: self.pointer("port/number"),
            port: self.server.port.number,
            bind: bind.ok()?,
            hosts: hosts?,
            tls,
        })
    }

    /// The hosts without the namespaces that may attach to them, which are for routes.
    fn hosts(&self, scope: &mut Scope<'_>) -> Option<Vec<HostPattern>> {
        let mut hosts = Vec::new();
        for (index, host) in self.server.hosts.iter().enumerate() {
            let name = host.rsplit_once('/').map_or(host.as_str(), |(_, name)| name);
            if let Some(pattern) = HostPattern::parse(name) {
                hosts.push(pattern);
            } else {
                let at = node::step(&self.pointer("hosts"), &index.to_string());
                let help =
                    "write a DNS name, `*.` and one, or `*`; a namespace may stand in front: `store/shop.example`";
                scope.error(self.document, codes::GATEWAY_HOST, &at, format!("`{host}` is not a host"), Some(help));
            }
        }
        (hosts.len() == self.server.hosts.len()).then_some(hosts)
    }

    /// The only address that the server is for, where it gives one; the error is reported.
    fn bind(&self, scope: &mut Scope<'_>) -> Result<Option<IpAddr>, Refused> {
        let Some(bind) = self.server.bind.as_deref().filter(|bind| !bind.is_empty()) else { return Ok(None) };
        bind.parse().map(Some).map_err(|_| {
            let message = format!("`{bind}` is not an IP address");
            let help = "Unix sockets are not listened on";
            self.refuse::<()>(codes::GATEWAY_PORT, "bind", message, Some(help), scope);
            Refused
        })
    }

    fn plain_tls_fits(&self, scope: &mut Scope<'_>) -> bool {
        let written = self.document.value.pointer(&self.pointer("tls")).and_then(serde_json::Value::as_object);
        let other = written.and_then(|fields| fields.keys().find(|field| *field != "httpsRedirect"));
        let Some(other) = other else { return true };
        let message = format!("`{other}` has no place on a port of protocol {}", self.server.port.protocol);
        let help = "plain HTTP may have `httpsRedirect` only; for TLS write `protocol: HTTPS`";
        self.refuse::<()>(codes::GATEWAY_TLS, &format!("tls/{other}"), message, Some(help), scope);
        false
    }

    fn reference(&self, at: &str, name: &str) -> Reference<'d> {
        let (document, pointer) = (self.document, self.pointer(at));
        Reference { document, pointer, namespace: document.namespace.clone(), name: name.to_owned() }
    }

    fn pointer(&self, at: &str) -> String {
        if at.is_empty() { self.at.clone() } else { format!("{}/{at}", self.at) }
    }

    /// Reports an error of the server, and gives nothing.
    fn refuse<T>(&self, code: &str, at: &str, message: String, help: Option<&str>, scope: &mut Scope<'_>) -> Option<T> {
        scope.error(self.document, code, &self.pointer(at), message, help);
        None
    }
}

impl Protocol {
    fn of(text: &str) -> Option<Self> {
        Some(match text.to_ascii_uppercase().as_str() {
            "HTTP" | "HTTP2" | "GRPC" | "GRPC-WEB" => Self::Plain,
            "HTTPS" => Self::Https,
            "TLS" => Self::Tls,
            "TCP" | "MONGO" => Self::Other,
            _ => return None,
        })
    }
}
