//! What is wrong with manifests, or worth knowing, and how that is shown.
//!
//! Diagnostics are collected, never thrown: one pass finds everything. They know their place in a file and render
//! as rustc-style snippets, as one line each, or (through serde) as JSON.

use super::source::{Location, Source, Span};
use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};
use serde::Serialize;
use std::io::{self, Write};
use std::sync::Arc;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The configuration is refused.
    Error,
    /// It likely does not do what its author meant.
    Warning,
    /// Worth knowing.
    Note,
}

impl Severity {
    /// As it is printed.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
        }
    }

    fn level(self) -> Level<'static> {
        match self {
            Self::Error => Level::ERROR,
            Self::Warning => Level::WARNING,
            Self::Note => Level::NOTE,
        }
    }
}

/// Something that belongs to a diagnostic, such as the other of two places.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Related {
    /// What is there.
    pub message: String,
    /// Where it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub location: Option<Location>,
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// Stable, such as `SG0110`; see [`codes`](super::codes).
    pub code: String,
    /// What was found and what was expected.
    pub message: String,
    /// Where; absent when it is about no file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub location: Option<Location>,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    /// What belongs to it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<Related>,
}

impl Diagnostic {
    /// A finding without a place.
    pub fn new(severity: Severity, code: &str, message: impl Into<String>) -> Self {
        Self { severity, code: code.into(), message: message.into(), location: None, help: None, notes: Vec::new() }
    }

    /// An error without a place.
    pub fn error(code: &str, message: impl Into<String>) -> Self {
        Self::new(Severity::Error, code, message)
    }

    /// A warning without a place.
    pub fn warning(code: &str, message: impl Into<String>) -> Self {
        Self::new(Severity::Warning, code, message)
    }

    /// A note without a place.
    pub fn note(code: &str, message: impl Into<String>) -> Self {
        Self::new(Severity::Note, code, message)
    }

    /// Says where.
    #[must_use]
    pub fn at(mut self, location: Location) -> Self {
        self.location = Some(location);
        self
    }

    /// Says where, in a file that was read.
    #[must_use]
    pub fn in_source(self, source: &Arc<Source>, span: Span) -> Self {
        self.at(Location::new(source, span))
    }

    /// Says what to do.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Says what to do, where there is something to say.
    #[must_use]
    pub fn with_help(self, help: Option<impl Into<String>>) -> Self {
        match help {
            Some(help) => self.help(help),
            None => self,
        }
    }

    /// Adds what belongs to it.
    #[must_use]
    pub fn related(mut self, message: impl Into<String>, location: Option<Location>) -> Self {
        self.notes.push(Related { message: message.into(), location });
        self
    }

    /// Everything on one line: `file:line:column: error[SG0110]: message`.
    pub fn line(&self) -> String {
        let place = self.location.as_ref().map(|location| format!("{location}: ")).unwrap_or_default();
        format!("{place}{}[{}]: {}", self.severity.as_str(), self.code, self.message)
    }

    fn render(&self, renderer: &Renderer) -> String {
        let title = self.severity.level().primary_title(self.message.as_str()).id(self.code.as_str());
        let mut report = Vec::with_capacity(1 + self.notes.len());
        let mut group = place(Group::with_title(title), self.location.as_ref());
        if let Some(help) = &self.help {
            group = group.element(Level::HELP.message(help.as_str()));
        }
        report.push(group);
        for note in &self.notes {
            let title = Level::NOTE.secondary_title(note.message.as_str());
            report.push(place(Group::with_title(title), note.location.as_ref()));
        }
        renderer.render(&report)
    }
}

/// Adds the lines of the file that a location means, with the place underlined.
fn place<'a>(group: Group<'a>, location: Option<&'a Location>) -> Group<'a> {
    let Some(location) = location else { return group };
    let path = location.path.to_string_lossy();
    match &location.excerpt {
        Some((source, span)) => {
            let underlined = source.first_line(*span);
            let annotation = AnnotationKind::Primary.span(underlined.start..underlined.end);
            group.element(Snippet::source(source.text.as_str()).path(path).annotation(annotation))
        }
        None => group.element(Origin::path(path)),
    }
}

/// All findings of one pass.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Diagnostics(Vec<Diagnostic>);

