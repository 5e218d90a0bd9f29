//! The directory of compiled filters: a file is in it whole or not at all, and what has not been used for longest goes first when
//! there is too much. Several processes may share one.

use super::host_api::random_u64;
use crate::config::limits;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// The ending of compiled filters.
const EXTENSION: &str = "cwasm";
/// The ending of those that are being written.
const UNFINISHED: &str = "part";
/// How old a file is that nobody writes any more: it takes a second.
const ABANDONED: Duration = Duration::from_hours(1);

/// Writes a file that is there only once all of it is on the disk: the engine does not look whether code is whole.
///
/// # Errors
/// When the disk does not take it; nothing is left of it then.
pub(super) fn keep(path: &Path, code: &[u8]) -> io::Result<()> {
    // Processes in containers of their own have the same number.
    let unfinished = path.with_extension(format!("{:016x}.{UNFINISHED}", random_u64()));
    let mut file = File::options().write(true).create_new(true).open(&unfinished)?;
    let written = file.write_all(code).and_then(|()| file.sync_all()).and_then(|()| fs::rename(&unfinished, path));
    written.inspect_err(|_| {
        // What cannot be removed now is when it is old.
        let _ = fs::remove_file(&unfinished);
    })
}

/// Says that a file was used just now. That it cannot be said only makes it go earlier.
pub(super) fn used(path: &Path) {
    if let Ok(file) = File::options().append(true).open(path) {
        let _ = file.set_modified(SystemTime::now());
    }
}

/// Removes what is over the bound, but never `kept`, which has just been written, and what others have begun and left. A filter that runs keeps its code: the system
/// frees a file that is mapped when nobody has it any more.
pub(super) fn prune(directory: &Path, kept: &Path) {
    prune_to(directory, kept, limits::CODE_CACHE);
}

fn prune_to(directory: &Path, kept: &Path, most: u64) {
    for (modified, _, path) in ending_in(directory, UNFINISHED) {
        if modified.elapsed().is_ok_and(|age| age >= ABANDONED) {
            let _ = fs::remove_file(&path);
        }
    }
    let mut files = ending_in(directory, EXTENSION);
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

fn ending_in(directory: &Path, ending: &str) -> Vec<(SystemTime, u64, PathBuf)> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let entries = entries.filter(|entry| entry.path().extension().is_some_and(|extension| extension == ending));
    let file = |entry: fs::DirEntry| {
        let metadata = entry.metadata().ok()?;
        Some((metadata.modified().ok()?, metadata.len(), entry.path()))
    };
    entries.filter_map(file).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(directory: &tempfile::TempDir, name: &str, age: u64) -> PathBuf {
        let path = directory.path().join(name);
        fs::write(&path, [0; 100]).unwrap();
        let time = SystemTime::now() - Duration::from_secs(age);
        File::options().append(true).open(&path).unwrap().set_modified(time).unwrap();
        path
    }

    fn names(directory: &tempfile::TempDir) -> Vec<String> {
        let entries = fs::read_dir(directory.path()).unwrap();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn what_was_not_used_for_longest_goes_first_and_nothing_else_is_touched() {
        let directory = tempfile::tempdir().unwrap();
        let write = |name: &str, age: u64| write(&directory, name, age);
        let (old, middle, new) = (write("a.cwasm", 30), write("b.cwasm", 20), write("c.cwasm", 10));
        let other = write("notes.txt", 40);
        used(&old);
        prune_to(directory.path(), &new, 250);
        assert_eq!([&old, &middle, &new, &other].map(|path| path.exists()), [true, false, true, true]);
        prune_to(directory.path(), &new, 10);
        assert_eq!([&old, &new].map(|path| path.exists()), [false, true], "what was just written stays");
    }

    #[test]
    fn what_another_process_of_the_same_number_is_writing_is_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.cwasm");
        let others = write(&directory, &format!("a.{}.part", std::process::id()), 0);
        keep(&path, b"all of it").unwrap();
        assert_eq!((fs::read(&path).unwrap(), fs::read(&others).unwrap()), (b"all of it".to_vec(), vec![0; 100]));
        keep(&path, b"once more").unwrap();
        assert_eq!((fs::read(&path).unwrap(), names(&directory).len()), (b"once more".to_vec(), 2));
    }

    #[test]
    fn what_cannot_be_kept_leaves_nothing_behind() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.cwasm");
        fs::create_dir(&path).unwrap();
        keep(&path, b"all of it").unwrap_err();
        assert_eq!(names(&directory), ["a.cwasm"]);
    }

    #[test]
    fn what_was_begun_and_left_goes_and_what_is_being_written_does_not() {
        let directory = tempfile::tempdir().unwrap();
        let kept = write(&directory, "a.cwasm", 0);
        write(&directory, "b.1.part", ABANDONED.as_secs() + 1);
        write(&directory, "c.1.part", 1);
        prune(directory.path(), &kept);
        assert_eq!(names(&directory), ["a.cwasm", "c.1.part"]);
    }
}
