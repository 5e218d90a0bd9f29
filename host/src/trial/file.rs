//! A file of tests as it is written. Its shape has been checked against `routes.schema.json` before.

use serde::Deserialize;
use serde_json::{Map, Value};

/// The whole file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct File {
    /// Relative to the file's directory.
    #[serde(default)]
    pub(super) manifests: Vec<String>,
    pub(super) tests: Vec<Test>,
}

/// One test.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Test {
    pub(super) name: Option<String>,
    /// `[METHOD] URL`.
    pub(super) request: String,
    #[serde(default)]
    pub(super) headers: Map<String, Value>,
    pub(super) body: Option<String>,
    pub(super) listener: Option<Listener>,
    pub(super) upstream: Option<Upstream>,
    pub(super) expect: Expect,
}

/// By which listener the request comes in.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Listener {
    /// The one of this port.
    Port(u16),
    /// The one that this says.
    Named {
        port: Option<u16>,
        sni: Option<String>,
        #[serde(default)]
        mesh: bool,
    },
}

/// What the upstream answers.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Upstream {
    pub(super) status: Option<u16>,
    #[serde(default)]
    pub(super) headers: Map<String, Value>,
    #[serde(default)]
    pub(super) body: String,
}

/// What should become of the request.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Expect {
    pub(super) filter: Option<String>,
    pub(super) route: Option<String>,
    pub(super) destination: Option<OneOrMany>,
    pub(super) calls: Option<Vec<String>>,
    pub(super) channels: Option<Vec<String>>,
    pub(super) authority: Option<String>,
    pub(super) path: Option<String>,
    #[serde(default)]
    pub(super) headers: Map<String, Value>,
    pub(super) timeout: Option<String>,
    pub(super) retries: Option<u32>,
    pub(super) status: Option<u16>,
    pub(super) location: Option<String>,
    #[serde(default)]
    pub(super) response_headers: Map<String, Value>,
    pub(super) body: Option<String>,
}

/// A text, or a list of them.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum OneOrMany {
    /// One.
    One(String),
    /// Any of these.
    Many(Vec<String>),
}
