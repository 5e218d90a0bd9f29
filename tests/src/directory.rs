//! A directory that the proxy watches, and the ways in which people change one.

use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// A directory of manifests or filters; it is removed when it is dropped.
#[derive(Debug)]
pub struct Directory(TempDir);

impl Directory {
    /// An empty one.
    pub fn new() -> Self {
        Self(TempDir::new().expect("a temporary directory can be made"))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// A file in it, whether or not there is one.
    pub fn file(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    /// Writes a file in place, as a shell redirection does.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        fs::write(self.file(name), content).expect("a file can be written");
    }

    /// Writes a file beside and renames it into place, as editors do.
    pub fn replace(&self, name: &str, content: impl AsRef<[u8]>) {
        let beside = self.file(&format!(".{name}.new"));
        fs::write(&beside, content).expect("a file can be written");
        fs::rename(beside, self.file(name)).expect("a file can be renamed");
    }

    /// Writes the first half of a file and leaves it so, as a copy that is still under way.
    pub fn write_half(&self, name: &str, content: impl AsRef<[u8]>) {
        let content = content.as_ref();
        self.write(name, content.get(..content.len() / 2).unwrap_or_default());
    }

    /// All files in it, and below, in bytes.
    pub fn size(&self) -> u64 {
        let (mut left, mut sum) = (vec![self.path().to_owned()], 0);
        while let Some(path) = left.pop() {
            for entry in fs::read_dir(path).expect("a directory").flatten() {
                let metadata = entry.metadata().expect("it is there");
                if metadata.is_dir() { left.push(entry.path()) } else { sum += metadata.len() }
            }
        }
        sum
    }

    /// Renames a file.
    pub fn rename(&self, from: &str, to: &str) {
        fs::rename(self.file(from), self.file(to)).expect("a file can be renamed");
    }

    /// Removes a file.
    pub fn remove(&self, name: &str) {
        fs::remove_file(self.file(name)).expect("a file can be removed");
    }

    /// Puts a new set of files in place at once, as a mounted Kubernetes ConfigMap does: each visible file is a link
    /// through `..data`, and `..data` is a link to the set, swapped by rename.
    pub fn swap(&self, set: &str, files: &[(&str, &[u8])]) {
        let directory = self.file(&format!("..{set}"));
        fs::create_dir_all(&directory).expect("a directory can be made");
        for (name, content) in files {
            fs::write(directory.join(name), content).expect("a file can be written");
        }
        let beside = self.file("..data_tmp");
        std::os::unix::fs::symlink(format!("..{set}"), &beside).expect("a link can be made");
        fs::rename(beside, self.file("..data")).expect("a link can be renamed");
        for (name, _) in files {
            let link = self.file(name);
            if !link.exists() {
                std::os::unix::fs::symlink(Path::new("..data").join(name), link).expect("a link can be made");
            }
        }
    }
}

impl Default for Directory {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replaced_file_leaves_nothing_beside_it() {
        let directory = Directory::new();
        directory.write("a.yaml", "one");
        directory.replace("a.yaml", "two");
        assert_eq!(fs::read_to_string(directory.file("a.yaml")).unwrap(), "two");
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_swap_changes_every_file_through_one_link() {
        let directory = Directory::new();
        directory.swap("first", &[("a.yaml", b"1"), ("b.yaml", b"1")]);
        directory.swap("second", &[("a.yaml", b"2"), ("b.yaml", b"2")]);
        for name in ["a.yaml", "b.yaml"] {
            assert_eq!(fs::read_to_string(directory.file(name)).unwrap(), "2");
            assert!(fs::symlink_metadata(directory.file(name)).unwrap().is_symlink());
        }
    }

    #[test]
    fn half_a_file_is_half_a_file() {
        let directory = Directory::new();
        directory.write_half("a.yaml", "123456");
        assert_eq!(fs::read_to_string(directory.file("a.yaml")).unwrap(), "123");
    }
}
