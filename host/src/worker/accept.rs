//! A worker's thread: it accepts connections of its listeners, as many as there is room for, until it is drained.

use super::doors::Opening;
use super::slot;
use super::starvation::Starvation;
use super::tidy;
use crate::admission::{Admission, Place, Turn};
use crate::allocator;
use crate::config::limits::{ACCEPT_BACKOFF, LISTEN_BACKLOG};
use crate::connection::{Handler, Timeouts};
use crate::drain::{Drain, Tracked};
use crate::listener::Listener;
use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// What the thread of a worker has.
pub(super) struct Worker<H> {
    pub(super) handler: Arc<H>,
    pub(super) drain: Drain,
    pub(super) admission: Arc<Admission>,
    pub(super) timeouts: Timeouts,
    /// For the connections of a listener that is closed.
    pub(super) grace: Duration,
    /// Of descriptors or memory, of which all workers have the same.
    pub(super) starvation: Arc<Starvation>,
}

/// A connection that has no place yet.
struct Newcomer {
    stream: TcpStream,
    peer: SocketAddr,
    token: Tracked,
    _turn: Option<Turn>,
}

/// Whether a client was gone before it was accepted.
fn is_of_client(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::Interrupted)
}

impl<H: Handler> Worker<H> {
    /// Starts the thread, which serves these listeners and those that come by the queue.
    pub(super) fn spawn(
        self,
        index: usize,
        openings: Vec<Opening>,
        queue: mpsc::Receiver<Opening>,
    ) -> io::Result<JoinHandle<()>> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        std::thread::Builder::new().name(format!("worker-{index}")).spawn(move || {
            slot::take(index);
            runtime.block_on(Arc::new(self).run(openings, queue));
            // What is left was to be aborted, and dropping the runtime does that.
        })
    }

    async fn run(self: Arc<Self>, openings: Vec<Opening>, mut queue: mpsc::Receiver<Opening>) {
        drop(tokio::spawn(tidy::tidy(tidy::LOOK, allocator::give_back)));
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
        // What comes beside inherited sockets does not listen yet.
        let listening = rustix::net::listen(&socket, LISTEN_BACKLOG).map_err(io::Error::from);
        match listening.and_then(|()| TcpListener::from_std(socket)) {
            Ok(socket) => {
                let socket = Arc::new(socket);
                listener.opened(&socket);
                drop(tokio::spawn(Arc::clone(self).accept(listener, socket)));
            }
            Err(error) => tracing::error!(%error, "a listener cannot be served by one of the workers"),
        }
    }

    /// Accepts until the drain begins, and then what the kernel has already completed: those clients have been told
    /// that they are connected. Those of a socket that another process has too are that process's. Whoever waits for a place by
    /// then goes on waiting, but the address is let go of. Connections end with their listener, the last of them after the
    /// grace, whatever is spoken on them by then.
    async fn accept(self: Arc<Self>, listener: Arc<Listener>, socket: Arc<TcpListener>) {
        // Held so that the drain is not over while there may be more to accept.
        let token = listener.drain.track();
        let (mut connections, mut last) = (JoinSet::new(), VecDeque::new());
        let mut draining = listener.drain.signal();
        loop {
            let accepted = tokio::select! {
                biased;
                () = &mut draining => break,
                Some(_) = connections.join_next() => continue,
                accepted = socket.accept() => accepted,
            };
            let Some(newcomer) = self.newcomer(&listener, accepted).await else { continue };
            tokio::select! {
                biased;
                place = self.admission.admit(newcomer.peer.ip()) => self.admit(&listener, newcomer, place, &mut connections),
                () = &mut draining => {
                    last.push_back(newcomer);
                    break;
                }
            }
        }
        if !listener.is_shared()
            && let Err(error) = self.waiting(&listener, &socket, &mut last)
        {
            tracing::warn!(%error, "clients that waited to be accepted are not");
        }
        drop((socket, token));
        listener.drain.begin();
        let ended = async {
            while let Some(newcomer) = last.pop_front() {
                let place = self.admission.admit(newcomer.peer.ip()).await;
                self.admit(&listener, newcomer, place, &mut connections);
            }
            listener.drain.finished().await;
        };
        tokio::select! {
            biased;
            () = ended => {}
            // By another worker, or with the whole proxy. What is served here ends as its tasks are dropped.
            () = listener.drain.aborted() => {}
            () = self.grace_is_over() => {
                let left = listener.drain.tracked();
                tracing::warn!(left, "connections of a closed listener were aborted");
                listener.drain.abort();
            }
        }
    }

    /// Accepts whom the kernel has told that they are connected while nobody has accepted them.
    fn waiting(&self, listener: &Listener, socket: &TcpListener, waiting: &mut VecDeque<Newcomer>) -> io::Result<()> {
        // The kernel itself is asked: the runtime does so only once it has been told of somebody, and only so often in a turn.
        let socket = std::net::TcpListener::from(socket.as_fd().try_clone_to_owned()?);
        // What is over the limit of connections holds descriptors too.
        while let Some(turn) = self.admission.turn() {
            match socket.accept() {
                Ok((stream, peer)) => {
                    stream.set_nonblocking(true)?;
                    let (stream, token) = (TcpStream::from_std(stream)?, listener.drain.track());
                    waiting.push_back(Newcomer { stream, peer, token, _turn: Some(turn) });
                }
                Err(error) if is_of_client(&error) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// The end of the whole proxy has a grace of its own, and ends everything.
    async fn grace_is_over(&self) {
        tokio::time::sleep(self.grace).await;
        if self.drain.is_draining() {
            std::future::pending::<()>().await;
        }
    }

    /// What came of an attempt to accept, if it is somebody.
    async fn newcomer(&self, listener: &Listener, accepted: io::Result<(TcpStream, SocketAddr)>) -> Option<Newcomer> {
        match accepted {
            Ok((stream, peer)) => {
                if self.starvation.ends() {
                    tracing::info!("connections are accepted again");
                }
                return Some(Newcomer { stream, peer, token: listener.drain.track(), _turn: None });
            }
            Err(error) if is_of_client(&error) => {}
            Err(error) => {
                self.handler.starved();
                if self.starvation.begins() {
                    tracing::warn!(%error, "cannot accept connections; they wait until there is room");
                }
                tokio::time::sleep(ACCEPT_BACKOFF).await;
            }
        }
        None
    }

    fn admit(
        self: &Arc<Self>,
        listener: &Arc<Listener>,
        newcomer: Newcomer,
        place: Option<Place>,
        connections: &mut JoinSet<()>,
    ) {
        let Newcomer { stream, peer, token, .. } = newcomer;
        let Some(place) = place else {
            return tracing::debug!(%peer, "a connection was refused: its client has too many");
        };
        let (worker, listener) = (Arc::clone(self), Arc::clone(listener));
        connections.spawn(async move {
            worker.serve(&listener, stream, peer, place).await;
            drop(token);
        });
    }
}
