//! Workers: threads that each serve their own connections on their own single-threaded runtime.
//!
//! A connection stays on the worker that accepted it, and so does everything done for it: its upstream connections,
//! its filter instances. Nothing on the way of a request is shared between workers but immutable snapshots.

mod doors;

pub use doors::Doors;

use crate::admission::{Admission, ConnectionLimits};
use crate::chain::Passing;
use crate::config::limits::{self, ACCEPT_BACKOFF};
use crate::connection::{self, Accepted, Handler, Timeouts};
use crate::drain::{Drain, Drained};
use crate::listener::{self, BindError, Inherited, Listener};
use crate::request::Arrival;
use crate::socket::Socket;
use crate::telemetry::metrics::HandshakeResult;
use crate::tls::{self, Greeted, HandshakeError};
use crate::upstream::tunnel;
use doors::Opening;
use futures_util::FutureExt;
use std::cell::Cell;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

thread_local! {
    static INDEX: Cell<Option<usize>> = const { Cell::new(None) };
}

/// Listeners on their way to a worker, which takes them up at once; a full queue makes the reload wait.
const OPENINGS: usize = 64;

static COUNT: AtomicUsize = AtomicUsize::new(0);

/// Which worker this thread is, from 0; [`count`] for a thread that is none. So `count() + 1` slots serve everyone.
pub fn index() -> usize {
    INDEX.get().unwrap_or_else(count)
}

/// How many workers there are, or will be (see [`reserve`]).
pub fn count() -> usize {
    COUNT.load(Ordering::Relaxed)
}

/// Says how many workers there will be, for those who allot a slot to each before [`Workers::start`]. The count never
/// falls, so slots stay valid.
pub fn reserve(count: usize) {
    COUNT.fetch_max(count, Ordering::Relaxed);
}

/// What workers are to do.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where to listen. Port 0 lets the kernel choose.
    pub listen: Vec<SocketAddr>,
    /// How many threads; at least one.
    pub workers: usize,
    /// How long to wait for clients.
    pub timeouts: Timeouts,
    /// How many clients.
    pub connections: ConnectionLimits,
    /// How long the connections of a listener that is closed may take.
    pub drain: Duration,
}

impl Settings {
    /// These addresses, one worker for each processor, and the default limits.
    pub fn new(listen: Vec<SocketAddr>) -> Self {
        let workers = std::thread::available_parallelism().map_or(1, usize::from);
        let (timeouts, connections) = (Timeouts::default(), ConnectionLimits::default());
        Self { listen, workers, timeouts, connections, drain: limits::DRAIN }
    }
}

/// Workers could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// An address is not to be had.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The system gives no thread or no event queue.
    #[error("cannot start a worker: {0}")]
    Worker(#[from] io::Error),
}

/// Running workers.
#[derive(Debug)]
pub struct Workers {
    /// Where they listen, in the order asked for, with the ports that were chosen.
    pub addresses: Vec<SocketAddr>,
    drain: Drain,
    threads: Vec<JoinHandle<()>>,
    doors: Doors,
}

impl Workers {
    /// Binds all addresses that are not inherited and starts all threads; on an error there are none. `drain` ends them.
    pub fn start<H: Handler>(
        settings: &Settings,
        handler: &Arc<H>,
        drain: &Drain,
        inherited: &Inherited,
    ) -> Result<Self, StartError> {
        let count = settings.workers.max(1);
        reserve(count);
        let mut addresses = Vec::new();
        let mut shares: Vec<Vec<Opening>> = (0..count).map(|_| Vec::new()).collect();
        let (senders, queues): (Vec<_>, Vec<_>) = (0..count).map(|_| mpsc::channel(OPENINGS)).unzip();
        let doors = Doors::new(senders);
        for address in &settings.listen {
            let sockets = listener::bind(*address, count, inherited)?;
            addresses.extend(sockets.first().and_then(|first| first.local_addr().ok()));
            let listener = Listener::mesh(drain.clone());
            doors.know(&listener);
            for (number, socket) in sockets.into_iter().enumerate() {
                if let Some(share) = shares.get_mut(number % count) {
                    share.push((Arc::clone(&listener), socket));
                }
            }
        }
        let (admission, starved) = (Admission::new(settings.connections), Arc::<AtomicBool>::default());
        let mut workers = Self { addresses, drain: drain.clone(), threads: Vec::with_capacity(count), doors };
        for (index, (share, queue)) in shares.into_iter().zip(queues).enumerate() {
            let (handler, drain, admission) = (Arc::clone(handler), drain.clone(), Arc::clone(&admission));
            let (timeouts, grace, starved) = (settings.timeouts, settings.drain, Arc::clone(&starved));
            let worker = Worker { handler, drain, admission, timeouts, grace, starved };
            workers.threads.push(worker.spawn(index, share, queue).inspect_err(|_| workers.drain.abort())?);
        }
        Ok(workers)
    }

