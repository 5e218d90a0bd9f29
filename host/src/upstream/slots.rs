//! The connections of a cluster whose policy rules them: all workers share them, so that limits are exact.
//!
//! A worker takes its own idle connections first; those of others, which cost a change of threads, only when no more may
//! be opened. What is given back, or ends, goes to whoever waits longest.

use super::policy::{ConnectionPool, Policy};
use super::pool::Lease;
use super::wire::Tls;
use crate::body::ProxyBody;
use crate::config::limits;
use crate::timer::Timer;
use hyper::client::conn::http1::SendRequest;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread::ThreadId;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep};

/// All connections of a cluster.
#[derive(Debug, Default)]
pub(super) struct Slots(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    /// Connections that are open or being made.
    open: u32,
    /// The last one used stands last.
    idle: Vec<Idle>,
    waiting: VecDeque<Waiting>,
    swept: bool,
}

#[derive(Debug)]
struct Idle {
    sender: SendRequest<ProxyBody>,
    way: Way,
    /// Which of its endpoint's addresses it leads to.
    address: SocketAddr,
    timer: Timer,
    since: Instant,
    history: History,
    thread: ThreadId,
}

#[derive(Debug)]
struct Waiting {
    way: Way,
    sender: oneshot::Sender<Handed>,
}

/// The endpoint that a connection leads to, by its own address, and the TLS that is spoken on it: what else differs is another connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Way {
    pub(super) address: SocketAddr,
    pub(super) tls: Option<Arc<Tls>>,
}

/// What one who waits gets.
#[derive(Debug)]
pub(super) enum Handed {
    /// A connection to its endpoint.
    Connection(Lease),
    /// The right to make one.
    Slot(Slot),
}

/// How to come by a connection.
pub(super) enum Entry {
    /// At once.
    Now(Handed),
    /// When somebody is done.
    Wait(oneshot::Receiver<Handed>),
}

/// The right to one open connection; it ends with the connection.
#[derive(Debug)]
pub(super) struct Slot(Weak<Slots>);

/// Where a connection goes when its exchange has ended.
#[derive(Debug)]
pub(super) struct Home {
    way: Way,
    slots: Arc<Slots>,
    policy: Arc<Policy>,
    history: History,
}

/// What a connection has done.
#[derive(Debug, Clone, Copy)]
struct History {
    opened: Instant,
    served: u32,
}

impl Slots {
    /// An idle connection of this thread's.
    pub(super) fn reuse(self: &Arc<Self>, way: &Way, policy: &Arc<Policy>) -> Option<Lease> {
        let here = std::thread::current().id();
        self.lock()
            .take(&policy.pool, |idle| idle.way == *way && idle.thread == here)
            .map(|idle| self.lease(idle, policy))
    }

    /// A slot, any idle connection of that way, or a place in the queue.
    pub(super) fn enter(self: &Arc<Self>, way: Way, policy: &Arc<Policy>) -> Entry {
        let mut inner = self.lock();
        if policy.pool.max_connections.is_none_or(|most| inner.open < most) {
            inner.open += 1;
            return Entry::Now(Handed::Slot(Slot(Arc::downgrade(self))));
        }
        if let Some(idle) = inner.take(&policy.pool, |idle| idle.way == way) {
            return Entry::Now(Handed::Connection(self.lease(idle, policy)));
        }
        // One to another endpoint makes room; its slot comes here once it has ended.
        drop(inner.take(&policy.pool, |_| true));
        let (sender, receiver) = oneshot::channel();
        inner.waiting.push_back(Waiting { way, sender });
        Entry::Wait(receiver)
    }

    /// The right to one more connection, of those that nobody gives back; `beyond` gives it whatever the limit is.
    pub(super) fn count(self: &Arc<Self>, most: Option<u32>, beyond: bool) -> Option<Slot> {
        let mut inner = self.lock();
        if !beyond && most.is_some_and(|most| inner.open >= most) {
            return None;
        }
        inner.open += 1;
        Some(Slot(Arc::downgrade(self)))
    }

    /// How many connections are open or being made.
    pub(super) fn open(&self) -> u32 {
        self.lock().open
    }

    /// Where a new connection goes after its exchange.
    pub(super) fn home(self: &Arc<Self>, way: Way, policy: &Arc<Policy>) -> Home {
        let history = History { opened: Instant::now(), served: 0 };
        Home { way, slots: Arc::clone(self), policy: Arc::clone(policy), history }
    }

