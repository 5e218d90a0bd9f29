//! Says what is wrong with a document, and where.

pub use sluicegate_sdk::Place;

use sluicegate_sdk::{Diagnostics, ResourceId};

/// Collects the diagnostics of one document.
#[derive(Debug)]
pub struct Report<'a> {
    resource: ResourceId,
    diagnostics: &'a mut Diagnostics,
}

impl<'a> Report<'a> {
    /// A report on a document.
    pub fn new(resource: impl Into<ResourceId>, diagnostics: &'a mut Diagnostics) -> Self {
        Self { resource: resource.into(), diagnostics }
    }

    /// Refuses the configuration; `help` says what to do.
    pub fn error(&mut self, place: &Place, code: &str, message: impl Into<String>, help: impl Into<String>) {
        self.diagnostics.error(self.resource, place, code, message);
        self.diagnostics.help(help);
    }

    /// Something that likely does not do what the author meant.
    pub fn warning(&mut self, place: &Place, code: &str, message: impl Into<String>, help: impl Into<String>) {
        self.diagnostics.warning(self.resource, place, code, message);
        self.diagnostics.help(help);
    }

    /// Something worth knowing.
    pub fn note(&mut self, place: &Place, code: &str, message: impl Into<String>, help: impl Into<String>) {
        self.diagnostics.note(self.resource, place, code, message);
        self.diagnostics.help(help);
    }

    /// Tells that a field is accepted without effect.
    pub fn no_effect(&mut self, place: &Place, field: &str, what_happens: &str) {
        let message = format!("`{field}` has no effect yet: {what_happens}");
        self.note(place, crate::code::NO_EFFECT, message, "leave it in place if other proxies read the file too");
    }
}
