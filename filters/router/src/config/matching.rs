//! Which requests a rule takes.

use serde::Deserialize;
use std::collections::BTreeMap;

/// Conditions that must all hold.
#[derive(Debug, Default, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct HttpMatch {
    /// Names the block in logs.
    pub name: Option<String>,
    /// The path.
    pub uri: Option<StringMatch>,
    /// The scheme.
    pub scheme: Option<StringMatch>,
    /// The method.
    pub method: Option<StringMatch>,
    /// The authority as sent, port included.
    pub authority: Option<StringMatch>,
    /// Headers that must be there; a null one is an error.
    pub headers: BTreeMap<String, Option<StringMatch>>,
    /// The port that the request came in on.
    pub port: Option<i64>,
    /// Labels of the caller's workload.
    pub source_labels: BTreeMap<String, String>,
    /// Gateways that the block is restricted to.
    pub gateways: Vec<String>,
    /// Query parameters that must be there.
    pub query_params: BTreeMap<String, Option<StringMatch>>,
    /// Whether `uri.exact` and `uri.prefix` ignore case.
    pub ignore_uri_case: Option<bool>,
    /// Headers that must not match.
    pub without_headers: BTreeMap<String, Option<StringMatch>>,
    /// Namespace of the caller.
    pub source_namespace: Option<String>,
    /// Names statistics: accepted without effect.
    pub stat_prefix: Option<String>,
}

/// One of three ways to compare a string.
#[derive(Debug, Default, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct StringMatch {
    /// The whole value.
    pub exact: Option<String>,
    /// How the value starts.
    pub prefix: Option<String>,
    /// An expression that the whole value matches.
    pub regex: Option<String>,
}