    fn lease(self: &Arc<Self>, idle: Idle, policy: &Arc<Policy>) -> Lease {
        let Idle { sender, way, address, timer, since, history, .. } = idle;
        let tls = way.tls.clone();
        let home = Home { way, slots: Arc::clone(self), policy: Arc::clone(policy), history };
        Lease { sender, address, tls, idle: Some(since.elapsed()), timer, home: Some(home) }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Closes what has been idle for too long. Returns whether anything is left.
    fn sweep(&self, pool: &ConnectionPool) -> bool {
        let mut inner = self.lock();
        inner.idle.retain(|idle| idle.is_usable(pool));
        inner.swept = !inner.idle.is_empty();
        inner.swept
    }
}

impl Inner {
    /// The idle connection that was used last of those wanted.
    fn take(&mut self, pool: &ConnectionPool, wanted: impl Fn(&Idle) -> bool) -> Option<Idle> {
        loop {
            let place = self.idle.iter().rposition(&wanted)?;
            let idle = self.idle.remove(place);
            // One that is not ready still sends the rest of a request that was answered early.
            if idle.is_usable(pool) && idle.sender.is_ready() {
                return Some(idle);
            }
        }
    }
}

impl Idle {
    fn is_usable(&self, pool: &ConnectionPool) -> bool {
        let limit = pool.idle_timeout.unwrap_or(limits::UPSTREAM_IDLE);
        !self.sender.is_closed() && (limit.is_zero() || self.since.elapsed() <= limit)
    }
}

impl Home {
    /// Keeps a connection for the next exchange, or gives it to one who waits for it.
    pub(super) fn take_in(self, lease: Lease) {
        let Lease { sender, address, timer, .. } = lease;
        let Self { way, slots, policy, mut history } = self;
        history.served = history.served.saturating_add(1);
        if history.is_over(&policy.pool) {
            return;
        }
        let (since, thread) = (Instant::now(), std::thread::current().id());
        let idle = Idle { sender, way: way.clone(), address, timer, since, history, thread };
        let mut inner = slots.lock();
        inner.waiting.retain(|waiting| !waiting.sender.is_closed());
        if let Some(first) = inner.waiting.pop_front_if(|first| first.way == way) {
            drop(inner);
            // One who has gone away closes the connection, and its slot goes to the next.
            let _ = first.sender.send(Handed::Connection(slots.lease(idle, &policy)));
            return;
        }
        if !inner.waiting.is_empty() {
            // Who waits longest waits for another endpoint: closing this connection makes room, even if others wait for it.
            return;
        }
        inner.idle.push(idle);
        if !std::mem::replace(&mut inner.swept, true) {
            drop(inner);
            tokio::spawn(sweep(Arc::downgrade(&slots), policy));
        }
    }
}

impl History {
    fn is_over(&self, pool: &ConnectionPool) -> bool {
        pool.max_requests_per_connection.is_some_and(|most| self.served >= most)
            || pool.max_duration.is_some_and(|most| self.opened.elapsed() >= most)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let Some(slots) = self.0.upgrade() else { return };
        loop {
            // Nobody can join the queue between the look at it and the count.
            let next = {
                let mut inner = slots.lock();
                let next = inner.waiting.pop_front();
                if next.is_none() {
                    inner.open = inner.open.saturating_sub(1);
                }
                next
            };
            let Some(next) = next else { return };
            match next.sender.send(Handed::Slot(Self(self.0.clone()))) {
                Ok(()) => return,
                // It has gone away; its slot is this one still.
                Err(Handed::Slot(mut slot)) => slot.0 = Weak::new(),
                Err(Handed::Connection(_)) => {}
            }
        }
    }
}

/// Runs while there is something to sweep.
async fn sweep(slots: Weak<Slots>, policy: Arc<Policy>) {
    let pause = policy.pool.idle_timeout.filter(|limit| !limit.is_zero()).unwrap_or(limits::UPSTREAM_SWEEP);
    let pause = pause.clamp(Duration::from_millis(100), limits::UPSTREAM_SWEEP);
    loop {
        sleep(pause).await;
        let Some(slots) = slots.upgrade() else { return };
        if !slots.sweep(&policy.pool) {
            return;
        }
    }
}
