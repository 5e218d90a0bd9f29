//! Listening sockets of the admin endpoint.

use crate::config::AdminAddress;
use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::net::TcpListener;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

/// Only the proxy's own user may ask.
const SOCKET_MODE: u32 = 0o600;
/// Only the proxy's own user may look in.
const DIRECTORY_MODE: u32 = 0o700;

/// A bound socket.
#[derive(Debug)]
pub(super) enum Bound {
    /// TCP.
    Tcp(TcpListener),
    /// A Unix socket, which is removed from the file system when it is no longer needed.
    Unix(UnixListener, SocketFile),
}

impl Bound {
    /// Binds, without blocking reads, and says which address it came to be: port 0 becomes a real one.
    pub(super) fn new(address: &AdminAddress) -> io::Result<(Self, AdminAddress)> {
        match address {
            AdminAddress::Tcp(address) => {
                let listener = TcpListener::bind(address)?;
                listener.set_nonblocking(true)?;
                let local = listener.local_addr()?;
                Ok((Self::Tcp(listener), AdminAddress::Tcp(local)))
            }
            AdminAddress::Unix(path) => {
                let (listener, file) = bind_unix(path)?;
                listener.set_nonblocking(true)?;
                Ok((Self::Unix(listener, file), address.clone()))
            }
        }
    }
}

/// The socket's file. Dropping it removes the file, unless another one has taken its place.
#[derive(Debug)]
pub(super) struct SocketFile {
    path: PathBuf,
    inode: u64,
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if fs::symlink_metadata(&self.path).is_ok_and(|file| file.ino() == self.inode) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Binds in a directory that nobody else can enter and moves the socket to its place once its mode is right: at no
/// time can another user connect.
fn bind_unix(path: &Path) -> io::Result<(UnixListener, SocketFile)> {
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
    Ok((listener, SocketFile { path: path.to_owned(), inode }))
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
        let (bound, _) = Bound::new(&AdminAddress::Unix(path.clone())).unwrap();
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
        let first = bind_unix(&path).unwrap();
        assert_eq!(bind_unix(&path).unwrap_err().kind(), io::ErrorKind::AddrInUse);
        drop(first);
    }

    #[test]
    fn other_files_are_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("notes.txt");
        fs::write(&path, "mine").unwrap();
        assert!(bind_unix(&path).is_err());
        assert_eq!(fs::read_to_string(&path).unwrap(), "mine");
    }
}
