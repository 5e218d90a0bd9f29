//! `WorkloadEntry` (networking.istio.io): an endpoint that ServiceEntries of its namespace select by labels.

use super::service_entry::Workload;
use super::{HostSchema, Scope, WORKLOAD_ENTRY, codes, compile};
use crate::manifest::document::Document;
use crate::manifest::node::step;
use crate::upstream::registry::Labels;
use serde::Deserialize;
use std::sync::{Arc, LazyLock};

static SCHEMA: HostSchema = LazyLock::new(|| compile("WorkloadEntry", include_str!("workload_entry.schema.json")));

#[derive(Deserialize)]
struct WorkloadEntry {
    #[serde(default)]
    metadata: Metadata,
    spec: Workload,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Metadata {
    labels: Option<Labels>,
}

/// All entries that can be used, each with its document.
pub(super) struct Workloads<'d>(Vec<(&'d Document, Workload)>);

impl<'d> Workloads<'d> {
    /// Reads all entries, and reports what is wrong with them.
    pub(super) fn read(documents: &'d [Arc<Document>], scope: &mut Scope<'_>) -> Self {
        let read = scope.read::<WorkloadEntry>(documents, WORKLOAD_ENTRY, &SCHEMA);
        let usable = read.into_iter().filter(|(document, entry)| check(document, &entry.spec, scope));
        // Labels of the document count too; those of the workload win.
        let labelled = |(document, WorkloadEntry { metadata, mut spec }): (&'d Document, WorkloadEntry)| {
            let mut labels = metadata.labels.unwrap_or_default();
            labels.extend(spec.labels.take().unwrap_or_default());
            spec.labels = Some(labels);
            (document, spec)
        };
        Self(usable.map(labelled).collect())
    }

    /// Those of a namespace that have these labels.
    pub(super) fn selected(&self, namespace: &str, labels: &Labels) -> Vec<(&'d Document, &Workload)> {
        let has = |workload: &Workload| {
            let own = workload.labels.as_ref();
            labels.iter().all(|(name, value)| own.and_then(|own| own.get(name)) == Some(value))
        };
        let of = |(document, workload): &&(&Document, Workload)| document.namespace == namespace && has(workload);
        self.0.iter().filter(of).map(|(document, workload)| (*document, workload)).collect()
    }
}

/// Whether an entry can be used; reports why not.
fn check(document: &Document, workload: &Workload, scope: &mut Scope<'_>) -> bool {
    let Some(address) = workload.address.as_deref().filter(|address| !address.is_empty()) else {
        if workload.network.as_deref().is_some_and(|network| !network.is_empty()) {
            let message = "the entry has no address, and gateways of other networks are not known here".to_owned();
            scope.warn(document, codes::ENDPOINT_ADDRESS, "/spec", message, Some("give it an `address`"));
        } else {
            scope.error(document, codes::ENDPOINT_ADDRESS, "/spec", "the entry has no `address`".into(), None);
        }
        return false;
    };
    let mut fine = true;
    for (name, _) in workload.ports.iter().flatten().filter(|(name, _)| !is_port_name(name)) {
        let message = format!("`{name}` is not the name of a port");
        let help = "write letters, digits and `-`, as the ServiceEntry calls the port";
        scope.error(document, codes::ENDPOINT_ADDRESS, &step("/spec/ports", name), message, Some(help));
        fine = false;
    }
    let Some(socket) = address.strip_prefix("unix://") else { return fine };
    let wrong = if !socket.starts_with(['/', '@']) {
        Some("a Unix socket has an absolute path, or an abstract name behind `@`")
    } else if socket.ends_with('/') {
        Some("a Unix socket is not a directory")
    } else if workload.ports.as_ref().is_some_and(|ports| !ports.is_empty()) {
        Some("a Unix socket has no ports")
    } else {
        None
    };
    if let Some(message) = wrong {
        scope.error(document, codes::ENDPOINT_ADDRESS, "/spec/address", message.into(), None);
        return false;
    }
    let message = format!("`{address}` is a Unix socket; endpoints are reached over TCP");
    let help = "the entry is left out: give it an IP address or a host name";
    scope.warn(document, codes::ENDPOINT_ADDRESS, "/spec/address", message, Some(help));
    false
}

/// As labels of DNS have it (RFC 1123, section 2.1), in any case.
fn is_port_name(name: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    let edge = |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric());
    name.len() <= 63 && name.bytes().all(inner) && edge(name.bytes().next()) && edge(name.bytes().last())
}
