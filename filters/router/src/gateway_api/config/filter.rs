//! The filters of routes.

use super::http::BackendRef;
use serde::Deserialize;
use serde_json::Value;

/// One filter: a type, and the field that belongs to it.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Filter {
    /// Which of the others is there.
    #[serde(rename = "type")]
    pub kind: String,
    /// Changes headers of the request.
    pub request_header_modifier: Option<HeaderModifier>,
    /// Changes headers of the response.
    pub response_header_modifier: Option<HeaderModifier>,
    /// Sends copies.
    pub request_mirror: Option<Mirror>,
    /// Sends the client elsewhere.
    pub request_redirect: Option<Redirect>,
    /// Changes host and path.
    pub url_rewrite: Option<Rewrite>,
    /// Answers browsers of other origins.
    pub cors: Option<Cors>,
    /// A filter of some other kind.
    pub extension_ref: Option<ExtensionRef>,
    /// Not served here.
    pub external_auth: Option<Value>,
}

/// Header operations.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct HeaderModifier {
    /// Overwrites or creates.
    pub set: Vec<HeaderValue>,
    /// Adds another value.
    pub add: Vec<HeaderValue>,
    /// Removes all values.
    pub remove: Vec<String>,
}

/// A header.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct HeaderValue {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
}

/// Who gets copies.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Mirror {
    /// The service.
    pub backend_ref: BackendRef,
    /// Of how many requests in a hundred.
    pub percent: Option<i64>,
    /// Of how many requests.
    pub fraction: Option<Fraction>,
}

/// A part of all requests.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Fraction {
    /// So many
    pub numerator: i64,
    /// of so many, 100 when absent.
    pub denominator: Option<i64>,
}

/// Where the client is sent.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Redirect {
    /// The new scheme.
    pub scheme: Option<String>,
    /// The new host.
    pub hostname: Option<String>,
    /// The new path.
    pub path: Option<PathModifier>,
    /// The new port.
    pub port: Option<i64>,
    /// 302 when absent.
    pub status_code: Option<i64>,
}

/// What changes before a request is sent.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Rewrite {
    /// The new host.
    pub hostname: Option<String>,
    /// The new path.
    pub path: Option<PathModifier>,
}

/// A new path.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct PathModifier {
    /// Which of the others is there.
    #[serde(rename = "type")]
    pub kind: String,
    /// Takes the place of the path.
    pub replace_full_path: Option<String>,
    /// Takes the place of the matched prefix.
    pub replace_prefix_match: Option<String>,
}

/// What browsers of other origins are told.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Cors {
    /// Origins that may ask.
    pub allow_origins: Vec<String>,
    /// Whether they may send credentials.
    pub allow_credentials: Option<bool>,
    /// Methods that they may use.
    pub allow_methods: Vec<String>,
    /// Headers that they may send.
    pub allow_headers: Vec<String>,
    /// Headers that they may read.
    pub expose_headers: Vec<String>,
    /// How long a preflight counts, in seconds; 5 when absent.
    pub max_age: Option<i64>,
}

/// A filter of some other kind.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ExtensionRef {
    /// Its group.
    pub group: String,
    /// Its kind.
    pub kind: String,
    /// Its name.
    pub name: String,
}
