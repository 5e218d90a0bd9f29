//! What a filter is configured with, and how it says what is wrong with that.

use crate::bindings::imports::sluicegate::filter::types as wit;
use serde::de::DeserializeOwned;

pub use crate::resource::{Resource, ResourceId};
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

/// Goes from one set of documents to the next without being built anew (hook `update`): for filters that may have thousands
/// of documents, of which one changes at a time.
pub trait Update: Configure {
    /// Takes documents out and others in; a document that has changed is in both lists. The filter then has to decide as
    /// one that is configured with all documents as they are now, in any order.
    ///
    /// Either all of it is done or nothing: whoever reports an error, or returns [`Updated::Afresh`], leaves the filter
    /// as it was. Report what is wrong with the documents that are added, and what is new about others.
    fn update(&mut self, removed: &[ResourceId], added: &[Resource], diagnostics: &mut Diagnostics) -> Updated;
}

/// What has become of an update.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Updated {
    /// It is done, or refused by an error among the diagnostics.
    Done,
    /// It cannot be done step by step: the host configures a fresh instance.
    Afresh,
}

/// What is wrong with a configuration, or worth knowing.
#[derive(Debug, Default)]
pub struct Diagnostics(Vec<wit::Diagnostic>);

impl Diagnostics {
    /// Refuses the configuration.
    pub fn error(
        &mut self,
        resource: impl Into<ResourceId>,
        pointer: impl Into<String>,
        code: &str,
        message: impl Into<String>,
    ) {
        self.push(Severity::Error, Some(resource.into().0), pointer.into(), code, message.into());
    }

    /// Something that likely does not do what the author meant.
    pub fn warning(
        &mut self,
        resource: impl Into<ResourceId>,
        pointer: impl Into<String>,
        code: &str,
        message: impl Into<String>,
    ) {
        self.push(Severity::Warning, Some(resource.into().0), pointer.into(), code, message.into());
    }

    /// Something worth knowing.
    pub fn note(
        &mut self,
        resource: impl Into<ResourceId>,
        pointer: impl Into<String>,
        code: &str,
        message: impl Into<String>,
    ) {
        self.push(Severity::Note, Some(resource.into().0), pointer.into(), code, message.into());
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
