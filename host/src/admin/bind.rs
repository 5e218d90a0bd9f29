//! Listening sockets of the admin endpoint.

use crate::config::AdminAddress;
use crate::listener::Inherited;
use crate::unix_socket::{self, Ownership, SocketFile};
use std::io;
use std::net::TcpListener;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixListener;

/// A bound socket, which does not answer yet.
#[derive(Debug)]
pub(super) enum Bound {
    /// TCP.
    Tcp(TcpListener),
    /// A Unix socket, which is removed from the file system when it is no longer needed.
    Unix(UnixListener, SocketFile),
}

impl Bound {
    /// Binds what is not inherited, without blocking reads, and says which address it came to be: port 0 becomes a real one.
    pub(super) fn new(address: &AdminAddress, inherited: &Inherited) -> io::Result<(Self, AdminAddress)> {
        match address {
            AdminAddress::Tcp(address) => {
                let given = inherited.take_tcp(*address).into_iter().next();
                let listener = given.map_or_else(|| TcpListener::bind(address), Ok)?;
                listener.set_nonblocking(true)?;
                let local = listener.local_addr()?;
                Ok((Self::Tcp(listener), AdminAddress::Tcp(local)))
            }
            AdminAddress::Unix(path) => {
                let (listener, file) = match inherited.take_unix(path) {
                    Some(given) => (given, SocketFile::of_another(path)?),
                    None => unix_socket::bind(path)?,
                };
                listener.set_nonblocking(true)?;
                Ok((Self::Unix(listener, file), address.clone()))
            }
        }
    }

    /// The socket as a descriptor of its own.
    pub(super) fn descriptor(&self) -> io::Result<OwnedFd> {
        match self {
            Self::Tcp(listener) => listener.as_fd().try_clone_to_owned(),
            Self::Unix(listener, _) => listener.as_fd().try_clone_to_owned(),
        }
    }

    /// Whose the file is, where there is one.
    pub(super) fn ownership(&self) -> Option<Ownership> {
        match self {
            Self::Tcp(_) => None,
            Self::Unix(_, file) => Some(file.ownership()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_inherited_socket_is_not_bound_again() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = AdminAddress::Tcp(listener.local_addr().unwrap());
        let inherited = Inherited::default();
        assert!(Bound::new(&address, &inherited).is_err(), "somebody has it");
        inherited.add_tcp(listener).unwrap();
        let (bound, local) = Bound::new(&address, &inherited).unwrap();
        assert_eq!(local, address);
        assert!(matches!(bound, Bound::Tcp(_)));
    }
}
