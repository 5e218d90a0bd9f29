//! What a filter is configured with, and how it says what is wrong with that.

use crate::bindings::configuration::exports::sluicegate::filter::configuration as wit;
use serde::de::DeserializeOwned;

pub use wit::{Diagnostic, Environment, Severity};

/// Builds a filter from its settings and its documents (hook `configuration`).
pub trait Configure: Sized {
    /// The filter's own settings; use `()` where there are none. Settings that the operator leaves out count as `{}`.
    type Settings: DeserializeOwned;

    /// Builds the filter. Report everything that is wrong, not just the first thing: when the diagnostics hold an
    /// error, the host keeps the configuration it has and drops what this returns.
    fn configure(
        environment: &Environment,
        settings: Self::Settings,
        resources: &[Resource],
        diagnostics: &mut Diagnostics,
    ) -> Self;
}

/// One document of a kind that the filter claims.
#[derive(Debug, Clone)]
pub struct Resource {
    /// Its place in the list, which diagnostics refer to.
    pub index: u32,
    /// Such as `networking.istio.io/v1`.
    pub api_version: String,
    /// Such as `VirtualService`.
    pub kind: String,
    /// The namespace, never empty.
    pub namespace: String,
    /// The name.
    pub name: String,
    /// `file:line`.
    pub origin: String,
    /// The whole document.
    pub value: serde_json::Value,
}

impl Resource {
    /// Reads the document's `spec`; an absent one counts as `{}`. The host has already checked it against the schema
    /// that the filter's manifest gives for the kind, so a failure here is reported at `/spec` without more detail.
    pub fn spec<T: DeserializeOwned>(&self, diagnostics: &mut Diagnostics) -> Option<T> {
        let spec = self.value.get("spec").cloned().unwrap_or_else(|| serde_json::Value::Object(serde_json::Map::new()));
        match serde_json::from_value(spec) {
            Ok(spec) => Some(spec),
            Err(error) => {
                diagnostics.error(self, "/spec", "SG0101", error.to_string());
                None
            }
        }
    }
}

/// What is wrong with a configuration, or worth knowing.
#[derive(Debug, Default)]
pub struct Diagnostics(Vec<wit::Diagnostic>);

impl Diagnostics {
    /// Refuses the configuration.
    pub fn error(&mut self, resource: &Resource, pointer: impl Into<String>, code: &str, message: impl Into<String>) {
        self.push(Severity::Error, Some(resource.index), pointer.into(), code, message.into());
    }

    /// Something that likely does not do what the author meant.
    pub fn warning(&mut self, resource: &Resource, pointer: impl Into<String>, code: &str, message: impl Into<String>) {
        self.push(Severity::Warning, Some(resource.index), pointer.into(), code, message.into());
    }

    /// Something worth knowing.
    pub fn note(&mut self, resource: &Resource, pointer: impl Into<String>, code: &str, message: impl Into<String>) {
        self.push(Severity::Note, Some(resource.index), pointer.into(), code, message.into());
    }

    /// Refuses the filter's own settings; the pointer is into them.
    pub fn settings_error(&mut self, pointer: impl Into<String>, code: &str, message: impl Into<String>) {
        self.push(Severity::Error, None, pointer.into(), code, message.into());
    }

    /// Says what to do about the diagnostic that was added last.
    pub fn help(&mut self, help: impl Into<String>) {
        if let Some(last) = self.0.last_mut() {
            last.help = Some(help.into());
        }
    }

    /// Whether there is an error among them.
    pub fn has_errors(&self) -> bool {
        self.0.iter().any(|diagnostic| matches!(diagnostic.severity, Severity::Error))
    }

    /// Each diagnostic as `severity CODE pointer: message`, for tests.
    pub fn lines(&self) -> Vec<String> {
        let word = |severity: &Severity| match severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Note => "note",
        };
        let line = |d: &wit::Diagnostic| format!("{} {} {}: {}", word(&d.severity), d.code, d.pointer, d.message);
        self.0.iter().map(line).collect()
    }

    fn push(&mut self, severity: Severity, document: Option<u32>, pointer: String, code: &str, message: String) {
        self.0.push(wit::Diagnostic { severity, code: code.into(), document, pointer, message, help: None });
    }

    #[doc(hidden)]
    pub fn into_wit(self) -> Vec<wit::Diagnostic> {
        self.0
    }
}
