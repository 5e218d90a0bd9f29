//! What a rule changes of requests and responses.

use serde::Deserialize;
use std::collections::BTreeMap;

/// Header operations both ways.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Headers {
    /// On the request.
    pub request: Option<HeaderOperations>,
    /// On the response.
    pub response: Option<HeaderOperations>,
}

/// Header operations one way.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HeaderOperations {
    /// Overwrites or creates.
    pub set: BTreeMap<String, String>,
    /// Adds another value.
    pub add: BTreeMap<String, String>,
    /// Removes all values.
    pub remove: Vec<String>,
}

/// What changes before the request is sent.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Rewrite {
    /// The new path, or prefix.
    pub uri: Option<String>,
    /// The new authority.
    pub authority: Option<String>,
    /// The new path by expression.
    pub uri_regex_rewrite: Option<RegexRewrite>,
}

/// An expression and what takes the place of its matches.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RegexRewrite {
    /// The expression.
    #[serde(rename = "match")]
    pub pattern: Option<String>,
    /// The replacement, with `\1` for groups.
    pub rewrite: Option<String>,
}
