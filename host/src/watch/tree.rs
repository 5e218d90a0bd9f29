//! The files of a directory, each read once, so that what was hashed is what gets loaded.
//!
//! Entries whose names begin with a dot are left out; symbolic links are followed. That is just right for mounted
//! ConfigMaps, where `..data` leads to the current version and `name.yaml` is a link into it.

use super::walk::{Stamp, Walk, walk};
use crate::config::limits::COMPONENT_SIZE;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

/// A file as it was at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// The content.
    pub bytes: Arc<[u8]>,
    /// SHA-256 of the content.
    pub hash: [u8; 32],
    /// When it was last written.
    pub modified: SystemTime,
}

/// All files of a directory with certain extensions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tree {
    /// The directory, or the one file.
    pub root: PathBuf,
    /// By path, which begins with the root's.
    pub files: BTreeMap<PathBuf, File>,
    /// What could not be read, and why.
    pub failures: BTreeMap<PathBuf, String>,
}

impl Tree {
    /// Reads all files below a directory whose extension is one of these (without dot, lower case). A root that is a
    /// file itself is read whatever its extension. What cannot be read is found in [`Tree::failures`].
    pub fn scan(root: &Path, extensions: &[&str]) -> Self {
        Self::read(root, &walk(root, extensions), |_, _| None)
    }

    /// Reads the files that a look has found, but those that `known` has.
    pub(super) fn read(root: &Path, walk: &Walk, known: impl Fn(&Path, &Stamp) -> Option<File>) -> Self {
        let mut tree = Self { root: root.into(), files: BTreeMap::new(), failures: walk.failures.clone() };
        for (path, stamp) in &walk.files {
            match known(path, stamp).map_or_else(|| read(path, *stamp), Ok) {
                Ok(file) => drop(tree.files.insert(path.clone(), file)),
                // Gone since the walk: the next look at the directory will see it so.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => drop(tree.failures.insert(path.clone(), error.to_string())),
            }
        }
        tree
    }

    /// Whether two scans found the same files with the same content, whatever their times.
    pub fn same_content(&self, other: &Self) -> bool {
        let same = |((path, file), (other_path, other)): ((&PathBuf, &File), (&PathBuf, &File))| {
            file.hash == other.hash && path == other_path
        };
        self.failures == other.failures
            && self.files.len() == other.files.len()
            && self.files.iter().zip(&other.files).all(same)
    }
}

fn read(path: &Path, stamp: Stamp) -> io::Result<File> {
    let mut bytes = Vec::with_capacity(usize::try_from(stamp.length.min(COMPONENT_SIZE)).unwrap_or(0));
    fs::File::open(path)?.take(COMPONENT_SIZE + 1).read_to_end(&mut bytes)?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length > COMPONENT_SIZE) {
        return Err(io::Error::other(format!("the file is larger than {COMPONENT_SIZE} bytes")));
    }
    let hash = Sha256::digest(&bytes).into();
    Ok(File { bytes: bytes.into(), hash, modified: stamp.modified })
}
