//! Makes a connection for all that wait for one, and runs it to its end.

use super::super::connect::{ConnectError, Driver, Multiplexed, Setup, connect_http2};
use super::super::slots::Slot;
use super::super::state::now;
use super::{Connection, Dial, Key, Line, Permit, Streams, Usage};
use crate::config::limits;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// A connection that is being made. Ends the wait of all when it is not made after all, such as when its worker ends.
pub(super) struct Dialling {
    streams: Arc<Streams>,
    key: Key,
}

impl Dialling {
    pub(super) fn new(streams: &Arc<Streams>, key: Key) -> Self {
        Self { streams: Arc::clone(streams), key }
    }

    pub(super) async fn run(self, dial: Dial, permit: Permit) {
        let idle = dial.pool.idle_timeout.unwrap_or(limits::UPSTREAM_IDLE);
        let mut next = Some(permit);
        while let Some(Permit(slot)) = next.take() {
            let (alternatives, keepalive) = (dial.alternatives.clone(), dial.pool.keepalive);
            let streams = dial.pool.max_streams;
            let setup = Setup { alternatives, keepalive, tls: dial.tls.clone(), slot: None, streams };
            let made = connect_http2(dial.address, dial.limit, setup).await.map(|made| {
                let Multiplexed { sender, driver, address, tunnels } = made;
                let usage = Arc::new(Usage { active: AtomicU32::new(0), rested: AtomicU64::new(now()), tunnels });
                tokio::spawn(drive(driver, address, slot, Arc::clone(&self.streams), Arc::clone(&usage), idle));
                let line = Line { streams: Arc::downgrade(&self.streams), key: self.key, dial: dial.clone() };
                let line = dial.is_limited().then(|| Arc::new(line));
                Connection { sender, address, usage, opened: Instant::now(), served: 0, line }
            });
            next = self.hand_out(made, &dial);
        }
    }

    /// Gives those who wait their streams; the right to make another connection, when some wait still.
    fn hand_out(&self, made: Result<Connection, ConnectError>, dial: &Dial) -> Option<Permit> {
        let mut all = self.streams.lock();
        let shared = all.entry(self.key).or_default();
        shared.dialling = false;
        let failed = match made {
            Ok(connection) => {
                shared.connections.push(connection);
                None
            }
            Err(error) => Some(error),
        };
        let (mut unwanted, mut next) = (Vec::new(), None);
        while let Some(waiting) = shared.waiting.pop_front() {
            if waiting.is_closed() {
                continue;
            }
            let answer = match (&failed, shared.take(dial)) {
                (_, Some(stream)) => Ok(stream),
                (Some(error), None) => Err(error.clone()),
                (None, None) => {
                    shared.waiting.push_front(waiting);
                    next = shared.begin(dial);
                    break;
                }
            };
            unwanted.extend(waiting.send(answer).err());
        }
        drop(all);
        // Streams of those who have gone away are given on, which takes the lock again.
        drop(unwanted);
        next
    }
}

impl Drop for Dialling {
    fn drop(&mut self) {
        let left = {
            let mut all = self.streams.lock();
            let shared = all.entry(self.key).or_default();
            let ends = std::mem::take(&mut shared.dialling);
            if ends { std::mem::take(&mut shared.waiting) } else { std::collections::VecDeque::new() }
        };
        drop(left);
    }
}

/// Runs a connection to its end; one that nobody uses for long enough takes no new streams, and so ends.
async fn drive(
    mut driver: Driver,
    address: SocketAddr,
    slot: Option<Slot>,
    streams: Arc<Streams>,
    usage: Arc<Usage>,
    idle: Duration,
) {
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
    drop(slot);
    if let Err(error) = ended {
        tracing::debug!(%address, %error, "an HTTP/2 connection to an upstream ended with an error");
    }
}
