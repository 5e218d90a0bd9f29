//! The HTTP/2 connections to an endpoint: each worker has its own, and shares it among its requests.
//!
//! A connection that is lost, refuses new streams (GOAWAY) or has done what its policy allows takes no further request;
//! the next one makes another. Streams that are open go on to their end. When one connection carries all the streams
//! that it may, another is made beside it.

use super::alternatives::Alternatives;
use super::connect::{ConnectError, Driver, Setup, connect_http2};
use super::policy::ConnectionPool;
use super::state::now;
use super::wire::{Tls, TlsId};
use crate::body::ProxyBody;
use crate::config::limits;
use hyper::client::conn::http2::SendRequest;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::ThreadId;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep, timeout_at};

/// All HTTP/2 connections to one endpoint.
#[derive(Debug, Default)]
pub(super) struct Streams(Mutex<HashMap<Key, Shared>>);

/// The worker, and the TLS that is spoken.
type Key = (ThreadId, Option<TlsId>);

/// Those of one worker, with the same TLS.
#[derive(Debug, Default)]
struct Shared {
    connections: Vec<Connection>,
    /// Who waits for the connection that is being made; none when there is none.
    waiting: Option<Vec<oneshot::Sender<Result<Stream, ConnectError>>>>,
}

#[derive(Debug)]
struct Connection {
    sender: SendRequest<ProxyBody>,
    /// Where it leads.
    address: SocketAddr,
    usage: Arc<Usage>,
    opened: Instant,
    served: u32,
}

#[derive(Debug)]
struct Usage {
    /// Requests whose response has not ended.
    active: AtomicU32,
    /// When the last one ended, as [`now`] has it.
    rested: AtomicU64,
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
}

/// Why there is no stream.
#[derive(Debug)]
pub(super) enum NoStream {
    /// No connection could be made.
    Failed(ConnectError),
    /// None was made in time.
    TimedOut,
}

enum Entry {
    Now(Stream),
    /// `true` when the connection is the caller's to make.
    Wait(oneshot::Receiver<Result<Stream, ConnectError>>, bool),
}

/// Ends the wait of all when a connection is not made after all, such as when its worker ends.
struct Dialling {
    streams: Arc<Streams>,
    key: Key,
}

impl Streams {
    /// A stream of this worker's, on a connection that is there or is made.
    pub(super) async fn open(self: &Arc<Self>, dial: Dial, deadline: Instant) -> Result<Stream, NoStream> {
        let key = (std::thread::current().id(), dial.tls.as_ref().map(|tls| tls.id));
        let receiver = match self.enter(key, &dial.pool) {
            Entry::Now(stream) => return Ok(stream),
            Entry::Wait(receiver, false) => receiver,
            Entry::Wait(receiver, true) => {
                let dialling = Dialling { streams: Arc::clone(self), key };
                // Of its own, since others wait for it even when who began it goes away.
                tokio::spawn(dialling.run(dial));
                receiver
            }
        };
        match timeout_at(deadline, receiver).await {
            Err(_) => Err(NoStream::TimedOut),
            Ok(Ok(made)) => made.map_err(NoStream::Failed),
            Ok(Err(_)) => Err(NoStream::Failed(ConnectError::GivenUp)),
        }
    }

    fn enter(&self, key: Key, pool: &ConnectionPool) -> Entry {
        let mut all = self.lock();
        let shared = all.entry(key).or_default();
        if let Some(stream) = shared.take(pool) {
            return Entry::Now(stream);
        }
        let (sender, receiver) = oneshot::channel();
        let first = shared.waiting.is_none();
        shared.waiting.get_or_insert_default().push(sender);
        Entry::Wait(receiver, first)
    }

    /// How many connections there are, of all workers.
    #[cfg(test)]
    pub(super) fn connections(&self) -> usize {
        self.lock().values().map(|shared| shared.connections.len()).sum()
    }

