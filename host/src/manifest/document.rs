//! One document: what it is, its value as JSON, and the place of every part of it.

use super::diagnostic::{Diagnostic, Severity};
use super::node::{Found, Node};
use super::source::{Location, Source, Span};
use serde_json::Value;
use std::sync::Arc;

/// A document whose header is complete.
#[derive(Debug)]
pub struct Document {
    /// The file it stands in.
    pub source: Arc<Source>,
    /// Which document of the file it is, from 0; items of lists count one by one.
    pub index: usize,
    /// As written, such as `networking.istio.io/v1`.
    pub api_version: String,
    /// The group; empty for the core group.
    pub group: String,
    /// The version, such as `v1`.
    pub version: String,
    /// Such as `VirtualService`.
    pub kind: String,
    /// The namespace; the default one where the document gives none.
    pub namespace: String,
    /// The name.
    pub name: String,
    /// The whole document. For an item of a list, the item.
    pub value: Value,
    /// The same with places.
    pub(super) root: Node,
}

impl Document {
    /// The place that a JSON pointer (RFC 6901) into the document means: the value, but the key where the value is a
    /// list, a mapping or empty. A pointer to something that is missing means the nearest parent that exists.
    pub fn span_of(&self, pointer: &str) -> Span {
        match self.find(pointer) {
            // The document as a whole, or its root for want of anything nearer: what it is says more than line one.
            Found { key: None, .. } if self.is_root(pointer) => self.header_span(),
            found => found.place(),
        }
    }

    /// The place of the key of the value that a JSON pointer means; of the value where it has no key.
    pub fn key_span_of(&self, pointer: &str) -> Span {
        let found = self.find(pointer);
        found.key.filter(|_| found.complete).unwrap_or_else(|| self.span_of(pointer))
    }

    /// The place of a JSON pointer for messages.
    pub fn location_of(&self, pointer: &str) -> Location {
        Location::new(&self.source, self.span_of(pointer))
    }

    /// A finding at the place of a JSON pointer.
    pub fn diagnostic(&self, severity: Severity, code: &str, pointer: &str, message: impl Into<String>) -> Diagnostic {
        Diagnostic::new(severity, code, message).in_source(&self.source, self.span_of(pointer))
    }

    /// Whether it is of this group and kind, in any version.
    pub fn is(&self, group: &str, kind: &str) -> bool {
        self.group == group && self.kind == kind
    }

    /// `file:line` of its first line.
    pub fn origin(&self) -> String {
        let line = self.source.position(self.root.span.start).line;
        format!("{}:{line}", self.source.path.display())
    }

    /// Such as `VirtualService default/shop`.
    pub fn label(&self) -> String {
        format!("{} {}/{}", self.kind, self.namespace, self.name)
    }

    fn find(&self, pointer: &str) -> Found<'_> {
        self.root.find(pointer)
    }

    fn is_root(&self, pointer: &str) -> bool {
        std::ptr::eq(self.find(pointer).node, &raw const self.root)
    }

    fn header_span(&self) -> Span {
        self.root.field("kind").map_or(self.root.span, |kind| kind.span)
    }
}
