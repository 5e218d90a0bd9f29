//! What is done instead of sending a request on: a redirect, a fixed answer, another resource with rules.

use serde::Deserialize;

/// Where the client is sent.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Redirect {
    /// The new path.
    pub uri: Option<String>,
    /// Takes the place of the matched prefix.
    pub prefix_rewrite: Option<String>,
    /// The new authority.
    pub authority: Option<String>,
    /// The new port.
    pub port: Option<i64>,
    /// How to come by the new port.
    pub derive_port: Option<DerivePort>,
    /// The new scheme.
    pub scheme: Option<String>,
    /// 301 unless given.
    pub redirect_code: Option<i64>,
}

/// How a redirect comes by its port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum DerivePort {
    /// The scheme's own.
    FromProtocolDefault,
    /// The one that the request came in on.
    FromRequestPort,
}

/// A fixed answer.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DirectResponse {
    /// The status.
    pub status: Option<i64>,
    /// The body.
    pub body: Option<DirectBody>,
}

/// The body of a fixed answer.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DirectBody {
    /// As text.
    pub string: Option<String>,
    /// As base64.
    pub bytes: Option<String>,
}

/// Another VirtualService that has the rules.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Delegate {
    /// Its name.
    pub name: Option<String>,
    /// Its namespace.
    pub namespace: Option<String>,
}
