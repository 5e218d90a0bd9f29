//! The kinds that the host itself implements: `Service` with `EndpointSlice`, and `ServiceEntry` with `WorkloadEntry` say which services
//! there are and where; `DestinationRule` and `HealthCheck` how they are used. The result is the registry of upstreams.
//!
//! Host names become the addresses that are known for them when the registry is built; whoever knows more later builds
//! it anew.

mod destination_rule;
mod duration;
mod health_check;
mod kubernetes;
mod service_entry;
#[cfg(test)]
mod tests;
mod workload_entry;

use super::diagnostic::{Diagnostics, Severity};
use super::document::Document;
use super::schema::Schema;
use super::{codes, node};
use crate::upstream::registry::{Registry, ServicePort};
use serde::de::DeserializeOwned;
use std::path::Path;
use std::sync::{Arc, LazyLock};

/// A kind and the versions in which the host reads it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kind {
    /// The group; empty for the core group.
    pub group: &'static str,
    /// All served versions, which are the same.
    pub versions: &'static [&'static str],
    /// The kind.
    pub kind: &'static str,
}

const SERVICE: Kind = Kind { group: "", versions: &["v1"], kind: "Service" };
const ENDPOINT_SLICE: Kind = Kind { group: "discovery.k8s.io", versions: &["v1"], kind: "EndpointSlice" };
const SERVICE_ENTRY: Kind =
    Kind { group: "networking.istio.io", versions: &["v1", "v1beta1", "v1alpha3"], kind: "ServiceEntry" };

const WORKLOAD_ENTRY: Kind =
    Kind { group: "networking.istio.io", versions: &["v1", "v1beta1", "v1alpha3"], kind: "WorkloadEntry" };

const DESTINATION_RULE: Kind =
    Kind { group: "networking.istio.io", versions: &["v1", "v1beta1", "v1alpha3"], kind: "DestinationRule" };
const HEALTH_CHECK: Kind = Kind { group: "sluicegate.dev", versions: &["v1alpha1"], kind: "HealthCheck" };

/// The kinds that the host implements.
pub const KINDS: &[Kind] = &[SERVICE, ENDPOINT_SLICE, SERVICE_ENTRY, WORKLOAD_ENTRY, DESTINATION_RULE, HEALTH_CHECK];

/// Whether the host implements a document's kind in its version.
pub fn claims(document: &Document) -> bool {
    KINDS.iter().any(|kind| kind.is_of(document))
}

/// Adds the services that the documents describe; documents of other kinds are left alone.
pub fn build(documents: &[Arc<Document>], registry: &mut Registry, names: &dyn LookUp, diagnostics: &mut Diagnostics) {
    // Addresses are not in files.
    let files: ReadFile<'_> = &mut |_| Err(std::io::ErrorKind::Unsupported.into());
    let mut scope = Scope { documents, files, registry, diagnostics, names };
    kubernetes::add(documents, &mut scope);
    service_entry::add(documents, &mut scope);
}

/// Who knows the addresses of host names.
pub trait LookUp {
    /// The addresses of a name.
    ///
    /// # Errors
    /// Why there are none, for people to read.
    fn look_up(&self, name: &str) -> Result<Vec<std::net::IpAddr>, String>;
}

/// Policies name no addresses.
struct Nowhere;

impl LookUp for Nowhere {
    fn look_up(&self, _: &str) -> Result<Vec<std::net::IpAddr>, String> {
        Err("nobody looks it up".into())
    }
}

/// Reads a file that a document names, such as a certificate.
pub type ReadFile<'a> = &'a mut dyn FnMut(&Path) -> std::io::Result<Vec<u8>>;

/// Says how the services are used, once all of them are known.
pub fn apply_policies(
    documents: &[Arc<Document>],
    registry: &mut Registry,
    files: ReadFile<'_>,
    diagnostics: &mut Diagnostics,
) {
    let mut scope = Scope { documents, registry, diagnostics, files, names: &Nowhere };
    destination_rule::apply(documents, &mut scope);
    health_check::apply(documents, &mut scope);
}

/// What all families of kinds work with.
struct Scope<'a> {
    documents: &'a [Arc<Document>],
    files: ReadFile<'a>,
    registry: &'a mut Registry,
    diagnostics: &'a mut Diagnostics,
    names: &'a dyn LookUp,
}

