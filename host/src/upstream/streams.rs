//! The HTTP/2 connections to an endpoint: each worker has its own, and shares it among its requests.
//!
//! A connection that is lost, refuses new streams (GOAWAY) or has done what its policy allows takes no further request;
//! the next one makes another. Streams that are open go on to their end. When one connection carries all the streams
//! that it may, another is made beside it. Where a policy limits streams or connections and no other may be made, requests wait
//! for one of those that are on the way to end; a worker may always have one connection to an endpoint, as in Envoy.

mod dialling;

use super::alternatives::Alternatives;
use super::connect::ConnectError;
use super::limit::Counted;
use super::policy::ConnectionPool;
use super::slots::{Slot, Slots};
use super::state::now;
use super::wire::{Tls, TlsId};
use crate::body::ProxyBody;
use crate::config::limits;
use dialling::Dialling;
use hyper::client::conn::http2::SendRequest;
use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread::ThreadId;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};

/// All HTTP/2 connections to one endpoint.
#[derive(Debug, Default)]
pub(super) struct Streams(Mutex<HashMap<Key, Shared>>);

/// The worker, and the TLS that is spoken.
type Key = (ThreadId, Option<TlsId>);

/// What one who waits gets.
type Handed = Result<Stream, ConnectError>;

/// Those of one worker, with the same TLS.
#[derive(Debug, Default)]
struct Shared {
    connections: Vec<Connection>,
    /// Who waits for a connection that is being made or, where no other may be made, for a stream to end.
    waiting: VecDeque<oneshot::Sender<Handed>>,
    /// Whether a connection is being made.
    dialling: bool,
}

#[derive(Debug)]
struct Connection {
    sender: SendRequest<ProxyBody>,
    /// Where it leads.
    address: SocketAddr,
    usage: Arc<Usage>,
    opened: Instant,
    served: u32,
    /// Where to say that a stream has ended; none where nobody waits for that.
    line: Option<Arc<Line>>,
}

#[derive(Debug)]
struct Usage {
    /// Requests whose response has not ended.
    active: AtomicU32,
    /// When the last one ended, as [`now`] has it.
    rested: AtomicU64,
}

/// Where requests wait for a stream of a connection that may not have more.
#[derive(Debug)]
struct Line {
    streams: Weak<Streams>,
    key: Key,
    dial: Dial,
}

/// The right to one stream of a connection; it ends with the exchange.
#[derive(Debug)]
pub(super) struct Stream {
    /// Sends the request.
    pub(super) sender: SendRequest<ProxyBody>,
    /// Where its connection leads.
    pub(super) address: SocketAddr,
    /// Whether it is the connection's first.
    pub(super) first: bool,
    usage: Arc<Usage>,
    line: Option<Arc<Line>>,
}

/// What a connection is made of and for.
#[derive(Debug, Clone)]
pub(super) struct Dial {
    pub(super) address: SocketAddr,
    /// Where else the endpoint may be reached.
    pub(super) alternatives: Option<Arc<Alternatives>>,
    pub(super) tls: Option<Arc<Tls>>,
    /// For the connection to be made.
    pub(super) limit: Duration,
    pub(super) pool: ConnectionPool,
    /// Where the cluster's connections are counted; none where its policy does not rule them.
    pub(super) slots: Option<Arc<Slots>>,
}

/// Why there is no stream.
#[derive(Debug)]
pub(super) enum NoStream {
    /// No connection could be made.
    Failed(ConnectError),
    /// None was made in time.
    TimedOut,
    /// Too many requests wait already.
    Overflow,
}

enum Entry {
    Now(Stream),
    /// In turn; with what is counted meanwhile, and the connection that the caller is to begin.
    Wait(oneshot::Receiver<Handed>, Counted, Option<Permit>),
    /// Too many wait.
    Full,
}

/// The right to make a connection, counted where that matters.
#[derive(Debug)]
struct Permit(Option<Slot>);

impl Dial {
    /// Whether streams have to keep to limits, so that requests wait rather than share what is full.
    fn is_limited(&self) -> bool {
        self.pool.max_streams.is_some() || self.pool.max_connections.is_some()
    }
}

impl Streams {
    /// A stream of this worker's, on a connection that is there or is made. `wait` counts one who has to wait; it gives
    /// none when too many do.
    pub(super) async fn open(
        self: &Arc<Self>,
        dial: Dial,
        deadline: Instant,
        wait: impl FnOnce() -> Option<Counted>,
    ) -> Result<Stream, NoStream> {
        let key = (std::thread::current().id(), dial.tls.as_ref().map(|tls| tls.id));
        let (receiver, _waiting) = match self.enter(key, &dial, wait) {
            Entry::Now(stream) => return Ok(stream),
            Entry::Full => return Err(NoStream::Overflow),
            Entry::Wait(receiver, waiting, permit) => {
                if let Some(permit) = permit {
                    // Of its own, since others wait for it even when who began it goes away.
                    tokio::spawn(Dialling::new(self, key).run(dial, permit));
                }
                (receiver, waiting)
            }
        };
        match timeout_at(deadline, receiver).await {
            Err(_) => Err(NoStream::TimedOut),
            Ok(Ok(made)) => made.map_err(NoStream::Failed),
            Ok(Err(_)) => Err(NoStream::Failed(ConnectError::GivenUp)),
        }
    }

