//! Gateway documents: which ports are listened on, and how TLS ends there.
//!
//! `Gateway` comes in two kinds, Istio's and that of the Gateway API; both become [`Declared`] servers, and those become
//! a [`Plan`] of addresses. `Secret` and `ConfigMap` documents and files hold certificates. Which routes belong to which server is not
//! decided here: a filter does that, by the attributes `listener.name`, `listener.port` and `tls.sni`.

mod files;
mod frontend;
mod istio;
mod kubernetes;
mod material;
mod plan;
mod scope;
mod secret;
#[cfg(test)]
mod tests;

pub use files::Files;
pub use plan::{Entry, Memory, Plan, plan};

use crate::manifest::Document;
use crate::manifest::endpoints::Kind;
use crate::tls::{Action, HostPattern};
use std::net::IpAddr;

const ISTIO_GATEWAY: Kind =
    Kind { group: "networking.istio.io", versions: &["v1", "v1beta1", "v1alpha3"], kind: "Gateway" };
const GATEWAY: Kind = Kind { group: "gateway.networking.k8s.io", versions: &["v1", "v1beta1"], kind: "Gateway" };
const REFERENCE_GRANT: Kind =
    Kind { group: "gateway.networking.k8s.io", versions: &["v1", "v1beta1", "v1alpha2"], kind: "ReferenceGrant" };
const CONFIG_MAP: Kind = Kind { group: "", versions: &["v1"], kind: "ConfigMap" };
const SECRET: Kind = Kind { group: "", versions: &["v1"], kind: "Secret" };

/// The kinds that this module reads.
pub const KINDS: &[Kind] = &[ISTIO_GATEWAY, GATEWAY, REFERENCE_GRANT, CONFIG_MAP, SECRET];

/// Whether the host reads a document's kind here.
pub fn claims(document: &Document) -> bool {
    KINDS.iter().any(|kind| kind.is_of(document))
}

/// Whether a document holds keys, which no filter is given and no message shows.
pub fn is_secret(document: &Document) -> bool {
    document.is(SECRET.group, SECRET.kind)
}

/// One server of a Gateway document that is to be opened.
struct Declared<'d> {
    document: &'d Document,
    /// JSON pointer to the server, and to its port.
    at: String,
    port_at: String,
    port: u16,
    /// The only address it is for.
    bind: Option<IpAddr>,
    /// At least one.
    hosts: Vec<HostPattern>,
    /// What becomes of TLS; none is plain HTTP.
    tls: Option<Action>,
}
