//! `GRPCRoute`.

use super::filter::Filter;
use super::http::{BackendRef, Comparison, ParentRef};
use serde::Deserialize;
use serde_json::Value;

/// The `spec` of a GRPCRoute.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct GrpcRoute {
    /// What it asks to be attached to.
    pub parent_refs: Vec<ParentRef>,
    /// Whether default gateways are asked, too.
    pub use_default_gateways: Option<String>,
    /// Names whose requests the rules take; all that the listener has when empty.
    pub hostnames: Vec<String>,
    /// The rules.
    pub rules: Vec<GrpcRule>,
}

/// One rule.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct GrpcRule {
    /// Names the rule in logs.
    pub name: Option<String>,
    /// Matches of which one must hold; none at all takes every call.
    pub matches: Vec<GrpcMatch>,
    /// What happens on the way.
    pub filters: Vec<Filter>,
    /// Where calls go.
    pub backend_refs: Vec<BackendRef>,
    /// Accepted without effect.
    pub session_persistence: Option<Value>,
}

/// Conditions that must all hold.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct GrpcMatch {
    /// What is called.
    pub method: Option<GrpcMethod>,
    /// Headers.
    pub headers: Vec<Comparison>,
}

/// What is called.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct GrpcMethod {
    /// Exact when absent.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// The service, with its package.
    pub service: Option<String>,
    /// The method of the service.
    pub method: Option<String>,
}
