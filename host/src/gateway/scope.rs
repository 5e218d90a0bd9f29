//! What reading Gateway documents works with.

use super::files::Files;
use super::plan::Memory;
use crate::manifest::endpoints::Kind;
use crate::manifest::schema::Schema;
use crate::manifest::{Diagnostic, Diagnostics, Document, Severity, codes};
use serde::de::DeserializeOwned;
use std::sync::{Arc, LazyLock};
use std::time::SystemTime;

/// A schema of the host's own, compiled at first use.
pub(super) type HostSchema = LazyLock<Result<Schema, Box<Diagnostic>>>;

pub(super) fn compile(owner: &str, text: &str) -> Result<Schema, Box<Diagnostic>> {
    // The text is a part of the program; the tests compile it.
    Schema::compile(owner, serde_json::from_str(text).unwrap_or_default())
}

/// All documents, and where findings go.
pub(super) struct Scope<'a> {
    pub(super) documents: &'a [Arc<Document>],
    pub(super) files: &'a mut Files,
    pub(super) memory: &'a mut Memory,
    pub(super) diagnostics: &'a mut Diagnostics,
    pub(super) now: SystemTime,
}

impl<'a> Scope<'a> {
    /// All documents of a kind that fit its schema, in the form that is read.
    pub(super) fn read<T: DeserializeOwned>(&mut self, kind: Kind, schema: &HostSchema) -> Vec<(&'a Document, T)> {
        let mut read = Vec::new();
        let documents: &'a [Arc<Document>] = self.documents;
        for document in documents.iter().filter(|document| kind.is_of(document)) {
            match &**schema {
                Ok(schema) if !schema.check(document, self.diagnostics) => continue,
                Ok(_) => {}
                Err(error) => self.diagnostics.push(Diagnostic::clone(error)),
            }
            match serde_json::from_value(document.value.clone()) {
                Ok(value) => read.push((&**document, value)),
                Err(error) => self.error(document, codes::WRONG_TYPE, "/spec", error.to_string(), None),
            }
        }
        read
    }

    pub(super) fn error(
        &mut self,
        document: &Document,
        code: &str,
        pointer: &str,
        message: impl Into<String>,
        help: Option<&str>,
    ) {
        self.report(Severity::Error, document, code, pointer, message.into(), help);
    }

    pub(super) fn warn(
        &mut self,
        document: &Document,
        code: &str,
        pointer: &str,
        message: impl Into<String>,
        help: Option<&str>,
    ) {
        self.report(Severity::Warning, document, code, pointer, message.into(), help);
    }

    fn report(
        &mut self,
        severity: Severity,
        document: &Document,
        code: &str,
        pointer: &str,
        message: String,
        help: Option<&str>,
    ) {
        let diagnostic = document.diagnostic(severity, code, pointer, message);
        self.diagnostics.push(match help {
            Some(help) => diagnostic.help(help),
            None => diagnostic,
        });
    }
}
