//! Keeps the directory of compiled filters within its bound: what has not been used for longest goes first.

use crate::config::limits;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// The ending of compiled filters.
const EXTENSION: &str = "cwasm";

/// Says that a file was used just now. That it cannot be said only makes it go earlier.
pub(super) fn used(path: &Path) {
    if let Ok(file) = File::options().append(true).open(path) {
        let _ = file.set_modified(SystemTime::now());
    }
}

/// Removes what is over the bound, but never `kept`, which has just been written. A filter that runs keeps its code: the system
/// frees a file that is mapped when nobody has it any more.
pub(super) fn prune(directory: &Path, kept: &Path) {
    prune_to(directory, kept, limits::CODE_CACHE);
}

fn prune_to(directory: &Path, kept: &Path, most: u64) {
    let mut files = compiled(directory);
    files.sort_by_key(|(modified, ..)| std::cmp::Reverse(*modified));
    let mut sum = 0_u64;
    for (_, size, path) in files {
        sum = sum.saturating_add(size);
        if sum > most && path != kept {
            // Another process may have removed it.
            let _ = fs::remove_file(&path);
        }
    }
}

fn compiled(directory: &Path) -> Vec<(SystemTime, u64, PathBuf)> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let entries = entries.filter(|entry| entry.path().extension().is_some_and(|extension| extension == EXTENSION));
    let file = |entry: fs::DirEntry| {
        let metadata = entry.metadata().ok()?;
        Some((metadata.modified().ok()?, metadata.len(), entry.path()))
    };
    entries.filter_map(file).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn what_was_not_used_for_longest_goes_first_and_nothing_else_is_touched() {
        let directory = tempfile::tempdir().unwrap();
        let write = |name: &str, age: u64| {
            let path = directory.path().join(name);
            fs::write(&path, [0; 100]).unwrap();
            let time = SystemTime::now() - Duration::from_secs(age);
            File::options().append(true).open(&path).unwrap().set_modified(time).unwrap();
            path
        };
        let (old, middle, new) = (write("a.cwasm", 30), write("b.cwasm", 20), write("c.cwasm", 10));
        let other = write("notes.txt", 40);
        used(&old);
        prune_to(directory.path(), &new, 250);
        assert_eq!([&old, &middle, &new, &other].map(|path| path.exists()), [true, false, true, true]);
        prune_to(directory.path(), &new, 10);
        assert_eq!([&old, &new].map(|path| path.exists()), [false, true], "what was just written stays");
    }
}
