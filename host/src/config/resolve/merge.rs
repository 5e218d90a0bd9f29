//! Which of two places a value is taken from, and where it was written.

use crate::config::file::Text;
use crate::config::problem::{Mistake, Origin, Problems};
use std::path::Path;

/// One value with where it was written.
pub(super) struct Written {
    pub(super) text: String,
    pub(super) origin: Origin,
}

/// Takes values from flags or the file, and notes those that cannot be used.
pub(super) struct Merge<'a> {
    pub(super) path: &'a Path,
    pub(super) problems: Problems,
}

impl Merge<'_> {
    /// A value of which there is one; none when nobody gives it, or it cannot be understood.
    pub(super) fn one<T>(
        &mut self,
        flag: Option<String>,
        name: &'static str,
        file: Option<Text>,
        parse: fn(&str) -> Result<T, Mistake>,
    ) -> Option<T> {
        let written = self.pick(flag, name, file)?;
        self.problems.keep(&written.origin, parse(&written.text))
    }

    /// The same for what only the file gives.
    pub(super) fn written<T>(&mut self, file: Option<Text>, parse: fn(&str) -> Result<T, Mistake>) -> Option<T> {
        self.one(None, "", file, parse)
    }

    /// Values that a flag or the file lists.
    pub(super) fn all<T>(
        &mut self,
        flags: Vec<String>,
        name: &'static str,
        file: Option<Vec<Text>>,
        parse: fn(&str) -> Result<T, Mistake>,
    ) -> Vec<T> {
        let written = self.pick_all(flags, name, file);
        written.into_iter().filter_map(|one| self.problems.keep(&one.origin, parse(&one.text))).collect()
    }

    /// The flag, else what the file says.
    pub(super) fn pick(&self, flag: Option<String>, name: &'static str, file: Option<Text>) -> Option<Written> {
        let flag = flag.map(|text| Written { text, origin: Origin::Flag(name) });
        flag.or_else(|| file.map(|text| self.written_in_file(text)))
    }

    /// The flags, else what the file lists.
    pub(super) fn pick_all(&self, flags: Vec<String>, name: &'static str, file: Option<Vec<Text>>) -> Vec<Written> {
        if flags.is_empty() {
            return file.unwrap_or_default().into_iter().map(|text| self.written_in_file(text)).collect();
        }
        flags.into_iter().map(|text| Written { text, origin: Origin::Flag(name) }).collect()
    }

    pub(super) fn written_in_file(&self, text: Text) -> Written {
        let (line, column) = (text.referenced.line(), text.referenced.column());
        Written { text: text.value, origin: Origin::File { file: self.path.to_owned(), line, column } }
    }
}
