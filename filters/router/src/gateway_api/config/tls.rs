//! `TLSRoute`.

use super::http::{BackendRef, ParentRef};
use serde::Deserialize;

/// The `spec` of a TLSRoute.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct TlsRoute {
    /// What it asks to be attached to.
    pub parent_refs: Vec<ParentRef>,
    /// Whether default gateways are asked, too.
    pub use_default_gateways: Option<String>,
    /// Names that clients ask for.
    pub hostnames: Vec<String>,
    /// The rules, of which there is one.
    pub rules: Vec<TlsRule>,
}

/// One rule.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct TlsRule {
    /// Names the rule in logs.
    pub name: Option<String>,
    /// Where connections go.
    pub backend_refs: Vec<BackendRef>,
}
