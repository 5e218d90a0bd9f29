//! What reading Gateway documents works with.

use super::files::Files;
use super::plan::Memory;
use crate::manifest::endpoints::Kind;
use crate::manifest::{Diagnostics, Document, Severity};
use crate::telemetry::metrics::CertificateFigures;
use serde::de::DeserializeOwned;
use std::sync::Arc;
use std::time::SystemTime;

pub(super) use crate::manifest::endpoints::{HostSchema, compile};

/// All documents, and where findings go.
pub(super) struct Scope<'a> {
    pub(super) documents: &'a [Arc<Document>],
    pub(super) files: &'a mut Files,
    pub(super) memory: &'a mut Memory,
    pub(super) diagnostics: &'a mut Diagnostics,
    pub(super) now: SystemTime,
    /// The certificates that clients are shown.
    pub(super) certificates: Vec<CertificateFigures>,
}

impl<'a> Scope<'a> {
    /// All documents of a kind that fit its schema, in the form that is read.
    pub(super) fn read<T: DeserializeOwned>(&mut self, kind: Kind, schema: &HostSchema) -> Vec<(&'a Document, T)> {
        kind.read(self.documents, schema, self.diagnostics)
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
        self.diagnostics.push(diagnostic.with_help(help));
    }
}
