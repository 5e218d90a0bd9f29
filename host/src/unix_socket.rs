//! Unix sockets that this process listens on, at paths where nobody else may connect.

use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Only the proxy's own user may ask.
const SOCKET_MODE: u32 = 0o600;
/// Only the proxy's own user may look in.
const DIRECTORY_MODE: u32 = 0o700;

/// A socket's file. Dropping it removes the file, unless another one has taken its place or it is another process's.
#[derive(Debug)]
pub struct SocketFile {
    path: PathBuf,
    inode: u64,
    ownership: Ownership,
}

/// Whether the file of a socket that is handed over is this process's to remove. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Ownership(Arc<Owned>);

#[derive(Debug)]
struct Owned {
    path: PathBuf,
    is_ours: AtomicBool,
}

impl Ownership {
    fn new(path: &Path, is_ours: bool) -> Self {
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        Self(Arc::new(Owned { path, is_ours: AtomicBool::new(is_ours) }))
    }

    /// Where the file is.
    pub fn path(&self) -> &Path {
        &self.0.path
    }

    /// It is this process's now.
    pub fn take(&self) {
        self.0.is_ours.store(true, Ordering::Release);
    }

    /// It is another process's now.
    pub fn leave(&self) {
        self.0.is_ours.store(false, Ordering::Release);
    }
}

impl SocketFile {
    /// Of a socket that another process has bound at a path: not this one's until it says so.
    pub fn of_another(path: &Path) -> io::Result<Self> {
        let inode = fs::symlink_metadata(path)?.ino();
        Ok(Self { path: path.to_owned(), inode, ownership: Ownership::new(path, false) })
    }

    /// Whose it is.
    pub fn ownership(&self) -> Ownership {
        self.ownership.clone()
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let is_ours = self.ownership.0.is_ours.load(Ordering::Acquire);
        if is_ours && fs::symlink_metadata(&self.path).is_ok_and(|file| file.ino() == self.inode) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Binds in a directory that nobody else can enter and moves the socket to its place once its mode is right: at no
/// time can another user connect.
///
/// # Errors
/// When a process answers there, or what is there is no socket.
pub fn bind(path: &Path) -> io::Result<(UnixListener, SocketFile)> {
    refuse_if_taken(path)?;
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // Short, as the path of a socket has at most 107 bytes.
    let directory = parent.join(format!(".s{:08x}", fastrand::u32(..)));
    DirBuilder::new().mode(DIRECTORY_MODE).create(&directory)?;
    let bound = bind_within(&directory.join("s"), path);
    let _ = fs::remove_dir_all(&directory);
    bound
}

fn bind_within(hidden: &Path, path: &Path) -> io::Result<(UnixListener, SocketFile)> {
    let listener = UnixListener::bind(hidden)?;
    fs::set_permissions(hidden, Permissions::from_mode(SOCKET_MODE))?;
    let inode = fs::symlink_metadata(hidden)?.ino();
    fs::rename(hidden, path)?;
    Ok((listener, SocketFile { path: path.to_owned(), inode, ownership: Ownership::new(path, true) }))
}

/// A socket that nobody answers on is left over and may be replaced; nothing else may.
fn refuse_if_taken(path: &Path) -> io::Result<()> {
    let Ok(file) = fs::symlink_metadata(path) else { return Ok(()) };
    if !file.file_type().is_socket() {
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, "a file that is not a socket is there"));
    }
    match UnixStream::connect(path) {
        Ok(_) => Err(io::Error::new(io::ErrorKind::AddrInUse, "another process answers there")),
        Err(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_is_private_and_vanishes_with_its_listener() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("admin.sock");
        let bound = bind(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
        drop(bound);
        assert!(!path.exists());
    }

    #[test]
    fn a_left_over_socket_is_replaced_and_a_live_one_is_not() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("admin.sock");
        drop(UnixListener::bind(&path).unwrap());
        let first = bind(&path).unwrap();
        assert_eq!(bind(&path).unwrap_err().kind(), io::ErrorKind::AddrInUse);
        drop(first);
    }

    #[test]
    fn other_files_are_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("notes.txt");
        fs::write(&path, "mine").unwrap();
        assert!(bind(&path).is_err());
        assert_eq!(fs::read_to_string(&path).unwrap(), "mine");
    }

    #[test]
    fn the_file_of_a_socket_that_is_handed_over_is_removed_by_its_last_process_alone() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("admin.sock");
        let (listener, file) = bind(&path).unwrap();
        drop(SocketFile::of_another(&path).unwrap());
        assert!(path.exists(), "the other process had not taken over");
        let heir = SocketFile::of_another(&path).unwrap();
        heir.ownership().take();
        file.ownership().leave();
        drop((listener, file));
        assert!(path.exists());
        drop(heir);
        assert!(!path.exists());
    }
}