impl Scope<'_> {
    /// All documents of a kind that fit its schema, in the form that is read.
    fn read<'d, T: DeserializeOwned>(
        &mut self,
        documents: &'d [Arc<Document>],
        kind: Kind,
        schema: &Result<Schema, Box<super::Diagnostic>>,
    ) -> Vec<(&'d Document, T)> {
        kind.read(documents, schema, self.diagnostics)
    }

    fn error(&mut self, document: &Document, code: &str, pointer: &str, message: String, help: Option<&str>) {
        self.report(Severity::Error, document, code, pointer, message, help);
    }

    fn warn(&mut self, document: &Document, code: &str, pointer: &str, message: String, help: Option<&str>) {
        self.report(Severity::Warning, document, code, pointer, message, help);
    }

    fn report(
        &mut self,
        severity: Severity,
        document: &Document,
        code: &str,
        pointer: &str,
        message: String,
        help: Option<&str>,
    ) {
        let diagnostic = document.diagnostic(severity, code, pointer, message);
        self.diagnostics.push(diagnostic.with_help(help));
    }

    /// The addresses of an endpoint: an IP address, or a host name where those are allowed.
    fn addresses(&mut self, document: &Document, pointer: &str, address: &str, names: bool) -> Vec<std::net::IpAddr> {
        if let Ok(address) = address.parse() {
            return vec![address];
        }
        if address.starts_with("unix:") {
            let message = format!("`{address}` is a Unix socket; endpoints are reached over TCP");
            self.error(document, codes::ENDPOINT_ADDRESS, pointer, message, None);
            return Vec::new();
        }
        if !names || !super::header::is_name(&address.to_ascii_lowercase()) {
            let message = format!("`{address}` is not an IP address");
            let help = match document.kind.as_str() {
                _ if names => "give an IP address or a host name",
                "EndpointSlice" => "an EndpointSlice of type IPv4 or IPv6 holds IP addresses",
                _ => "host names need `resolution: DNS`",
            };
            self.error(document, codes::ENDPOINT_ADDRESS, pointer, message, Some(help));
            return Vec::new();
        }
        self.names.look_up(&address.to_ascii_lowercase()).unwrap_or_else(|reason| {
            let message = format!("`{address}` could not be resolved: {reason}");
            let help = "the endpoint is left out until the name has an address";
            self.warn(document, codes::UNRESOLVED, pointer, message, Some(help));
            Vec::new()
        })
    }

    /// Reports ports whose number or name is given before.
    fn check_ports(&mut self, document: &Document, ports: &[ServicePort], pointers: &[String]) {
        for (index, (port, pointer)) in ports.iter().zip(pointers).enumerate() {
            let before = || ports.iter().take(index);
            let number = before().any(|other| other.number == port.number);
            let name = port.name.is_some() && before().any(|other| other.name == port.name);
            if number || name {
                let what = if number { "number" } else { "name" };
                let message = format!("another port has the same {what}");
                self.error(document, codes::DUPLICATE_PORT, pointer, message, None);
            }
        }
    }
}

impl Kind {
    /// All documents of this kind that fit its schema, in the form that is read; what does not fit is reported.
    pub fn read<'d, T: DeserializeOwned>(
        self,
        documents: &'d [Arc<Document>],
        schema: &Result<Schema, Box<super::Diagnostic>>,
        diagnostics: &mut Diagnostics,
    ) -> Vec<(&'d Document, T)> {
        let mut read = Vec::new();
        for document in documents.iter().filter(|document| self.is_of(document)) {
            match schema {
                Ok(schema) if !schema.check(document, diagnostics) => continue,
                Ok(_) => {}
                Err(error) => diagnostics.push(super::Diagnostic::clone(error)),
            }
            match serde_json::from_value(document.value.clone()) {
                Ok(value) => read.push((&**document, value)),
                Err(error) => {
                    let wrong = document.diagnostic(Severity::Error, codes::WRONG_TYPE, "/spec", error.to_string());
                    diagnostics.push(wrong);
                }
            }
        }
        read
    }

    /// Whether a document is of this kind, in a version that the host reads.
    pub fn is_of(self, document: &Document) -> bool {
        document.is(self.group, self.kind) && self.versions.contains(&document.version.as_str())
    }
}

/// A schema of the host's own, compiled at first use.
pub type HostSchema = LazyLock<Result<Schema, Box<super::Diagnostic>>>;

/// Compiles a schema of the host's own.
pub fn compile(owner: &str, text: &str) -> Result<Schema, Box<super::Diagnostic>> {
    // The text is a part of the program; the tests compile it.
    Schema::compile(owner, serde_json::from_str(text).unwrap_or_default())
}

/// `/spec/ports/INDEX` and the like.
fn item(list: &str, index: usize) -> String {
    node::step(list, &index.to_string())
}
