//! Workers: threads that each serve their own connections on their own single-threaded runtime.
//!
//! A connection stays on the worker that accepted it, and so does everything done for it: its upstream connections,
//! its filter instances. Nothing on the way of a request is shared between workers but immutable snapshots.

use crate::admission::{Admission, ConnectionLimits};
use crate::config::limits::ACCEPT_BACKOFF;
use crate::connection::{self, Accepted, Handler, Timeouts};
use crate::drain::{Drain, Drained};
use crate::listener::{self, BindError};
use crate::socket::Socket;
use futures_util::FutureExt;
use http::uri::Scheme;
use std::cell::Cell;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};

thread_local! {
    static INDEX: Cell<Option<usize>> = const { Cell::new(None) };
}

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
}

impl Settings {
    /// These addresses, one worker for each processor, and the default limits.
    pub fn new(listen: Vec<SocketAddr>) -> Self {
        let workers = std::thread::available_parallelism().map_or(1, usize::from);
        Self { listen, workers, timeouts: Timeouts::default(), connections: ConnectionLimits::default() }
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
}

impl Workers {
    /// Binds all addresses and starts all threads; on an error there are none. `drain` ends them.
    pub fn start<H: Handler>(settings: &Settings, handler: &Arc<H>, drain: &Drain) -> Result<Self, StartError> {
        let count = settings.workers.max(1);
        reserve(count);
        let mut addresses = Vec::new();
        let mut shares: Vec<Vec<std::net::TcpListener>> = (0..count).map(|_| Vec::new()).collect();
        for address in &settings.listen {
            let listeners = listener::bind(*address, count)?;
            addresses.extend(listeners.first().and_then(|first| first.local_addr().ok()));
            shares.iter_mut().zip(listeners).for_each(|(share, listener)| share.push(listener));
        }
        let admission = Admission::new(settings.connections);
        let mut workers = Self { addresses, drain: drain.clone(), threads: Vec::with_capacity(count) };
        for (index, listeners) in shares.into_iter().enumerate() {
            let (handler, drain, admission) = (Arc::clone(handler), drain.clone(), Arc::clone(&admission));
            let worker = Worker { handler, drain, admission, timeouts: settings.timeouts };
            workers.threads.push(worker.spawn(index, listeners).inspect_err(|_| workers.drain.abort())?);
        }
        Ok(workers)
    }

    /// What ends these workers: [`Drain::abort`] on it is for a second signal.
    pub fn drain_handle(&self) -> Drain {
        self.drain.clone()
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
}

impl<H: Handler> Worker<H> {
    fn spawn(self, index: usize, listeners: Vec<std::net::TcpListener>) -> io::Result<JoinHandle<()>> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let listeners = {
            let _entered = runtime.enter();
            listeners.into_iter().map(TcpListener::from_std).collect::<io::Result<Vec<_>>>()?
        };
        std::thread::Builder::new().name(format!("worker-{index}")).spawn(move || {
            INDEX.set(Some(index));
            runtime.block_on(Arc::new(self).run(listeners));
            // What is left was to be aborted, and dropping the runtime does that.
        })
    }

    async fn run(self: Arc<Self>, listeners: Vec<TcpListener>) {
        for listener in listeners {
            tokio::spawn(Arc::clone(&self).accept(listener));
        }
        self.drain.signal().await;
        tokio::select! {
            biased;
            () = self.drain.aborted() => {}
            () = self.drain.finished() => {}
        }
    }

    /// Accepts until the drain begins, and then what the kernel has already completed: those clients have been told
    /// that they are connected.
    async fn accept(self: Arc<Self>, listener: TcpListener) {
        // Held so that the drain is not over while there may be more to accept.
        let _token = self.drain.track();
        let mut draining = self.drain.signal();
        loop {
            tokio::select! {
                biased;
                () = &mut draining => break,
                accepted = listener.accept() => self.admit(accepted).await,
            }
        }
        while let Some(Ok(accepted)) = listener.accept().now_or_never() {
            self.admit(Ok(accepted)).await;
        }
    }

    async fn admit(self: &Arc<Self>, accepted: io::Result<(TcpStream, SocketAddr)>) {
        match accepted {
            Ok((stream, peer)) => {
                let permit = tokio::select! {
                    permit = self.admission.admit(peer.ip()) => permit,
                    () = self.drain.signal(), if !self.drain.is_draining() => None,
                };
                let Some(permit) = permit else {
                    return tracing::debug!(%peer, "a connection was refused: its address has too many");
                };
                let token = self.drain.track();
                let worker = Arc::clone(self);
                tokio::spawn(async move {
                    worker.serve(stream, peer).await;
                    drop((permit, token));
                });
            }
            // The client was gone before it was accepted.
            Err(error) if matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::Interrupted) => {}
            Err(error) => {
                tracing::warn!(%error, "cannot accept connections; trying again shortly");
                tokio::time::sleep(ACCEPT_BACKOFF).await;
            }
        }
    }

    async fn serve(&self, stream: TcpStream, peer: SocketAddr) {
        // Responses are written whole; waiting for more to put into a segment would only delay them.
        let _ = stream.set_nodelay(true);
        let Ok(local) = stream.local_addr() else { return };
        let accepted = Accepted { stream: Socket(stream), peer, local, scheme: Scheme::HTTP };
        connection::serve(accepted, Arc::clone(&self.handler), self.timeouts, self.drain.clone()).await;
    }
}

#[cfg(test)]
mod tests;