    fn enter(&self, key: Key, dial: &Dial, wait: impl FnOnce() -> Option<Counted>) -> Entry {
        let mut all = self.lock();
        let shared = all.entry(key).or_default();
        // Who waits already goes first.
        shared.waiting.retain(|waiting| !waiting.is_closed());
        if let Some(stream) = shared.waiting.is_empty().then(|| shared.take(dial)).flatten() {
            return Entry::Now(stream);
        }
        let Some(waits) = wait() else { return Entry::Full };
        let (sender, receiver) = oneshot::channel();
        shared.waiting.push_back(sender);
        Entry::Wait(receiver, waits, shared.begin(dial))
    }

    /// Gives a stream that has ended to whoever waits for one, or begins a connection for them.
    fn ended(self: &Arc<Self>, line: &Line) {
        loop {
            let mut all = self.lock();
            let Some(shared) = all.get_mut(&line.key) else { return };
            shared.waiting.retain(|waiting| !waiting.is_closed());
            if shared.waiting.is_empty() {
                return;
            }
            let Some(stream) = shared.take(&line.dial) else {
                let permit = shared.begin(&line.dial);
                drop(all);
                // Without a runtime the worker has ended, and so have those who wait.
                if let Some((permit, runtime)) = permit.zip(tokio::runtime::Handle::try_current().ok()) {
                    runtime.spawn(Dialling::new(self, line.key).run(line.dial.clone(), permit));
                }
                return;
            };
            let next = shared.waiting.pop_front();
            drop(all);
            // One who has gone away just now drops the stream, which then goes to the next.
            drop(next.map(|next| next.send(Ok(stream))));
        }
    }

    /// How many connections there are, of all workers.
    #[cfg(test)]
    pub(super) fn connections(&self) -> usize {
        self.lock().values().map(|shared| shared.connections.len()).sum()
    }

    fn forget(&self, usage: &Arc<Usage>) {
        self.lock().retain(|_, shared| {
            shared.connections.retain(|connection| !Arc::ptr_eq(&connection.usage, usage));
            !shared.connections.is_empty() || shared.dialling || !shared.waiting.is_empty()
        });
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Shared>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shared {
    /// A stream on the connection that has room, if any; past the limit of connections, and where no policy limits
    /// streams, on the one with the fewest.
    fn take(&mut self, dial: &Dial) -> Option<Stream> {
        self.connections.retain(|connection| connection.is_usable(&dial.pool));
        let most = dial.pool.max_streams.unwrap_or(limits::UPSTREAM_H2_STREAMS);
        let shares = self.is_full() && !dial.is_limited();
        let active = |connection: &Connection| connection.usage.active.load(Ordering::Relaxed);
        let free = self.connections.iter_mut().filter(|connection| shares || active(connection) < most);
        free.min_by_key(|connection| active(connection)).map(Connection::stream)
    }

    fn is_full(&self) -> bool {
        self.connections.len() >= limits::UPSTREAM_H2_CONNECTIONS
    }

    /// The right to make a connection, unless one is being made or no other may be.
    fn begin(&mut self, dial: &Dial) -> Option<Permit> {
        if self.dialling || self.is_full() {
            return None;
        }
        let permit = match &dial.slots {
            None => Permit(None),
            Some(slots) => Permit(Some(slots.count(dial.pool.max_connections, self.connections.is_empty())?)),
        };
        self.dialling = true;
        Some(permit)
    }
}

impl Connection {
    fn is_usable(&self, pool: &ConnectionPool) -> bool {
        !self.sender.is_closed()
            && pool.max_requests_per_connection.is_none_or(|most| self.served < most)
            && pool.max_duration.is_none_or(|most| self.opened.elapsed() < most)
    }

    fn stream(&mut self) -> Stream {
        let first = self.served == 0;
        self.served = self.served.saturating_add(1);
        self.usage.active.fetch_add(1, Ordering::Relaxed);
        let (usage, line) = (Arc::clone(&self.usage), self.line.clone());
        Stream { sender: self.sender.clone(), address: self.address, first, usage, line }
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.usage.rested.store(now(), Ordering::Relaxed);
        self.usage.active.fetch_sub(1, Ordering::Relaxed);
        if let Some((streams, line)) = self.line.as_ref().and_then(|line| Some((line.streams.upgrade()?, line))) {
            streams.ended(line);
        }
    }
}
