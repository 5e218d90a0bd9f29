//! Connections to upstreams between two exchanges, kept by the worker that made them.
//!
//! A worker is one thread, so its idle connections need no lock. A connection comes back only after an exchange that
//! ended well on both sides; the most recently used one goes out first, which lets the others grow old and be closed.

use super::connect::{ConnectError, Setup, connect};
use super::slots::Home;
use super::wire::{Tls, TlsId};
use crate::body::ProxyBody;
use crate::config::limits;
use crate::timer::Timer;
use hyper::client::conn::http1::SendRequest;
use std::cell::RefCell;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep};

thread_local! {
    static POOL: RefCell<Pool> = RefCell::default();
}

/// A connection in use by one exchange. Dropping it closes the connection.
#[derive(Debug)]
pub(super) struct Lease {
    /// Sends the request.
    pub(super) sender: SendRequest<ProxyBody>,
    /// Where it leads.
    pub(super) address: SocketAddr,
    /// The TLS that is spoken on it.
    pub(super) tls: Option<Arc<Tls>>,
    /// How long it was idle; none for a new one.
    pub(super) idle: Option<Duration>,
    /// Where it goes after the exchange, when a policy rules its cluster's connections.
    pub(super) home: Option<Home>,
    /// For the deadlines of its exchanges, one after the other.
    pub(super) timer: Timer,
}

#[derive(Default)]
struct Pool {
    idle: HashMap<SocketAddr, Vec<Idle>>,
    /// Those with TLS: what was agreed on with other settings is another connection.
    secure: HashMap<(SocketAddr, TlsId), Vec<Idle>>,
    swept: bool,
}

struct Idle {
    sender: SendRequest<ProxyBody>,
    timer: Timer,
    since: Instant,
}

/// Resets the pool's mark when the sweeper ends, even with its runtime.
struct Sweeper;

/// Closes the calling thread's idle connections.
#[cfg(test)]
pub(super) fn close_idle() {
    POOL.with_borrow_mut(|pool| {
        pool.idle.clear();
        pool.secure.clear();
    });
}

impl Lease {
    /// An idle connection without TLS, if there is one that can be used at once.
    pub(super) fn reuse(address: SocketAddr, now: Instant) -> Option<Self> {
        let Idle { sender, timer, since } = POOL.with_borrow_mut(|pool| take(pool.idle.get_mut(&address)?, now))?;
        let idle = Some(now.saturating_duration_since(since));
        Some(Self { sender, address, tls: None, idle, timer, home: None })
    }

    /// The same with TLS.
    pub(super) fn reuse_secure(address: SocketAddr, tls: &Arc<Tls>, now: Instant) -> Option<Self> {
        let key = (address, tls.id);
        let Idle { sender, timer, since } = POOL.with_borrow_mut(|pool| take(pool.secure.get_mut(&key)?, now))?;
        let idle = Some(now.saturating_duration_since(since));
        Some(Self { sender, address, tls: Some(Arc::clone(tls)), idle, timer, home: None })
    }

    /// A new connection, within `limit`.
    pub(super) async fn open(address: SocketAddr, limit: Duration, setup: Setup) -> Result<Self, ConnectError> {
        let tls = setup.tls.clone();
        let (sender, address) = connect(address, limit, setup).await?;
        Ok(Self { sender, address, tls, idle: None, timer: Timer::default(), home: None })
    }

    /// Keeps the connection for the next exchange, unless it is closed or there are enough.
    pub(super) fn give_back(mut self) {
        if self.sender.is_closed() {
            return;
        }
        if let Some(home) = self.home.take() {
            return home.take_in(self);
        }
        // During the thread's end there is no pool any more, and the connection just closes.
        let sweep = POOL.try_with(|pool| pool.borrow_mut().put(self)).unwrap_or(false);
        if sweep {
            tokio::spawn(sweep_until_empty(Sweeper));
        }
    }
}

impl Pool {
    /// Whether a sweeper is wanted.
    fn put(&mut self, lease: Lease) -> bool {
        let idle = match &lease.tls {
            None => self.idle.entry(lease.address).or_default(),
            Some(tls) => self.secure.entry((lease.address, tls.id)).or_default(),
        };
        if idle.len() < limits::UPSTREAM_IDLE_CONNECTIONS {
            idle.push(Idle { sender: lease.sender, timer: lease.timer, since: Instant::now() });
        }
        !std::mem::replace(&mut self.swept, true)
    }

    fn sweep(&mut self) {
        self.idle.retain(|_, idle| sweep(idle));
        self.secure.retain(|_, idle| sweep(idle));
    }

    fn is_empty(&self) -> bool {
        self.idle.is_empty() && self.secure.is_empty()
    }
}

/// The one used last that can be used at once.
fn take(idle: &mut Vec<Idle>, now: Instant) -> Option<Idle> {
    while let Some(last) = idle.pop() {
        let age = now.saturating_duration_since(last.since);
        // One that is not ready still sends the rest of a request that was answered early.
        if age <= limits::UPSTREAM_IDLE && last.sender.is_ready() {
            return Some(last);
        }
    }
    None
}

/// Whether any is left.
fn sweep(idle: &mut Vec<Idle>) -> bool {
    idle.retain(|idle| !idle.sender.is_closed() && idle.since.elapsed() <= limits::UPSTREAM_IDLE);
    !idle.is_empty()
}

/// Runs only while there is something to sweep.
async fn sweep_until_empty(_sweeper: Sweeper) {
    loop {
        sleep(limits::UPSTREAM_SWEEP).await;
        let empty = POOL.with_borrow_mut(|pool| {
            pool.sweep();
            pool.is_empty()
        });
        if empty {
            return;
        }
    }
}

impl Drop for Sweeper {
    fn drop(&mut self) {
        let _ = POOL.try_with(|pool| pool.borrow_mut().swept = false);
    }
}
