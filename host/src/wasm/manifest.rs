//! What a filter says of itself: the custom section `sluicegate:manifest`.

use serde::{Deserialize, Serialize};
use wasmparser::{Parser, Payload};

/// The custom section's name.
pub const SECTION: &str = "sluicegate:manifest";

/// A filter's own description.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The filter's name; a file's name stands in for a filter without a manifest.
    pub name: String,
    /// The filter's own version.
    pub version: String,
    /// The headers that it reads on most requests, which its hook gets with the call.
    #[serde(default, deserialize_with = "without_nulls")]
    pub reads: Vec<String>,
    /// The resource kinds that it implements.
    #[serde(default, deserialize_with = "without_nulls")]
    pub kinds: Vec<ClaimedKind>,
    /// The capabilities that it wants.
    #[serde(default, deserialize_with = "without_nulls")]
    pub capabilities: Vec<String>,
    /// The services that it forwards to, as far as its author knows them; patterns as grants have them.
    #[serde(default, deserialize_with = "without_nulls", skip_serializing_if = "Vec::is_empty")]
    pub forward: Vec<String>,
    /// The services that its plans call.
    #[serde(default, deserialize_with = "without_nulls", skip_serializing_if = "Vec::is_empty")]
    pub call: Vec<String>,
    /// The channels that it publishes to.
    #[serde(default, deserialize_with = "without_nulls", skip_serializing_if = "Vec::is_empty")]
    pub publish: Vec<String>,
    /// Filters with a higher priority come first in the chain.
    #[serde(default)]
    pub priority: i32,
    /// A second place in the chain, where its request hook is asked as well once there are documents of its kinds.
    #[serde(default)]
    pub early: Option<i32>,
    /// Without documents of its kinds, its request hook is asked only of requests that have one of these attributes; none
    /// is always asked.
    #[serde(default, deserialize_with = "some_without_nulls", skip_serializing_if = "Option::is_none")]
    pub idle_unless: Option<Vec<String>>,
    /// JSON schema of its own settings; none takes no settings.
    #[serde(default)]
    pub settings: Option<serde_json::Value>,
}

/// A resource kind and the JSON schema of its documents.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ClaimedKind {
    /// Such as `networking.istio.io`; versions do not matter.
    pub group: String,
    /// Such as `VirtualService`.
    pub kind: String,
    /// What a whole document must look like.
    pub schema: serde_json::Value,
}

/// Lists in the section may hold nulls, which makes them easy to write by a macro.
fn without_nulls<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Deserialize<'de>,
{
    Ok(Vec::<Option<T>>::deserialize(deserializer)?.into_iter().flatten().collect())
}

fn some_without_nulls<'de, D>(deserializer: D) -> Result<Option<Vec<String>>, D::Error>
where
    D: serde::Deserializer<'de>,
{
    without_nulls(deserializer).map(Some)
}

impl Manifest {
    /// For a component without the section: no claims, no wishes, named after its file.
    pub fn unnamed(file_stem: &str) -> Self {
        Self {
            name: file_stem.into(),
            version: "0.0.0".into(),
            reads: Vec::new(),
            kinds: Vec::new(),
            capabilities: Vec::new(),
            forward: Vec::new(),
            call: Vec::new(),
            publish: Vec::new(),
            priority: 0,
            early: None,
            idle_unless: None,
            settings: None,
        }
    }

    /// Reads the section out of a component, at whatever depth it stands: compilers leave it in the core module.
    pub fn read(component: &[u8]) -> Result<Option<Self>, String> {
        for payload in Parser::new(0).parse_all(component) {
            let payload = payload.map_err(|error| format!("it is not valid WebAssembly: {error}"))?;
            let Payload::CustomSection(section) = payload else { continue };
            if section.name() == SECTION {
                let manifest = serde_json::from_slice(section.data());
                return manifest.map(Some).map_err(|error| format!("its section {SECTION} does not read: {error}"));
            }
        }
        Ok(None)
    }
}
