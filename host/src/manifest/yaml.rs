//! Text to values with places: reads a file of YAML 1.2 (and so of JSON) document by document.
//!
//! A document with a syntax error is skipped up to the next line of three dashes, so that one bad document hides
//! nothing else. Aliases are expanded within a bound. Merge keys, which YAML 1.2 does not have, are refused.

use super::build::Builder;
use super::codes;
use super::diagnostic::{Diagnostic, Diagnostics};
use super::node::Node;
use super::source::{Source, Span};
use saphyr_parser::{Event, Parser};
use std::sync::Arc;

/// Deeper than any manifest, shallow enough for every recursion over the values, and half of what the JSON readers of
/// filters allow.
pub const MAX_DEPTH: usize = 64;
/// Values of one file, those of expanded aliases included: ten times the largest bundles in use.
pub const MAX_NODES: usize = 500_000;
/// Documents of one file that may be broken before the rest of it is not looked at: each costs another start.
const MAX_SYNTAX_ERRORS: usize = 50;

/// Reads all documents of a file; empty ones are left out.
pub fn parse(source: &Arc<Source>, diagnostics: &mut Diagnostics) -> Vec<Node> {
    let mut documents = Vec::new();
    let mut nodes = 0;
    // A byte order mark is no content.
    let mut start = if source.text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
    for _ in 0..MAX_SYNTAX_ERRORS {
        let stopped = Section::new(source, start).read(&mut documents, &mut nodes, diagnostics);
        match stopped.and_then(|at| next_document(&source.text, start, at)) {
            Some(next) if nodes <= MAX_NODES => start = next,
            _ => break,
        }
    }
    documents
}

/// The first line at or after an error, and after the start of its section, that begins with three dashes.
fn next_document(text: &str, start: usize, error: usize) -> Option<usize> {
    let from = error.saturating_sub(1).max(start);
    let bytes = text.as_bytes();
    memchr::memmem::find_iter(bytes.get(from..)?, b"\n---")
        .map(|at| from + at + 1)
        .find(|at| bytes.get(at + 3).is_none_or(u8::is_ascii_whitespace))
}

/// The part of a file from a given offset on.
struct Section<'a> {
    source: &'a Arc<Source>,
    start: usize,
    offsets: Offsets,
}

impl<'a> Section<'a> {
    fn new(source: &'a Arc<Source>, start: usize) -> Self {
        let offsets = Offsets::new(source.text.get(start..).unwrap_or(""), start);
        Self { source, start, offsets }
    }

    /// Reads to the end, or to the first error, whose offset it returns.
    fn read(&self, documents: &mut Vec<Node>, nodes: &mut usize, diagnostics: &mut Diagnostics) -> Option<usize> {
        let source = self.source;
        let text = source.text.get(self.start..).unwrap_or("");
        let mut parser = Parser::new_from_str(text);
        let mut builder = Builder::new(source, nodes);
        while let Some(event) = parser.next_event() {
            let (event, span) = match event {
                Ok((Event::StreamEnd, _)) => return None,
                Ok(event) => event,
                Err(error) => {
                    let at = self.offsets.byte(error.marker().index());
                    diagnostics.push(syntax_error(source, at, error.info()));
                    return Some(at);
                }
            };
            let span = Span { start: self.offsets.byte(span.start.index()), end: self.offsets.byte(span.end.index()) };
            match builder.event(event, span, diagnostics) {
                Ok(Some(document)) => documents.push(document),
                Ok(None) => {}
                Err(too_much) => {
                    diagnostics.push(*too_much);
                    return Some(span.start);
                }
            }
        }
        None
    }
}

/// Words the reader's error for people, and says what most often causes it.
fn syntax_error(source: &Arc<Source>, at: usize, info: &str) -> Diagnostic {
    if info.contains("recursion limit") {
        return too_deep(source, Span { start: at, end: at });
    }
    let help = match info {
        _ if info.contains("tab") => Some("indent with spaces; YAML does not allow tabs there"),
        _ if info.contains("mapping values are not allowed") => {
            Some("check the indentation, and quote a value that holds a colon and a space")
        }
        _ if info.contains("unknown anchor") => Some("an alias needs an anchor before it in the same document"),
        _ if info.contains("simple key") || info.contains("did not find expected") => {
            Some("check the indentation of this line and the one above, and that quotes and brackets are closed")
        }
        _ => None,
    };
    let diagnostic = Diagnostic::error(codes::SYNTAX, format!("not valid YAML: {info}"));
    let diagnostic = diagnostic.in_source(source, Span { start: at, end: at });
    match help {
        Some(help) => diagnostic.help(help),
        None => diagnostic,
    }
}

pub(super) fn too_deep(source: &Arc<Source>, span: Span) -> Diagnostic {
    let message = format!("values are nested more than {MAX_DEPTH} levels deep");
    Diagnostic::error(codes::TOO_DEEP, message).in_source(source, span)
}

/// Turns the reader's offsets, which count characters, into bytes of the file.
struct Offsets {
    base: usize,
    length: usize,
    /// Where each character starts; absent when every character is one byte.
    characters: Option<Vec<usize>>,
}

impl Offsets {
    fn new(text: &str, base: usize) -> Self {
        let characters = (!text.is_ascii()).then(|| text.char_indices().map(|(at, _)| at).collect());
        Self { base, length: text.len(), characters }
    }

    fn byte(&self, character: usize) -> usize {
        let offset = match &self.characters {
            Some(characters) => characters.get(character).copied().unwrap_or(self.length),
            None => character.min(self.length),
        };
        self.base + offset
    }
}