    fn forget(&self, usage: &Arc<Usage>) {
        self.lock().retain(|_, shared| {
            shared.connections.retain(|connection| !Arc::ptr_eq(&connection.usage, usage));
            !shared.connections.is_empty() || shared.waiting.is_some()
        });
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Shared>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shared {
    /// A stream on the connection that has room, if any; past the limit of connections, on the one with the fewest.
    fn take(&mut self, pool: &ConnectionPool) -> Option<Stream> {
        self.connections.retain(|connection| connection.is_usable(pool));
        let most = pool.max_streams.unwrap_or(limits::UPSTREAM_H2_STREAMS);
        let full = self.connections.len() >= limits::UPSTREAM_H2_CONNECTIONS;
        let active = |connection: &Connection| connection.usage.active.load(Ordering::Relaxed);
        let free = self.connections.iter_mut().filter(|connection| full || active(connection) < most);
        free.min_by_key(|connection| active(connection)).map(Connection::stream)
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
        Stream { sender: self.sender.clone(), address: self.address, first, usage: Arc::clone(&self.usage) }
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.usage.rested.store(now(), Ordering::Relaxed);
        self.usage.active.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Dialling {
    async fn run(self, dial: Dial) {
        let idle = dial.pool.idle_timeout.unwrap_or(limits::UPSTREAM_IDLE);
        loop {
            let (alternatives, keepalive) = (dial.alternatives.clone(), dial.pool.keepalive);
            let setup = Setup { alternatives, keepalive, tls: dial.tls.clone(), slot: None };
            let usage = Arc::new(Usage { active: AtomicU32::new(0), rested: AtomicU64::new(now()) });
            let made = connect_http2(dial.address, dial.limit, setup).await.map(|(sender, driver, address)| {
                tokio::spawn(drive(driver, address, Arc::clone(&self.streams), Arc::clone(&usage), idle));
                Connection { sender, address, usage, opened: Instant::now(), served: 0 }
            });
            if self.hand_out(made, &dial.pool) {
                return;
            }
        }
    }

    /// Gives those who wait their streams; whether nobody waits any more.
    fn hand_out(&self, made: Result<Connection, ConnectError>, pool: &ConnectionPool) -> bool {
        let mut all = self.streams.lock();
        let shared = all.entry(self.key).or_default();
        let mut waiting = shared.waiting.take().unwrap_or_default();
        let failed = match made {
            Ok(connection) => {
                shared.connections.push(connection);
                None
            }
            Err(error) => Some(error),
        };
        waiting.retain(|waiting| !waiting.is_closed());
        let mut first_come = waiting.into_iter();
        while let Some(waiting) = first_come.next() {
            let answer = match &failed {
                Some(error) => Err(error.clone()),
                None => {
                    if let Some(stream) = shared.take(pool) {
                        Ok(stream)
                    } else {
                        shared.waiting = Some(std::iter::once(waiting).chain(first_come).collect());
                        return false;
                    }
                }
            };
            // One who has gone away drops its stream.
            drop(waiting.send(answer));
        }
        true
    }
}

impl Drop for Dialling {
    fn drop(&mut self) {
        self.streams.lock().entry(self.key).or_default().waiting = None;
    }
}

/// Runs a connection to its end; one that nobody uses for long enough takes no new streams, and so ends.
async fn drive(mut driver: Driver, address: SocketAddr, streams: Arc<Streams>, usage: Arc<Usage>, idle: Duration) {
    let rests = async {
        if idle.is_zero() {
            return std::future::pending().await;
        }
        let idle_ms = u64::try_from(idle.as_millis()).unwrap_or(u64::MAX);
        let mut left = idle;
        loop {
            sleep(left.max(limits::UPSTREAM_H2_LOOK)).await;
            let busy = usage.active.load(Ordering::Relaxed) > 0;
            let rest = now().saturating_sub(usage.rested.load(Ordering::Relaxed));
            if !busy && rest >= idle_ms {
                return;
            }
            left = if busy { idle } else { Duration::from_millis(idle_ms.saturating_sub(rest)) };
        }
    };
    let ended = tokio::select! {
        ended = &mut driver => Some(ended),
        () = rests => None,
    };
    streams.forget(&usage);
    // What it still lacks is to say goodbye.
    let ended = match ended {
        Some(ended) => ended,
        None => driver.await,
    };
    if let Err(error) = ended {
        tracing::debug!(%address, %error, "an HTTP/2 connection to an upstream ended with an error");
    }
}
