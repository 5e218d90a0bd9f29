//! `HTTPRoute`, and the parts that routes of all kinds have.

use super::filter::Filter;
use serde::Deserialize;
use serde_json::Value;

/// The `spec` of an HTTPRoute.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct HttpRoute {
    /// What it asks to be attached to.
    pub parent_refs: Vec<ParentRef>,
    /// Whether default gateways are asked, too.
    pub use_default_gateways: Option<String>,
    /// Names whose requests the rules take; all that the listener has when empty.
    pub hostnames: Vec<String>,
    /// The rules.
    pub rules: Vec<HttpRule>,
}

/// A resource that a route asks to be attached to.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ParentRef {
    /// The Gateway API's when absent.
    pub group: Option<String>,
    /// Gateway when absent.
    pub kind: Option<String>,
    /// The route's own when absent.
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
    /// One listener of it.
    pub section_name: Option<String>,
    /// The listeners of one port.
    pub port: Option<i64>,
}

/// One rule.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct HttpRule {
    /// Names the rule in logs.
    pub name: Option<String>,
    /// Matches of which one must hold; none at all takes every request.
    pub matches: Vec<HttpMatch>,
    /// What happens on the way.
    pub filters: Vec<Filter>,
    /// Where requests go.
    pub backend_refs: Vec<BackendRef>,
    /// How long it may take.
    pub timeouts: Option<Timeouts>,
    /// When to try again.
    pub retry: Option<Retry>,
    /// Accepted without effect.
    pub session_persistence: Option<Value>,
}

/// Conditions that must all hold.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct HttpMatch {
    /// The path.
    pub path: Option<PathMatch>,
    /// Headers.
    pub headers: Vec<Comparison>,
    /// Query parameters.
    pub query_params: Vec<Comparison>,
    /// The method.
    pub method: Option<String>,
}

/// What the path must be.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct PathMatch {
    /// PathPrefix when absent.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// `/` when absent.
    pub value: Option<String>,
}

/// What a header or query parameter must be.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Comparison {
    /// Exact when absent.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
}

/// A service and its share.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct BackendRef {
    /// The core group when absent.
    pub group: Option<String>,
    /// Service when absent.
    pub kind: Option<String>,
    /// Its name.
    pub name: String,
    /// The route's own when absent.
    pub namespace: Option<String>,
    /// Its port.
    pub port: Option<i64>,
    /// 1 when absent.
    pub weight: Option<i64>,
    /// What happens on the way to this backend.
    pub filters: Vec<Filter>,
}

/// How long a request may take.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Timeouts {
    /// All tries together.
    pub request: Option<String>,
    /// One try.
    pub backend_request: Option<String>,
}

/// When to try again.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Retry {
    /// Statuses that are worth it.
    pub codes: Vec<i64>,
    /// How many times.
    pub attempts: Option<i64>,
    /// How long to wait before.
    pub backoff: Option<String>,
}
