//! Files that configuration names, such as certificates: read once for each load, and looked at for changes between.

use std::collections::BTreeMap;
use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// The largest file, in bytes: a bundle of all public authorities has a quarter of it.
const SIZE: u64 = 1 << 20;

/// By what a change of a file is noticed.
type Stamp = Option<(u64, u64, i64, i64)>;

/// The files that the last load has read.
#[derive(Debug, Default)]
pub struct Files {
    read: BTreeMap<PathBuf, Stamp>,
    /// A state that differs, and was seen once: what differs and rests is a change.
    seen: Option<BTreeMap<PathBuf, Stamp>>,
}

impl Files {
    /// Forgets all, at the beginning of a load.
    pub fn begin(&mut self) {
        self.read.clear();
        self.seen = None;
    }

    /// Reads a file, and remembers it whether or not that succeeds.
    pub fn read(&mut self, path: &Path) -> io::Result<Vec<u8>> {
        self.read.insert(path.to_owned(), stamp(path));
        let mut bytes = Vec::new();
        File::open(path)?.take(SIZE + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > SIZE {
            return Err(io::Error::other(format!("the file is larger than {SIZE} bytes")));
        }
        Ok(bytes)
    }

    /// Whether a file is another than was read, and has been the same for two looks: what is still being written, or
    /// half of a pair, is left to rest first.
    pub fn changed(&mut self) -> bool {
        let now: BTreeMap<PathBuf, Stamp> = self.read.keys().map(|path| (path.clone(), stamp(path))).collect();
        if now == self.read {
            self.seen = None;
            return false;
        }
        self.seen.replace(now.clone()).is_some_and(|seen| seen == now)
    }
}

fn stamp(path: &Path) -> Stamp {
    let of = |metadata: Metadata| (metadata.ino(), metadata.len(), metadata.mtime(), metadata.mtime_nsec());
    std::fs::metadata(path).ok().map(of)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_told_once_it_rests() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.pem");
        let mut files = Files::default();
        assert!(files.read(&path).is_err() && !files.changed());
        std::fs::write(&path, "one").unwrap();
        assert!(!files.changed());
        std::fs::write(&path, "one more").unwrap();
        assert!(!files.changed());
        assert!(files.changed());
        files.begin();
        assert_eq!(files.read(&path).unwrap(), b"one more");
        assert!(!files.changed() && !files.changed());
    }
}
