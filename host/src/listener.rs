//! Listening sockets: one for each worker and address, so that the kernel spreads connections and no worker waits for
//! another. [`Listeners`] are those that come and go with the configuration.

mod set;

pub use set::{Change, Listeners, Open, Planned};

use crate::config::limits::LISTEN_BACKLOG;
use crate::drain::Drain;
use crate::request::ListenerName;
use crate::tls::Servers;
use arc_swap::ArcSwap;
use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

/// One listener, on all workers, for as long as the configuration has it.
#[derive(Debug)]
pub struct Listener {
    served: ArcSwap<Served>,
    /// Ends it and its connections.
    pub drain: Drain,
}

/// What a listener is to those who connect now. Connections keep what they began with.
#[derive(Debug, Clone)]
pub struct Served {
    /// Whose it is.
    pub name: ListenerName,
    /// The port as declared; none means the one that it listens on.
    pub port: Option<u16>,
    /// The servers that end TLS; none takes plain connections.
    pub tls: Option<Arc<Servers>>,
}

impl Listener {
    /// Serves so until told otherwise.
    pub fn new(served: Served, drain: Drain) -> Arc<Self> {
        Arc::new(Self { served: ArcSwap::from_pointee(served), drain })
    }

    /// The one that takes plain connections on an address of the command line.
    pub fn mesh(drain: Drain) -> Arc<Self> {
        Self::new(Served { name: ListenerName::Mesh, port: None, tls: None }, drain)
    }

    /// What new connections get.
    pub fn served(&self) -> Arc<Served> {
        self.served.load_full()
    }

    /// Serves new connections so from now on.
    pub fn serve(&self, served: Served) {
        self.served.store(Arc::new(served));
    }
}

/// An address could not be listened on.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}: {reason}")]
pub struct BindError {
    /// The address, as asked for.
    pub address: SocketAddr,
    /// What the system said.
    #[source]
    pub reason: io::Error,
}

/// Binds `count` listeners to one address. With port 0 the kernel chooses one port for all.
///
/// A port that another process listens on is refused, although the kernel would share it: two proxies that each get
/// half of the connections are no state an operator wants.
pub fn bind(address: SocketAddr, count: usize) -> Result<Vec<TcpListener>, BindError> {
    let failed = |reason| BindError { address, reason };
    if address.port() != 0 {
        socket(address, false).map_err(failed)?;
    }
    let first = listening(address).map_err(failed)?;
    let address = first.local_addr().map_err(failed)?;
    let mut listeners = vec![first];
    while listeners.len() < count {
        listeners.push(listening(address).map_err(failed)?);
    }
    Ok(listeners)
}

fn listening(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = socket(address, true)?;
    socket.listen(LISTEN_BACKLOG)?;
    Ok(socket.into())
}

fn socket(address: SocketAddr, shared: bool) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        // The IPv4 wildcard is an address of its own, and may be configured beside this one.
        socket.set_only_v6(true)?;
    }
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(shared)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_workers_get_the_port_that_the_kernel_chose() {
        let listeners = bind(([127, 0, 0, 1], 0).into(), 3).unwrap();
        let ports: Vec<u16> = listeners.iter().map(|listener| listener.local_addr().unwrap().port()).collect();
        assert_eq!(ports, [ports[0]; 3]);
    }

    #[test]
    fn a_port_that_is_taken_is_refused() {
        let taken = bind(([127, 0, 0, 1], 0).into(), 1).unwrap();
        let address = taken[0].local_addr().unwrap();
        assert_eq!(bind(address, 1).unwrap_err().reason.kind(), io::ErrorKind::AddrInUse);
    }
}
