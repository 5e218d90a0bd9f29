//! What events have said since the last reading of the files, so that not all of them are read for a change of one, and a
//! file that came whole is not waited for.

use super::walk::Walk;
use super::watcher::absolute;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Paths that events have named.
#[derive(Debug, Default)]
pub(super) struct Touched(Mutex<Named>);

/// Some paths, or anything.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Named {
    everything: bool,
    /// Whether the last event of a path was that a file was renamed to it: such a file was written before it came.
    paths: HashMap<PathBuf, bool>,
}

impl Touched {
    /// Notes paths, and whether files were renamed to them.
    pub(super) fn add(&self, paths: impl IntoIterator<Item = PathBuf>, whole: bool) {
        self.lock().paths.extend(paths.into_iter().map(|path| (path, whole)));
    }

    /// Notes that any file may have changed.
    pub(super) fn add_everything(&self) {
        self.lock().everything = true;
    }

    /// What was noted since it was taken.
    pub(super) fn noted(&self) -> Named {
        self.lock().clone()
    }

    /// What was noted since the last time.
    pub(super) fn take(&self) -> Named {
        std::mem::take(&mut *self.lock())
    }

    fn lock(&self) -> MutexGuard<'_, Named> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Named {
    /// The same with paths as looks name them, and told apart: where one may stand for a file by another name, such as
    /// behind a link, any file may have changed.
    pub(super) fn sorted_out(mut self, roots: &[&Path], walks: &[Walk]) -> Self {
        let roots: Vec<(&Path, PathBuf)> = roots.iter().map(|root| (*root, absolute(root))).collect();
        let renamed = |path: PathBuf| {
            let below = roots.iter().find_map(|(root, whole)| Some((root, path.strip_prefix(whole).ok()?)));
            match below {
                Some((root, rest)) if rest.as_os_str().is_empty() => root.to_path_buf(),
                Some((root, rest)) => root.join(rest),
                None => path,
            }
        };
        self.paths = self.paths.into_iter().map(|(path, whole)| (renamed(path), whole)).collect();
        let known = |path: &PathBuf| {
            let beside = |walk: &Walk| {
                // Only the root itself counts as a link where there is none.
                walk.links.len() < 2 && path.parent().is_some_and(|parent| walk.directories.contains_key(parent))
            };
            walks.iter().any(|walk| walk.files.contains_key(path) || beside(walk))
        };
        self.everything |= !self.paths.keys().all(known);
        self
    }

    /// Whether a file may have changed.
    pub(super) fn names(&self, path: &Path) -> bool {
        self.everything || self.paths.contains_key(path)
    }

    /// Whether a file was renamed to a path, and nothing happened to it since.
    pub(super) fn came_whole(&self, path: &Path) -> bool {
        !self.everything && self.paths.get(path) == Some(&true)
    }
}

#[cfg(test)]
mod tests {
    use super::super::walk::walk;
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    fn named(root: &Path, names: &[&str]) -> impl Fn(&str) -> bool {
        let touched = Touched::default();
        touched.add(names.iter().map(|name| root.join(name)), false);
        let (root, found) = (root.to_owned(), touched.take().sorted_out(&[root], &[walk(root, &["yaml"])]));
        move |name| found.names(&root.join(name))
    }

    #[test]
    fn a_file_is_read_again_when_it_is_named() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("a.yaml"), "one").unwrap();
        let named = named(directory.path(), &["a.yaml", ".a.yaml.swp", "gone.yaml"]);
        assert!(named("a.yaml") && !named("b.yaml"));
    }

    #[test]
    fn a_file_that_was_renamed_into_place_came_whole_until_something_else_happens_to_it() {
        let touched = Touched::default();
        let (a, b) = (PathBuf::from("/f/a.wasm"), PathBuf::from("/f/b.wasm"));
        touched.add([b.clone()], false);
        touched.add([a.clone(), b.clone()], true);
        let noted = touched.noted();
        assert!(noted.came_whole(&a) && noted.came_whole(&b) && !noted.came_whole(Path::new("/f/c.wasm")));
        touched.add([a.clone()], false);
        assert!(!touched.noted().came_whole(&a), "it is written to after it was renamed");
        assert!(touched.noted().came_whole(&b));
        touched.add_everything();
        assert!(!touched.take().came_whole(&b));
        assert!(!touched.noted().names(&a), "what is taken is not noted any more");
    }

    #[test]
    fn every_file_is_read_again_when_a_name_may_stand_for_another() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().join("root");
        fs::create_dir_all(&root).unwrap();
        fs::write(directory.path().join("real.yaml"), "one").unwrap();
        symlink("../real.yaml", root.join("a.yaml")).unwrap();
        assert!(named(&root, &["../real.yaml"])("a.yaml"));
        assert!(!named(&root, &[])("a.yaml"));
    }
}
