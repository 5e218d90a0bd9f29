//! Opening and closing the listeners of running workers.

use crate::listener::{Change, Listener};
use std::io;
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use tokio::sync::mpsc;

/// A listener and a socket of it, for one worker.
pub(super) type Opening = (Arc<Listener>, TcpListener);

/// Opens and closes listeners of running workers; cheap to clone.
#[derive(Debug, Clone)]
pub struct Doors {
    queues: Arc<[mpsc::Sender<Opening>]>,
    /// Those that were ever opened, until they are gone.
    known: Arc<Mutex<Vec<Weak<Listener>>>>,
}

impl Doors {
    pub(super) fn new(queues: Vec<mpsc::Sender<Opening>>) -> Self {
        Self { queues: queues.into(), known: Arc::default() }
    }

    /// Puts a change in force: what stays serves new connections as said, what is new is opened, and what is gone takes
    /// no connection any more and drains those that it has. Blocks until every worker has room for its part.
    pub fn apply(&self, change: Change) {
        for (listener, served) in change.kept {
            listener.serve(served);
        }
        for (listener, sockets) in change.opened {
            self.know(&listener);
            for (worker, socket) in self.deal(sockets) {
                // A worker that has ended serves nobody: the proxy ends.
                let _ = worker.blocking_send((Arc::clone(&listener), socket));
            }
        }
        for listener in change.closed {
            listener.drain.begin();
        }
    }

    /// The sockets of all listeners that are open, as descriptors of their own for another process.
    ///
    /// # Errors
    /// When the process has too many.
    pub fn sockets(&self) -> io::Result<Vec<OwnedFd>> {
        let open: Vec<Arc<Listener>> = self.known().iter().filter_map(Weak::upgrade).collect();
        let mut sockets = Vec::new();
        for listener in open {
            sockets.extend(listener.sockets()?);
        }
        Ok(sockets)
    }

    /// The other process that has them does not take those who connect, after all.
    pub fn keep(&self) {
        self.known().iter().filter_map(Weak::upgrade).for_each(|listener| listener.keep());
    }

    pub(super) fn know(&self, listener: &Arc<Listener>) {
        let mut known = self.known();
        known.retain(|known| known.strong_count() > 0);
        known.push(Arc::downgrade(listener));
    }

    /// To every worker its sockets: there are at least as many as workers, and more when a process had more of those.
    fn deal<T>(&self, sockets: Vec<T>) -> impl Iterator<Item = (&mpsc::Sender<Opening>, T)> {
        self.queues.iter().cycle().zip(sockets)
    }

    fn known(&self) -> MutexGuard<'_, Vec<Weak<Listener>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
