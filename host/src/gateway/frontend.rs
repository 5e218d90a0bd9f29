//! `tls.frontend` of a Gateway (gateway.networking.k8s.io): whose certificates clients have to show, on all HTTPS
//! listeners or on those of single ports (Gateway API, Gateway.spec.tls).

use super::kubernetes::is_granted;
use super::material::{ClientDemand, Text};
use super::scope::Scope;
use super::secret::{self, Reference};
use super::{CONFIG_MAP, SECRET};
use crate::manifest::{Document, Location, codes, node};
use crate::tls::ClientPins;
use serde::Deserialize;

/// The field of a ConfigMap that holds authorities.
const AUTHORITIES: &str = "ca.crt";

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Frontend {
    default: Option<Clients>,
    per_port: Option<Vec<PortClients>>,
}

#[derive(Deserialize)]
struct PortClients {
    port: u16,
    tls: Clients,
}

#[derive(Deserialize)]
struct Clients {
    validation: Option<Validation>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Validation {
    ca_certificate_refs: Vec<AuthorityReference>,
    #[serde(default)]
    mode: Mode,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize)]
enum Mode {
    #[default]
    AllowValidOnly,
    AllowInsecureFallback,
}

#[derive(Deserialize)]
struct AuthorityReference {
    group: Option<String>,
    kind: Option<String>,
    name: String,
    namespace: Option<String>,
}

/// What a Gateway asks of clients.
pub(super) struct Demands {
    default: Demand,
    ports: Vec<(u16, Demand)>,
}

/// What is asked is wrong, which has been reported.
pub(super) struct Refused;

enum Demand {
    /// Anyone is let in.
    Nothing,
    Certificate(Box<ClientDemand>),
    /// It is wrong, which has been reported.
    Refused,
}

impl Demands {
    /// Reads what is asked, and reports what is wrong with it, once for all listeners.
    pub(super) fn read(document: &Document, frontend: &Frontend, scope: &mut Scope<'_>) -> Self {
        let at = "/spec/tls/frontend";
        let mut demand = |clients: &Clients, at: String| match &clients.validation {
            None => Demand::Nothing,
            Some(validation) => Reading { document, at }
                .demand(validation, scope)
                .map_or(Demand::Refused, |demand| Demand::Certificate(Box::new(demand))),
        };
        let default = frontend.default.as_ref();
        let default = default.map_or(Demand::Nothing, |clients| demand(clients, format!("{at}/default/validation")));
        let ports = frontend.per_port.iter().flatten().enumerate();
        let ports = ports.map(|(index, PortClients { port, tls })| {
            let at = node::step(&format!("{at}/perPort"), &index.to_string());
            (*port, demand(tls, format!("{at}/tls/validation")))
        });
        Self { ports: ports.collect(), default }
    }

    /// What is asked of clients of a port; none lets anyone in.
    pub(super) fn of(&self, port: u16) -> Result<Option<ClientDemand>, Refused> {
        let own = self.ports.iter().find(|(number, _)| *number == port).map(|(_, demand)| demand);
        match own.unwrap_or(&self.default) {
            Demand::Nothing => Ok(None),
            Demand::Certificate(demand) => Ok(Some(ClientDemand::clone(demand))),
            Demand::Refused => Err(Refused),
        }
    }
}

/// One validation that is being read.
struct Reading<'d> {
    document: &'d Document,
    at: String,
}

impl Reading<'_> {
    fn demand(&self, written: &Validation, scope: &mut Scope<'_>) -> Option<ClientDemand> {
        if written.mode == Mode::AllowInsecureFallback {
            let message = "clients are not let in whose certificate does not hold";
            let help = "write AllowValidOnly, or use a Gateway of networking.istio.io with `mode: OPTIONAL_MUTUAL`";
            return self.refuse(codes::GATEWAY_TLS, "mode", message.into(), help, scope);
        }
        let references = written.ca_certificate_refs.iter().enumerate();
        let texts: Vec<Option<Text>> =
            references.map(|(index, reference)| self.authorities(index, reference, scope)).collect();
        let mut texts = texts.into_iter().collect::<Option<Vec<Text>>>()?.into_iter();
        let mut authorities = texts.next()?;
        for text in texts {
            authorities.bytes.push(b'\n');
            authorities.bytes.extend(text.bytes);
        }
        let pins = ClientPins::default();
        Some(ClientDemand { required: true, authorities, revoked: None, pins })
    }

    fn authorities(&self, index: usize, reference: &AuthorityReference, scope: &mut Scope<'_>) -> Option<Text> {
        let at = format!("caCertificateRefs/{index}");
        let (group, kind) = (reference.group.as_deref().unwrap_or_default(), reference.kind.as_deref());
        let own = self.document.namespace.as_str();
        let namespace = reference.namespace.as_deref().unwrap_or(own);
        let kind = match (group, kind.unwrap_or(CONFIG_MAP.kind)) {
            ("", kind) if kind == CONFIG_MAP.kind || kind == SECRET.kind => kind,
            (_, kind) => {
                let message = format!("authorities come from a ConfigMap or a Secret, not from a {kind} of `{group}`");
                let help = "put them into a ConfigMap, under `ca.crt`";
                return self.refuse(codes::CERTIFICATE_MISSING, &at, message, help, scope);
            }
        };
        if namespace != own && !is_granted(own, namespace, kind, &reference.name, scope) {
            let message = format!("namespace `{namespace}` does not let Gateways of `{own}` use its {kind}");
            let help = format!("add a ReferenceGrant to namespace `{namespace}`");
            return self.refuse(codes::REFERENCE_GRANT, &at, message, &help, scope);
        }
        if kind == SECRET.kind {
            let pointer = format!("{}/{at}/name", self.at);
            let (namespace, name) = (namespace.to_owned(), reference.name.clone());
            return secret::authorities(&Reference { document: self.document, pointer, namespace, name }, scope);
        }
        self.config_map(&at, namespace, &reference.name, scope)
    }

    fn config_map(&self, at: &str, namespace: &str, name: &str, scope: &mut Scope<'_>) -> Option<Text> {
        let documents = scope.documents;
        let is = |document: &Document| {
            CONFIG_MAP.is_of(document) && document.namespace == namespace && document.name == name
        };
        let Some(found) = documents.iter().find(|document| is(document)) else {
            let message = format!("there is no ConfigMap `{name}` in namespace `{namespace}`");
            let help = "add one with the authorities under `ca.crt`";
            return self.refuse(codes::CERTIFICATE_MISSING, &format!("{at}/name"), message, help, scope);
        };
        let pointer = format!("/data/{AUTHORITIES}");
        let Some(text) = found.value.pointer(&pointer).and_then(serde_json::Value::as_str) else {
            let message = format!("the ConfigMap `{name}` has no `{AUTHORITIES}`");
            let help = "put the authorities into its `data`";
            return self.refuse(codes::CERTIFICATE_MISSING, &format!("{at}/name"), message, help, scope);
        };
        let what = format!("`{AUTHORITIES}` of {}", found.label());
        let place = Location::new(&found.source, found.key_span_of(&pointer));
        let user = Some(self.document.location_of(&format!("{}/{at}/name", self.at)));
        Some(Text { bytes: text.as_bytes().to_vec(), what, place, user })
    }

    /// Reports an error of the validation, and gives nothing.
    fn refuse<T>(&self, code: &str, at: &str, message: String, help: &str, scope: &mut Scope<'_>) -> Option<T> {
        scope.error(self.document, code, &format!("{}/{at}", self.at), message, Some(help));
        None
    }
}
