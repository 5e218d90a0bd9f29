//! Listening sockets that this process has not bound itself: those that systemd holds for it (sd_listen_fds(3)), and those of
//! the process whose place it takes. Clients that wait in one of them are served as if nothing had happened.

use listenfd::ListenFd;
use std::io;
use std::iter;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Sockets that wait to be asked for. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Inherited(Arc<Mutex<Sockets>>);

#[derive(Debug, Default)]
struct Sockets {
    tcp: Vec<(SocketAddr, TcpListener)>,
    unix: Vec<(PathBuf, UnixListener)>,
    /// Why others are of no use.
    useless: Vec<String>,
}

impl Inherited {
    /// Those that `LISTEN_PID`, `LISTEN_FDS` and `LISTEN_FDNAMES` speak of, which are taken out of the environment. To be called
    /// before there is a second thread.
    pub fn from_environment() -> Self {
        let names = std::env::var("LISTEN_FDNAMES").unwrap_or_default();
        let names = names.split(':').chain(iter::repeat(""));
        let mut given = ListenFd::from_env();
        let inherited = Self::default();
        for (number, name) in (0..given.len()).zip(names) {
            if let Err(reason) = inherited.add_given(&mut given, number) {
                inherited.sockets().useless.push(format!("descriptor {} ({name:?}): {reason}", number + 3));
            }
        }
        inherited
    }

    fn add_given(&self, given: &mut ListenFd, number: usize) -> io::Result<()> {
        match given.take_tcp_listener(number) {
            Ok(listener) => listener.map_or(Ok(()), |listener| self.add_tcp(listener)),
            Err(_) => match given.take_unix_listener(number)? {
                Some(listener) => {
                    let path = listener.local_addr()?.as_pathname().map(Path::to_owned);
                    self.add_unix(&path.ok_or_else(|| io::Error::other("it has no path"))?, listener);
                    Ok(())
                }
                None => Ok(()),
            },
        }
    }

    /// Adds one, which is known by the address that it listens on.
    pub fn add_tcp(&self, listener: TcpListener) -> io::Result<()> {
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        self.sockets().tcp.push((address, listener));
        Ok(())
    }

    /// Adds one that is found at a path. Whether it blocks is left as it is, since that is so for all processes that have it.
    pub fn add_unix(&self, path: &Path, listener: UnixListener) {
        self.sockets().unix.push((absolute(path), listener));
    }

    /// Those that listen on an address; there may be several, among which the system spreads connections.
    pub fn take_tcp(&self, address: SocketAddr) -> Vec<TcpListener> {
        self.sockets().tcp.extract_if(.., |(known, _)| *known == address).map(|(_, listener)| listener).collect()
    }

    /// The one that is found at a path.
    pub fn take_unix(&self, path: &Path) -> Option<UnixListener> {
        let path = absolute(path);
        let mut sockets = self.sockets();
        let place = sockets.unix.iter().position(|(known, _)| *known == path)?;
        Some(sockets.unix.swap_remove(place).1)
    }

    /// Closes those that nobody has asked for, which the log says.
    pub fn close_rest(&self) {
        let Sockets { tcp, unix, useless } = std::mem::take(&mut *self.sockets());
        let mut addresses: Vec<String> = tcp.iter().map(|(address, _)| address.to_string()).collect();
        addresses.extend(unix.iter().map(|(path, _)| format!("unix:{}", path.display())));
        addresses.dedup();
        for address in addresses {
            tracing::warn!(
                address,
                "a listening socket was handed over that no setting and no document asks for; it is closed"
            );
        }
        for reason in useless {
            tracing::warn!("a listening socket that was handed over is of no use: {reason}");
        }
    }

    fn sockets(&self) -> MutexGuard<'_, Sockets> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_is_found_by_its_address_once() {
        let inherited = Inherited::default();
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap();
        inherited.add_tcp(listener.try_clone().unwrap()).unwrap();
        inherited.add_tcp(listener).unwrap();
        assert!(inherited.take_tcp(([127, 0, 0, 1], 1).into()).is_empty());
        assert_eq!(inherited.take_tcp(address).len(), 2);
        assert!(inherited.take_tcp(address).is_empty());
    }

    #[test]
    fn what_nobody_asks_for_is_closed() {
        let inherited = Inherited::default();
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap();
        inherited.add_tcp(listener).unwrap();
        assert!(std::net::TcpStream::connect(address).is_ok());
        inherited.close_rest();
        assert!(std::net::TcpStream::connect(address).is_err());
    }
}
