//! Printing: tables, JSON, and text that filters wrote.

use anyhow::Context;
use serde::Serialize;
use sluicegate::admin::view::DiagnosticStatus;
use std::borrow::Cow;
use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write};

/// Whoever reads standard output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reader {
    /// It may read on.
    There,
    /// It has seen enough, as `head` has at some time: nobody gets what else is printed.
    Gone,
}

/// Prints to standard output. A reader that has seen enough, such as `head`, is no error.
pub(crate) fn text(text: &str) -> anyhow::Result<()> {
    follow(text).map(drop)
}

/// Prints to standard output what more is to come after, and says whether anybody reads it.
pub(crate) fn follow(text: &str) -> anyhow::Result<Reader> {
    with(|output| output.write_all(text.as_bytes()))
}

/// Prints as JSON.
pub(crate) fn json(value: &impl Serialize) -> anyhow::Result<()> {
    let mut printed = serde_json::to_string_pretty(value).context("this cannot be written as JSON")?;
    printed.push('\n');
    text(&printed)
}

/// Lets `write` print to standard output. A reader that has seen enough is no error.
pub(crate) fn with(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> anyhow::Result<Reader> {
    let mut output = io::BufWriter::new(io::stdout().lock());
    match write(&mut output).and_then(|()| output.flush()) {
        Ok(()) => Ok(Reader::There),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(Reader::Gone),
        Err(error) => Err(error).context("standard output"),
    }
}

/// Whether colours are wanted.
pub(crate) fn is_colored() -> bool {
    io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none()
}

/// Rows under headings, in columns as wide as their widest cell.
pub(crate) fn table(headings: &[&str], rows: &[Vec<String>]) -> String {
    let rows: Vec<Vec<String>> =
        rows.iter().map(|row| row.iter().map(|cell| harmless(cell).into_owned()).collect()).collect();
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
        cells.chain(headings.get(column).map(|heading| heading.len())).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..headings.len()).map(width).collect();
    let line = |cells: &mut dyn Iterator<Item = &str>| {
        let padded: Vec<String> = cells.zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        format!("{}\n", padded.join("  ").trim_end())
    };
    let head = line(&mut headings.iter().copied());
    rows.iter().fold(head, |table, row| table + &line(&mut row.iter().map(String::as_str)))
}

/// Findings, each on a line with its place, and below it what to do.
pub(crate) fn write_diagnostics(diagnostics: &[DiagnosticStatus], text: &mut String) {
    for diagnostic in diagnostics {
        let place = if diagnostic.origin.is_empty() { String::new() } else { format!("{}: ", diagnostic.origin) };
        let finding = format!("{place}{}[{}]: {}", diagnostic.severity, diagnostic.code, diagnostic.message);
        // Writing into memory cannot fail.
        let _ = writeln!(text, "  {}", harmless(&finding));
        if let Some(help) = &diagnostic.help {
            let _ = writeln!(text, "    help: {}", harmless(help));
        }
    }
}

/// Text of filters and clients without what a terminal would obey.
pub(crate) fn harmless(text: &str) -> Cow<'_, str> {
    if text.chars().any(char::is_control) {
        return text.chars().map(|character| if character.is_control() { '\u{fffd}' } else { character }).collect();
    }
    Cow::Borrowed(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = vec![vec!["auth".into(), "1".into()], vec!["a-long-name".into(), "22".into()]];
        assert_eq!(table(&["NAME", "VERSION"], &rows), "NAME         VERSION\nauth         1\na-long-name  22\n");
    }

    #[test]
    fn a_filter_cannot_talk_to_the_terminal() {
        assert_eq!(harmless("\x1b[2Jhi\n"), "\u{fffd}[2Jhi\u{fffd}");
        assert!(!table(&["A"], &[vec!["\x1b[31m".into()]]).contains('\x1b'));
    }
}
