//! `Gateway` (gateway.networking.k8s.io): listeners, and the grants by which they may use Secrets of other namespaces.

use super::frontend::{Demands, Frontend};
use super::material::{Material, Pair};
use super::scope::{HostSchema, Scope, compile};
use super::secret::{self, Reference};
use super::{Declared, GATEWAY, REFERENCE_GRANT, SECRET};
use crate::manifest::{Document, codes, node};
use crate::tls::{Action, HostPattern};
use rustls::ServerConfig;
use serde::Deserialize;
use serde_json::Value;
use std::collections::HashSet;
use std::sync::{Arc, LazyLock};

static SCHEMA: HostSchema = LazyLock::new(|| compile("Gateway", include_str!("kubernetes.schema.json")));

#[derive(Deserialize)]
struct Gateway {
    spec: Spec,
}

#[derive(Deserialize)]
struct Spec {
    listeners: Vec<Listener>,
    #[serde(default)]
    tls: GatewayTls,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct GatewayTls {
    frontend: Frontend,
    backend: Option<Value>,
}

#[derive(Deserialize)]
struct Listener {
    name: String,
    port: u16,
    protocol: String,
    hostname: Option<String>,
    tls: Option<Tls>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Tls {
    mode: Option<Mode>,
    certificate_refs: Option<Vec<CertificateReference>>,
    frontend_validation: Option<Value>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
enum Mode {
    Terminate,
    Passthrough,
}

#[derive(Deserialize)]
struct CertificateReference {
    group: Option<String>,
    kind: Option<String>,
    name: String,
    namespace: Option<String>,
}

/// Reads all Gateways.
pub(super) fn read<'d>(scope: &mut Scope<'d>, declared: &mut Vec<Declared<'d>>) {
    for (document, gateway) in scope.read::<Gateway>(GATEWAY, &SCHEMA) {
        let demands = Demands::read(document, &gateway.spec.tls.frontend, scope);
        if gateway.spec.tls.backend.is_some() {
            let message = "no certificate is shown to services for this kind of Gateway";
            scope.warn(document, codes::GATEWAY_TLS, "/spec/tls/backend", message, Some("remove it"));
        }
        let mut names = HashSet::new();
        let mut places = HashSet::new();
        for (index, listener) in gateway.spec.listeners.iter().enumerate() {
            let at = node::step("/spec/listeners", &index.to_string());
            if !names.insert(listener.name.as_str()) {
                let message = format!("another listener is called `{}`", listener.name);
                scope.error(document, codes::GATEWAY_PORT, &format!("{at}/name"), message, None);
            }
            if !places.insert((listener.port, listener.protocol.as_str(), listener.hostname.as_deref())) {
                let message = "another listener has the same port, protocol and hostname".to_owned();
                scope.error(document, codes::GATEWAY_PORT, &at, message, Some("give one of them another hostname"));
            }
            declared.extend(Reading { document, at, listener, demands: &demands }.listener(scope));
        }
    }
}

/// One listener that is being read.
struct Reading<'d, 'l> {
    document: &'d Document,
    at: String,
    listener: &'l Listener,
    demands: &'l Demands,
}

impl<'d> Reading<'d, '_> {
    fn listener(&self, scope: &mut Scope<'d>) -> Option<Declared<'d>> {
        let host = self.host(scope);
        let tls = match (self.listener.protocol.as_str(), &self.listener.tls) {
            ("HTTP", None) => None,
            ("HTTPS", Some(tls)) => Some(Action::Terminate(self.config(tls, host.as_slice(), scope)?)),
            ("TLS", Some(Tls { mode: Some(Mode::Passthrough), .. })) => Some(Action::Pass),
            ("HTTP" | "TCP" | "UDP", Some(_)) => {
                let message = format!("`tls` has no place on a listener of protocol {}", self.listener.protocol);
                return self.refuse(codes::GATEWAY_TLS, "tls", message, Some("write `protocol: HTTPS`"), scope);
            }
            ("HTTPS" | "TLS", None) => {
                let message = format!("a listener of protocol {} needs `tls`", self.listener.protocol);
                let help = "write `tls: {certificateRefs: [{name: NAME}]}`";
                return self.refuse(codes::GATEWAY_TLS, "", message, Some(help), scope);
            }
            (protocol, _) => {
                let message = format!("protocol {protocol} is not served so: the port is not opened");
                let (at, help) = (self.pointer("protocol"), "HTTP, HTTPS, and TLS with `mode: Passthrough` are");
                scope.warn(self.document, codes::GATEWAY_PROTOCOL, &at, message, Some(help));
                return None;
            }
        };
        Some(Declared {
            document: self.document,
            at: self.at.clone(),
            port_at: self.pointer("port"),
            port: self.listener.port,
            bind: None,
            hosts: vec![host?],
            tls,
        })
    }

    fn host(&self, scope: &mut Scope<'_>) -> Option<HostPattern> {
        let Some(text) = self.listener.hostname.as_deref().filter(|text| !text.is_empty()) else {
            return Some(HostPattern::Any);
        };
        let found = HostPattern::parse(text).filter(|host| *host != HostPattern::Any);
        found.filter(|_| text.parse::<std::net::IpAddr>().is_err()).or_else(|| {
            let help = "write a DNS name, or `*.` and one; leave it out for any host";
            let message = format!("`{text}` is not a hostname");
            self.refuse(codes::GATEWAY_HOST, "hostname", message, Some(help), scope)
        })
    }

    fn config(&self, tls: &Tls, hosts: &[HostPattern], scope: &mut Scope<'d>) -> Option<Arc<ServerConfig>> {
        if tls.mode == Some(Mode::Passthrough) {
            let message = "a listener of protocol HTTPS ends TLS".to_owned();
            return self.refuse(codes::GATEWAY_TLS, "tls/mode", message, Some("write `mode: Terminate`"), scope);
        }
        if tls.frontend_validation.is_some() {
            let message = "client certificates are no matter of a single listener".to_owned();
            let help = "write it as `tls.frontend` of the Gateway, where it is for the whole port";
            return self.refuse(codes::GATEWAY_TLS, "tls/frontendValidation", message, Some(help), scope);
        }
        let references = tls.certificate_refs.as_deref().unwrap_or_default();
        if references.is_empty() {
            let message = "the listener has no certificate".to_owned();
            let help = "write `certificateRefs: [{name: NAME}]`, the name of a Secret";
            return self.refuse(codes::GATEWAY_TLS, "tls", message, Some(help), scope);
        }
        let pairs: Vec<Option<Pair>> =
            references.iter().enumerate().map(|(index, reference)| self.pair(index, reference, scope)).collect();
        let clients = self.demands.of(self.listener.port).ok()?;
        let material = Material::simple(pairs.into_iter().collect::<Option<_>>()?);
        Material { clients, ..material }.config(hosts, scope)
    }

    fn pair(&self, index: usize, reference: &CertificateReference, scope: &mut Scope<'d>) -> Option<Pair> {
        let at = format!("tls/certificateRefs/{index}");
        let group = reference.group.as_deref().unwrap_or_default();
        let kind = reference.kind.as_deref().unwrap_or("Secret");
        if !group.is_empty() || kind != "Secret" {
            let message = format!("certificates come from a Secret, not from a {kind} of {group}");
            return self.refuse(codes::CERTIFICATE_MISSING, &at, message, None, scope);
        }
        let own = self.document.namespace.as_str();
        let namespace = reference.namespace.as_deref().unwrap_or(own);
        if namespace != own && !is_granted(own, namespace, SECRET.kind, &reference.name, scope) {
            let message = format!("namespace `{namespace}` does not let Gateways of `{own}` use its Secret");
            let help = format!("add a ReferenceGrant to namespace `{namespace}`");
            return self.refuse(codes::REFERENCE_GRANT, &at, message, Some(&help), scope);
        }
        let (namespace, name) = (namespace.to_owned(), reference.name.clone());
        let pointer = self.pointer(&format!("{at}/name"));
        secret::pair(&Reference { document: self.document, pointer, namespace, name }, scope)
    }

    fn pointer(&self, at: &str) -> String {
        if at.is_empty() { self.at.clone() } else { format!("{}/{at}", self.at) }
    }

    /// Reports an error of the listener, and gives nothing.
    fn refuse<T>(&self, code: &str, at: &str, message: String, help: Option<&str>, scope: &mut Scope<'_>) -> Option<T> {
        scope.error(self.document, code, &self.pointer(at), message, help);
        None
    }
}

/// Whether a namespace lets Gateways of another one use something of the core group. Grants say nothing but what they say: an entry that
/// cannot be read grants nothing.
pub(super) fn is_granted(from: &str, to: &str, kind: &str, name: &str, scope: &Scope<'_>) -> bool {
    let grants = scope.documents.iter().filter(|document| REFERENCE_GRANT.is_of(document) && document.namespace == to);
    let text = |value: &Value, field: &str| value.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
    let entries = |document: &Document, list: &str| {
        let entries = document.value.pointer(&format!("/spec/{list}")).and_then(Value::as_array);
        entries.cloned().unwrap_or_default()
    };
    let is_from = |entry: &Value| {
        text(entry, "group") == GATEWAY.group && text(entry, "kind") == "Gateway" && text(entry, "namespace") == from
    };
    let is_to = |entry: &Value| {
        let all = entry.get("name").is_none_or(Value::is_null);
        text(entry, "group").is_empty() && text(entry, "kind") == kind && (all || text(entry, "name") == name)
    };
    grants.into_iter().any(|grant| entries(grant, "from").iter().any(is_from) && entries(grant, "to").iter().any(is_to))
}
