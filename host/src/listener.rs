//! Listening sockets: one for each worker and address, so that the kernel spreads connections and no worker waits for
//! another. [`Listeners`] are those that come and go with the configuration.

mod inherited;
mod set;

pub use inherited::Inherited;
pub use set::{Change, Listeners, Open, Planned};

use crate::config::limits::LISTEN_BACKLOG;
use crate::drain::Drain;
use crate::request::ListenerName;
use crate::tls::Servers;
use arc_swap::ArcSwap;
use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

/// One listener, on all workers, for as long as the configuration has it.
#[derive(Debug)]
pub struct Listener {
    served: ArcSwap<Served>,
    /// Its sockets, each for as long as a worker accepts from it.
    open: Mutex<Vec<Weak<tokio::net::TcpListener>>>,
    /// Whether another process has them too.
    shared: AtomicBool,
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
        Arc::new(Self {
            served: ArcSwap::from_pointee(served),
            open: Mutex::default(),
            shared: AtomicBool::default(),
            drain,
        })
    }

    /// The one that takes plain connections on an address of the command line.
    pub fn mesh(drain: Drain) -> Arc<Self> {
        Self::new(Served { name: ListenerName::Mesh, port: None, tls: None }, drain)
    }

    /// What new connections get.
    pub fn served(&self) -> Arc<Served> {
        self.served.load_full()
    }

    /// A worker accepts from this socket.
    pub fn opened(&self, socket: &Arc<tokio::net::TcpListener>) {
        self.open().push(Arc::downgrade(socket));
    }

    /// Whether another process takes those who connect, so that nobody is lost whom this one does not.
    pub fn is_shared(&self) -> bool {
        self.shared.load(Ordering::Acquire)
    }

    /// Says that the other process does not, after all.
    pub fn keep(&self) {
        self.shared.store(false, Ordering::Release);
    }

    /// Its sockets, as descriptors of their own for another process.
    ///
    /// # Errors
    /// When the process has too many.
    pub fn sockets(&self) -> io::Result<Vec<OwnedFd>> {
        let open: Vec<_> = self.open().iter().filter_map(Weak::upgrade).collect();
        self.shared.store(true, Ordering::Release);
        open.iter().map(|socket| socket.as_fd().try_clone_to_owned()).collect()
    }

    fn open(&self) -> MutexGuard<'_, Vec<Weak<tokio::net::TcpListener>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
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

/// At least `count` listeners on one address: those that are inherited, and as many more as it takes. With port 0 the kernel
/// chooses one port for all.
///
/// A port that another process listens on is refused, although the kernel would share it: two proxies that each get
/// half of the connections are no state an operator wants.
pub fn bind(address: SocketAddr, count: usize, inherited: &Inherited) -> Result<Vec<TcpListener>, BindError> {
    let failed = |reason| BindError { address, reason };
    let given = inherited.take_tcp(address);
    if !given.is_empty() {
        return completed(given, address, count).map_err(failed);
    }
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

/// Adds sockets that share the port of those that there are, and do not listen yet: the kernel would give them clients before
/// anybody accepts, whom the process that is there would never see. Where the system does not let them, since whoever bound the
/// first asked for no sharing, several workers accept from the same one.
fn completed(mut sockets: Vec<TcpListener>, address: SocketAddr, count: usize) -> io::Result<Vec<TcpListener>> {
    let given = sockets.len();
    while sockets.len() < count {
        let another = match socket(address, true) {
            Ok(another) => another.into(),
            Err(error) => match sockets.get(sockets.len() % given) {
                Some(given) => given.try_clone()?,
                None => return Err(error),
            },
        };
        sockets.push(another);
    }
    Ok(sockets)
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
        let listeners = bind(([127, 0, 0, 1], 0).into(), 3, &Inherited::default()).unwrap();
        let ports: Vec<u16> = listeners.iter().map(|listener| listener.local_addr().unwrap().port()).collect();
        assert_eq!(ports, [ports[0]; 3]);
    }

    #[test]
    fn a_port_that_is_taken_is_refused() {
        let none = Inherited::default();
        let taken = bind(([127, 0, 0, 1], 0).into(), 1, &none).unwrap();
        let address = taken[0].local_addr().unwrap();
        assert_eq!(bind(address, 1, &none).unwrap_err().reason.kind(), io::ErrorKind::AddrInUse);
    }

    #[test]
    fn sockets_that_are_inherited_are_used_and_shared_where_there_are_too_few() {
        for shared in [true, false] {
            let socket = socket(([127, 0, 0, 1], 0).into(), shared).unwrap();
            socket.listen(LISTEN_BACKLOG).unwrap();
            let given = TcpListener::from(socket);
            let (address, waiting) = (given.local_addr().unwrap(), given.try_clone().unwrap());
            let inherited = Inherited::default();
            inherited.add_tcp(given).unwrap();
            let client = std::net::TcpStream::connect(address).unwrap();
            let sockets = bind(address, 3, &inherited).unwrap();
            assert!(sockets.iter().all(|socket| socket.local_addr().unwrap() == address) && sockets.len() == 3);
            let accepted =
                sockets.iter().find_map(|socket| socket.accept().ok()).expect("a client that waited is there");
            assert_eq!(accepted.1, client.local_addr().unwrap());
            drop(waiting);
        }
    }
}