    /// What ends these workers: [`Drain::abort`] on it is for a second signal.
    pub fn drain_handle(&self) -> Drain {
        self.drain.clone()
    }

    /// Opens and closes listeners.
    pub fn doors(&self) -> Doors {
        self.doors.clone()
    }

    /// Stops accepting, lets what is in flight finish, and aborts what has not after `grace`. Returns when all
    /// threads have ended.
    pub async fn drain(self, grace: Duration) -> Drained {
        let drained = self.drain.finish(grace).await;
        let threads = self.threads;
        let join = move || threads.into_iter().for_each(|thread| drop(thread.join()));
        let _ = tokio::task::spawn_blocking(join).await;
        drained
    }
}

struct Worker<H> {
    handler: Arc<H>,
    drain: Drain,
    admission: Arc<Admission>,
    timeouts: Timeouts,
    /// For the connections of a listener that is closed.
    grace: Duration,
    /// Whether the last `accept` failed for want of descriptors or memory, of which all workers have the same.
    starved: Arc<AtomicBool>,
}

impl<H: Handler> Worker<H> {
    fn spawn(self, index: usize, openings: Vec<Opening>, queue: mpsc::Receiver<Opening>) -> io::Result<JoinHandle<()>> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        std::thread::Builder::new().name(format!("worker-{index}")).spawn(move || {
            INDEX.set(Some(index));
            runtime.block_on(Arc::new(self).run(openings, queue));
            // What is left was to be aborted, and dropping the runtime does that.
        })
    }

    async fn run(self: Arc<Self>, openings: Vec<Opening>, mut queue: mpsc::Receiver<Opening>) {
        for opening in openings {
            self.open(opening);
        }
        let mut draining = self.drain.signal();
        loop {
            tokio::select! {
                biased;
                () = &mut draining => break,
                Some(opening) = queue.recv() => self.open(opening),
            }
        }
        tokio::select! {
            biased;
            () = self.drain.aborted() => {}
            () = self.drain.finished() => {}
        }
    }

    fn open(self: &Arc<Self>, (listener, socket): Opening) {
        match TcpListener::from_std(socket) {
            Ok(socket) => {
                let socket = Arc::new(socket);
                listener.opened(&socket);
                drop(tokio::spawn(Arc::clone(self).accept(listener, socket)));
            }
            Err(error) => tracing::error!(%error, "a listener cannot be served by one of the workers"),
        }
    }

    /// Accepts until the drain begins, and then what the kernel has already completed: those clients have been told
    /// that they are connected. Of a socket that another process has too there may be more all the time, and that process
    /// takes them. Connections end with their listener, the last of them after the grace.
    async fn accept(self: Arc<Self>, listener: Arc<Listener>, socket: Arc<TcpListener>) {
        // Held so that the drain is not over while there may be more to accept.
        let token = listener.drain.track();
        let mut connections = JoinSet::new();
        let mut draining = listener.drain.signal();
        loop {
            tokio::select! {
                biased;
                () = &mut draining => break,
                Some(_) = connections.join_next() => {}
                accepted = socket.accept() => self.admit(&listener, accepted, &mut connections).await,
            }
        }
        for _ in 0..limits::LISTEN_BACKLOG {
            let Some(Ok(accepted)) = socket.accept().now_or_never() else { break };
            self.admit(&listener, Ok(accepted), &mut connections).await;
        }
        drop((socket, token));
        let grace = tokio::time::sleep(self.grace);
        tokio::pin!(grace);
        loop {
            tokio::select! {
                ended = connections.join_next() => if ended.is_none() { break },
                // The end of the whole proxy has a grace of its own, and ends everything.
                () = &mut grace, if !self.drain.is_draining() => break,
            }
        }
        if !connections.is_empty() && !self.drain.is_draining() {
            tracing::warn!(left = connections.len(), "connections of a closed listener were aborted");
            listener.drain.abort();
        }
    }

    async fn admit(
        self: &Arc<Self>,
        listener: &Arc<Listener>,
        accepted: io::Result<(TcpStream, SocketAddr)>,
        connections: &mut JoinSet<()>,
    ) {
        match accepted {
            Ok((stream, peer)) => {
                // A load, as it is nearly never so.
                if self.starved.load(Ordering::Relaxed) && self.starved.swap(false, Ordering::Relaxed) {
                    tracing::info!("connections are accepted again");
                }
                let permit = tokio::select! {
                    permit = self.admission.admit(peer.ip()) => permit,
                    () = listener.drain.signal(), if !listener.drain.is_draining() => None,
                };
                let Some(permit) = permit else {
                    return tracing::debug!(%peer, "a connection was refused: its address has too many");
                };
                let token = listener.drain.track();
                let (worker, listener) = (Arc::clone(self), Arc::clone(listener));
                connections.spawn(async move {
                    worker.serve(&listener, stream, peer).await;
                    drop((permit, token));
                });
            }
            // The client was gone before it was accepted.
            Err(error) if matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::Interrupted) => {}
            Err(error) => {
                self.handler.starved();
                if !self.starved.swap(true, Ordering::Relaxed) {
                    tracing::warn!(%error, "cannot accept connections; they wait until there is room");
                }
                tokio::time::sleep(ACCEPT_BACKOFF).await;
            }
        }
    }

    async fn serve(&self, listener: &Listener, stream: TcpStream, peer: SocketAddr) {
        // Responses are written whole; waiting for more to put into a segment would only delay them.
        let _ = stream.set_nodelay(true);
        let Ok(local) = stream.local_addr() else { return };
        let served = listener.served();
        let port = served.port.unwrap_or_else(|| local.port());
        let arrival = Arrival { listener: served.name, port, server_name: None };
        let accepted = Accepted { stream: Socket(stream), peer, local, arrival, tls: None };
        let drain = listener.drain.clone();
        match &served.tls {
            None => connection::serve(accepted, Arc::clone(&self.handler), self.timeouts, drain).await,
            // On the heap, so that plain connections need not hold its size.
            Some(servers) => Box::pin(self.serve_tls(servers, accepted, drain)).await,
        }
    }

    async fn serve_tls(&self, servers: &Arc<tls::Servers>, accepted: Accepted<Socket>, drain: Drain) {
        let Accepted { stream, peer, local, mut arrival, .. } = accepted;
        let handshake = tokio::time::timeout(self.timeouts.tls_handshake, tls::accept(stream, servers));
        let (stream, session) = match handshake.await {
            Ok(Ok(Greeted::Terminated(stream, session))) => {
                self.handler.handshaken(HandshakeResult::Completed(tls::version_name(stream.get_ref().1)));
                (*stream, session)
            }
            Ok(Ok(Greeted::Passed { stream, sent, name })) => {
                self.handler.handshaken(HandshakeResult::Passed);
                let passing = Passing { name: &name, port: arrival.port, local, peer };
                return self.pass(stream, &sent, passing).await;
            }
            Ok(Err(error)) => {
                self.handler.handshaken(match error {
                    HandshakeError::UnknownName(_) => HandshakeResult::UnknownName,
                    HandshakeError::Failed(_) => HandshakeResult::Failed,
                });
                return tracing::debug!(%peer, %error, "a TLS handshake failed");
            }
            Err(_) => {
                self.handler.handshaken(HandshakeResult::TimedOut);
                return tracing::debug!(%peer, "a TLS handshake took too long");
            }
        };
        arrival.server_name.clone_from(&session.name);
        let accepted = Accepted { stream, peer, local, arrival, tls: Some(session) };
        connection::serve(accepted, Arc::clone(&self.handler), self.timeouts, drain).await;
    }

    /// Passes a connection on as it is.
    async fn pass(&self, mut stream: Socket, sent: &[u8], passing: Passing<'_>) {
        let (endpoints, name) = (self.handler.endpoints(&passing), passing.name);
        if endpoints.is_empty() {
            tracing::debug!(name, "no service takes a connection that was to be passed on");
            return tls::refuse_name(&mut stream).await;
        }
        match tunnel::tunnel(stream, sent, &endpoints).await {
            Ok((sent, received)) => tracing::debug!(name, sent, received, "a connection that was passed on ended"),
            Err(error) => tracing::debug!(name, %error, "a connection that was passed on ended with an error"),
        }
    }
}

#[cfg(test)]
mod tests;