impl Diagnostics {
    /// None.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds one.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        self.0.push(diagnostic);
    }

    /// Orders by file, line and column; what has no place comes last. Findings of one place keep their order.
    pub fn sort(&mut self) {
        self.0.sort_by(|a, b| {
            let key = |d: &Diagnostic| d.location.as_ref().map(|l| (Arc::clone(&l.path), l.line, l.column));
            key(a).is_none().cmp(&key(b).is_none()).then_with(|| key(a).cmp(&key(b)))
        });
    }

    /// How many there are of a severity.
    pub fn count(&self, severity: Severity) -> usize {
        self.0.iter().filter(|diagnostic| diagnostic.severity == severity).count()
    }

    /// Whether the configuration is refused.
    pub fn has_errors(&self) -> bool {
        self.count(Severity::Error) > 0
    }

    /// Whether there is nothing to say.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// One by one.
    pub fn iter(&self) -> std::slice::Iter<'_, Diagnostic> {
        self.0.iter()
    }

    /// Each on one line.
    pub fn lines(&self) -> Vec<String> {
        self.iter().map(Diagnostic::line).collect()
    }

    /// Such as `2 errors, 1 warning`; empty when there is nothing to say.
    pub fn summary(&self) -> String {
        let part = |severity: Severity| match self.count(severity) {
            0 => None,
            1 => Some(format!("1 {}", severity.as_str())),
            count => Some(format!("{count} {}s", severity.as_str())),
        };
        let parts = [Severity::Error, Severity::Warning, Severity::Note].into_iter().filter_map(part);
        parts.collect::<Vec<_>>().join(", ")
    }

    /// Writes each with its lines of the file, the place underlined, and an empty line after it.
    pub fn render(&self, writer: &mut dyn Write, color: bool) -> io::Result<()> {
        let renderer = if color { Renderer::styled() } else { Renderer::plain() };
        self.iter().try_for_each(|diagnostic| writeln!(writer, "{}\n", diagnostic.render(&renderer)))
    }
}

impl FromIterator<Diagnostic> for Diagnostics {
    fn from_iter<I: IntoIterator<Item = Diagnostic>>(diagnostics: I) -> Self {
        Self(diagnostics.into_iter().collect())
    }
}

impl Extend<Diagnostic> for Diagnostics {
    fn extend<T: IntoIterator<Item = Diagnostic>>(&mut self, diagnostics: T) {
        self.0.extend(diagnostics);
    }
}

impl IntoIterator for Diagnostics {
    type Item = Diagnostic;
    type IntoIter = std::vec::IntoIter<Diagnostic>;
    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'a> IntoIterator for &'a Diagnostics {
    type Item = &'a Diagnostic;
    type IntoIter = std::slice::Iter<'a, Diagnostic>;
    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn source(name: &str) -> Arc<Source> {
        Arc::new(Source::new(Path::new(name), "spec:\n  hots:\n  - shop\n".into()))
    }

    #[test]
    fn a_snippet_names_file_line_and_column_and_says_what_to_do() {
        let mut diagnostics = Diagnostics::new();
        let place = Span { start: 8, end: 12 };
        let other = Location::new(&source("a.yaml"), Span { start: 0, end: 4 });
        diagnostics.push(
            Diagnostic::error("SG0110", "unknown field `hots`")
                .in_source(&source("a.yaml"), place)
                .help("did you mean `hosts`?")
                .related("in this mapping", Some(other)),
        );
        let mut text = Vec::new();
        diagnostics.render(&mut text, false).unwrap();
        let expected = "error[SG0110]: unknown field `hots`\n --> a.yaml:2:3\n  |\n2 |   hots:\n  |   ^^^^\n  |\n  \
                        = help: did you mean `hosts`?\nnote: in this mapping\n --> a.yaml:1:1\n  |\n1 | spec:\n  | ^^^^\n\n";
        assert_eq!(String::from_utf8(text).unwrap(), expected);
    }

    #[test]
    fn findings_are_sorted_by_file_then_line_and_those_without_a_place_come_last() {
        let (a, b) = (source("a.yaml"), source("b.yaml"));
        let mut diagnostics = Diagnostics::new();
        diagnostics.push(Diagnostic::note("SG0001", "nowhere"));
        diagnostics.push(Diagnostic::warning("SG0001", "third").in_source(&b, Span::default()));
        diagnostics.push(Diagnostic::error("SG0001", "second").in_source(&a, Span { start: 8, end: 9 }));
        diagnostics.push(Diagnostic::error("SG0001", "first").in_source(&a, Span::default()));
        diagnostics.sort();
        let expected = [
            "a.yaml:1:1: error[SG0001]: first",
            "a.yaml:2:3: error[SG0001]: second",
            "b.yaml:1:1: warning[SG0001]: third",
            "note[SG0001]: nowhere",
        ];
        assert_eq!(diagnostics.lines(), expected);
        assert_eq!(diagnostics.summary(), "2 errors, 1 warning, 1 note");
    }

    #[test]
    fn json_carries_the_place_but_not_the_text() {
        let diagnostic = Diagnostic::error("SG0110", "no").in_source(&source("a.yaml"), Span { start: 8, end: 12 });
        let expected = serde_json::json!({
            "severity": "error", "code": "SG0110", "message": "no",
            "location": { "path": "a.yaml", "line": 2, "column": 3, "end": { "line": 2, "column": 7 } },
        });
        assert_eq!(serde_json::to_value(&diagnostic).unwrap(), expected);
    }
}
