//! A file's text, and places in it.
//!
//! Offsets are bytes from the start of the file; lines and columns are for people: both count from 1, columns in
//! characters.

use serde::Serialize;
use std::path::Path;
use std::sync::Arc;

/// A range of a file's text. Both ends lie on character boundaries inside the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Span {
    /// The first byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
}

/// A line and a column, both from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Position {
    /// The line.
    pub line: usize,
    /// The column, in characters.
    pub column: usize,
}

/// A file that was read.
#[derive(Debug, PartialEq, Eq)]
pub struct Source {
    /// As the user named its directory, and the way down from there.
    pub path: Arc<Path>,
    /// The whole text.
    pub text: String,
    /// Where each line starts.
    lines: Vec<usize>,
    /// Whether its text is kept out of messages.
    secret: bool,
}

impl Source {
    /// A file with this text.
    pub fn new(path: impl Into<Arc<Path>>, text: String) -> Self {
        let lines = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        let secret = may_hold_secrets(&text);
        Self { path: path.into(), text, lines, secret }
    }

    /// The line and column of a byte. Offsets behind the end mean the end.
    pub fn position(&self, offset: usize) -> Position {
        let offset = self.floor(offset);
        let line = self.lines.partition_point(|start| *start <= offset);
        let start = self.lines.get(line.saturating_sub(1)).copied().unwrap_or(0);
        let column = self.text.get(start..offset).unwrap_or("").chars().count() + 1;
        Position { line: line.max(1), column }
    }

    /// The text of a span.
    pub fn slice(&self, span: Span) -> &str {
        self.text.get(span.start..span.end).unwrap_or("")
    }

    /// The span cut to its first line, which is what one can underline; at least one character wide where there is one.
    pub fn first_line(&self, span: Span) -> Span {
        let start = self.floor(span.start);
        let rest = self.text.get(start..).unwrap_or("");
        let line = rest.find(['\n', '\r']).unwrap_or(rest.len());
        let one = rest.chars().next().map_or(0, char::len_utf8);
        let width = span.end.saturating_sub(start).max(one).min(line);
        Span { start, end: self.floor(start + width) }
    }

    /// The nearest character boundary at or before an offset.
    fn floor(&self, offset: usize) -> usize {
        let mut offset = offset.min(self.text.len());
        while !self.text.is_char_boundary(offset) {
            offset -= 1;
        }
        offset
    }
}

/// Whether there may be a Secret with data in a text. It may be broken, so this goes by the words alone.
fn may_hold_secrets(text: &str) -> bool {
    let is_data = |(at, _): (usize, &str)| {
        // Every document has `metadata`.
        !text.get(..at).is_some_and(|before| before.ends_with(|last: char| last.is_ascii_alphanumeric()))
    };
    text.contains("Secret") && (text.contains("stringData") || text.match_indices("data").any(is_data))
}

/// A place in a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Location {
    /// The file.
    pub path: Arc<Path>,
    /// The line, from 1.
    pub line: usize,
    /// The column, from 1, in characters.
    pub column: usize,
    /// One past the last character.
    pub end: Position,
    /// What to show of it; absent where the file could not be read.
    #[serde(skip)]
    pub excerpt: Option<(Arc<Source>, Span)>,
}

impl Location {
    /// A place in a file that was read. Nothing of a file with a Secret in it is shown.
    pub fn new(source: &Arc<Source>, span: Span) -> Self {
        let Position { line, column } = source.position(span.start);
        Self {
            path: Arc::clone(&source.path),
            line,
            column,
            end: source.position(span.end),
            excerpt: (!source.secret).then(|| (Arc::clone(source), span)),
        }
    }

    /// A file as a whole, such as one that cannot be read.
    pub fn file(path: &Path) -> Self {
        let start = Position { line: 1, column: 1 };
        Self { path: path.into(), line: 1, column: 1, end: start, excerpt: None }
    }
}

impl std::fmt::Display for Location {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}:{}:{}", self.path.display(), self.line, self.column)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_characters_and_lines_count_from_one() {
        let source = Source::new(Path::new("a.yaml"), "é: x\r\nb: ü\n".into());
        assert_eq!(source.position(0), Position { line: 1, column: 1 });
        assert_eq!(source.position(4), Position { line: 1, column: 4 });
        assert_eq!(source.position(10), Position { line: 2, column: 4 });
        assert_eq!(source.position(999), Position { line: 3, column: 1 });
    }

    #[test]
    fn a_file_with_a_secret_in_it_is_not_shown() {
        let shown = |text: &str| {
            let source = Arc::new(Source::new(Path::new("a.yaml"), text.into()));
            Location::new(&source, Span::default()).excerpt.is_some()
        };
        assert!(!shown("kind: Secret\nmetadata: {name: a}\ndata: {tls.key: c2VjcmV0}\n"));
        assert!(!shown(r#"{"kind":"Secret","metadata":{"name":"a"},"stringData":{"tls.key":"secret"}}"#));
        assert!(!shown("kind: Secret\nmetadata: {name: a}\ndata: [\n"));
        assert!(shown("kind: Gateway\nmetadata: {name: a}\nspec: {certificateRefs: [{kind: Secret, name: a}]}\n"));
        assert!(shown("kind: ConfigMap\nmetadata: {name: a}\ndata: {a: b}\n"));
    }

    #[test]
    fn the_first_line_of_a_span_never_takes_in_the_line_end() {
        let source = Source::new(Path::new("a.yaml"), "ab\r\ncd".into());
        assert_eq!(source.slice(source.first_line(Span { start: 0, end: 6 })), "ab");
        assert_eq!(source.slice(source.first_line(Span { start: 4, end: 4 })), "c");
        assert_eq!(source.first_line(Span { start: 6, end: 6 }), Span { start: 6, end: 6 });
    }
}
