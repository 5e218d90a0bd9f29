//! Workers: threads that each serve their own connections on their own single-threaded runtime.
//!
//! A connection stays on the worker that accepted it, and so does everything done for it: its upstream connections,
//! its filter instances. Nothing on the way of a request is shared between workers but immutable snapshots.

mod accept;
mod doors;
mod serve;
mod slot;
mod starvation;
mod tidy;

pub use doors::Doors;
pub use slot::{count, index, reserve};

use crate::admission::{Admission, ConnectionLimits};
use crate::config::limits;
use crate::connection::{Handler, Timeouts};
use crate::drain::{Drain, Drained};
use crate::listener::{self, BindError, Inherited, Listener};
use accept::Worker;
use doors::Opening;
use starvation::Starvation;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::mpsc;

/// Listeners on their way to a worker, which takes them up at once; a full queue makes the reload wait.
const OPENINGS: usize = 64;

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
        let (admission, starvation) = (Admission::new(settings.connections), Arc::<Starvation>::default());
        let mut workers = Self { addresses, drain: drain.clone(), threads: Vec::with_capacity(count), doors };
        for (index, (share, queue)) in shares.into_iter().zip(queues).enumerate() {
            let (handler, drain, admission) = (Arc::clone(handler), drain.clone(), Arc::clone(&admission));
            let (timeouts, grace, starvation) = (settings.timeouts, settings.drain, Arc::clone(&starvation));
            let worker = Worker { handler, drain, admission, timeouts, grace, starvation };
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

#[cfg(test)]
mod tests;
