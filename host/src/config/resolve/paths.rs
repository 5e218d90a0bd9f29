//! Paths: what the file writes is relative to the file, what a flag says to the working directory.

use super::merge::{Merge, Written};
use crate::config::file::Text;
use crate::config::problem::Origin;
use std::path::{Path, PathBuf};

/// What a path is to lead to.
#[derive(Debug, Clone, Copy)]
pub(super) enum Expected {
    File,
    Directory,
    FileOrDirectory,
}

impl Merge<'_> {
    pub(super) fn directory(
        &mut self,
        flag: Option<String>,
        name: &'static str,
        file: Option<Text>,
    ) -> Option<PathBuf> {
        let written = self.pick(flag, name, file)?;
        self.existing(written, Expected::Directory)
    }

    pub(super) fn manifests(&mut self, flags: Vec<String>, file: Option<Vec<Text>>) -> Vec<PathBuf> {
        let written = self.pick_all(flags, "--manifests", file);
        written.into_iter().filter_map(|one| self.existing(one, Expected::FileOrDirectory)).collect()
    }

    pub(super) fn files(&mut self, flags: Vec<String>, name: &'static str, file: Option<Vec<Text>>) -> Vec<PathBuf> {
        let written = self.pick_all(flags, name, file);
        written.into_iter().filter_map(|one| self.existing(one, Expected::File)).collect()
    }

    /// Where something is to be that need not be there yet.
    pub(super) fn place(&mut self, flag: Option<String>, name: &'static str, file: Option<Text>) -> Option<PathBuf> {
        let written = self.pick(flag, name, file)?;
        Some(self.beside(&written))
    }

    /// What is there and is what was expected.
    pub(super) fn existing(&mut self, written: Written, expected: Expected) -> Option<PathBuf> {
        let path = self.beside(&written);
        let (is_right, what) = match expected {
            Expected::File => (path.is_file(), "file"),
            Expected::Directory => (path.is_dir(), "directory"),
            Expected::FileOrDirectory => (path.exists(), "directory"),
        };
        if is_right {
            return Some(path);
        }
        let message = if path.exists() {
            format!("`{}` is not a {what}", path.display())
        } else {
            format!("there is no {what} `{}`", path.display())
        };
        self.problems.add(written.origin, message, None);
        None
    }

    fn beside(&self, written: &Written) -> PathBuf {
        let base = self.path.parent().filter(|_| matches!(written.origin, Origin::File { .. }));
        base.unwrap_or(Path::new("")).join(&written.text)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::load;
    use crate::config::Flags;

    #[test]
    fn paths_of_the_file_are_relative_to_the_file() {
        let settings = load("manifests: [mine]\nfilters: mine\n", Flags::default()).unwrap();
        assert!(settings.manifests[0].is_absolute() && settings.manifests[0].ends_with("mine"));
        assert_eq!(settings.filters.as_ref(), settings.manifests.first());
    }
}
