//! A look at a directory that opens no file: what there is, and the stamp of each.

use std::collections::BTreeMap;
use std::fs::{self, DirEntry, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// Directories inside directories: deeper than anyone sorts manifests, and an end to loops of links.
const MAX_DEPTH: usize = 16;
/// Files of one tree: far above any real directory, far below what would make every look slow.
const MAX_FILES: usize = 100_000;

/// What tells one state of a file from another without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    pub(super) length: u64,
    pub(super) modified: SystemTime,
    /// Seconds and nanoseconds of the last change of content, owner, mode or links.
    changed: (i64, i64),
    identity: Identity,
}

impl Stamp {
    /// Whether the last change was longer ago than this, as of `now`: one that is younger may be followed by another with the
    /// same stamp, as the clocks of file systems are coarse.
    pub(super) fn has_rested(&self, now: SystemTime, rest: Duration) -> bool {
        let (seconds, nanoseconds) = (u64::try_from(self.changed.0), u32::try_from(self.changed.1));
        let (Ok(seconds), Ok(nanoseconds)) = (seconds, nanoseconds) else { return false };
        let changed = SystemTime::UNIX_EPOCH.checked_add(Duration::new(seconds, nanoseconds));
        let ago = |time: SystemTime| now.duration_since(time).is_ok_and(|ago| ago > rest);
        changed.is_some_and(ago) && ago(self.modified)
    }
}

/// Device, inode and time of birth, where the file system has one: which file or directory a path leads to at the moment.
/// The inode of what was removed is soon given to what is made next.
pub(super) type Identity = (u64, u64, Option<SystemTime>);

/// What a look found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Walk {
    pub(super) files: BTreeMap<PathBuf, Stamp>,
    /// Every directory whose entries matter: those below the root and those that links lead into.
    pub(super) directories: BTreeMap<PathBuf, Identity>,
    /// Paths by which directories are reached and which may be replaced; each lies in some parent that is worth watching.
    pub(super) links: Vec<PathBuf>,
    pub(super) failures: BTreeMap<PathBuf, String>,
}

/// Looks at everything below a root. One that does not exist is empty, with a failure that says so.
pub(super) fn walk(root: &Path, extensions: &[&str]) -> Walk {
    let mut walk = Walk { links: vec![root.into()], ..Walk::default() };
    match fs::metadata(root) {
        Ok(metadata) if metadata.is_dir() => walk.directory(root, &metadata, extensions, 0),
        Ok(metadata) => walk.file(root, &metadata),
        Err(error) => walk.fail(root, &error),
    }
    walk
}

impl Walk {
    fn directory(&mut self, path: &Path, metadata: &Metadata, extensions: &[&str], depth: usize) {
        self.directories.insert(path.into(), identity(metadata));
        let entries = match fs::read_dir(path) {
            Ok(entries) => entries,
            Err(error) => return self.fail(path, &error),
        };
        for entry in entries {
            match entry {
                Ok(entry) if entry.file_name().as_encoded_bytes().starts_with(b".") => {}
                Ok(entry) => self.entry(&entry, extensions, depth),
                Err(error) => self.fail(path, &error),
            }
        }
    }

    fn entry(&mut self, entry: &DirEntry, extensions: &[&str], depth: usize) {
        let path = &entry.path();
        // Told by the directory itself: asking for each of thousands of files would double the cost of a look.
        let link = entry.file_type().is_ok_and(|kind| kind.is_symlink());
        let wanted = has_extension(path, extensions);
        let metadata = match if link { fs::metadata(path) } else { entry.metadata() } {
            Ok(metadata) => metadata,
            // A link that leads nowhere is worth saying; to be removed while one looks is nothing.
            Err(error) if wanted && (link || error.kind() != io::ErrorKind::NotFound) => {
                return self.fail(path, &error);
            }
            Err(_) => return,
        };
        let directory = metadata.is_dir();
        if link && (directory || wanted) {
            self.follow(path);
        }
        if directory && depth >= MAX_DEPTH {
            self.failures.insert(path.into(), format!("directories are nested more than {MAX_DEPTH} deep"));
        } else if directory {
            self.directory(path, &metadata, extensions, depth + 1);
        } else if wanted && metadata.is_file() {
            self.file(path, &metadata);
        }
    }

    /// Notes the directory that holds a link's target, so that a change there is noticed.
    fn follow(&mut self, path: &Path) {
        let Some(parent) = fs::canonicalize(path).ok().and_then(|target| target.parent().map(Path::to_path_buf)) else {
            return;
        };
        if let Ok(metadata) = fs::metadata(&parent) {
            self.directories.insert(parent, identity(&metadata));
        }
    }

    fn file(&mut self, path: &Path, metadata: &Metadata) {
        if self.files.len() >= MAX_FILES {
            self.failures.insert(path.into(), format!("there are more than {MAX_FILES} files"));
            return;
        }
        let stamp = Stamp {
            length: metadata.len(),
            modified: metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
            identity: identity(metadata),
        };
        self.files.insert(path.into(), stamp);
    }

    fn fail(&mut self, path: &Path, error: &io::Error) {
        self.failures.insert(path.into(), error.to_string());
    }
}

fn has_extension(path: &Path, extensions: &[&str]) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str());
    extension.is_some_and(|extension| extensions.iter().any(|wanted| extension.eq_ignore_ascii_case(wanted)))
}

/// Which file or directory it is.
pub(super) fn identity(metadata: &Metadata) -> Identity {
    (metadata.dev(), metadata.ino(), metadata.created().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[allow(clippy::disallowed_methods, reason = "a test's own thread is no worker")]
    fn a_directory_that_is_removed_and_made_anew_is_another_whatever_its_inode() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("a");
        let made = || {
            fs::create_dir(&path).unwrap();
            let made = identity(&fs::metadata(&path).unwrap());
            // The clocks of file systems are coarse.
            std::thread::sleep(Duration::from_millis(20));
            fs::remove_dir(&path).unwrap();
            made
        };
        let identities: Vec<_> = (0..20).map(|_| made()).collect();
        assert!(identities.windows(2).all(|two| two[0] != two[1]), "{identities:?}");
    }
}
