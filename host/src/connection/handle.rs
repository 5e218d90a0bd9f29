//! What a connection's gate and the handling of its requests tell each other.

use super::gate::Violation;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::task::Waker;

/// Shared by the reading of an HTTP/1 connection and the handling of its requests.
#[derive(Debug, Clone, Default)]
pub struct GateHandle(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    violation: OnceLock<Violation>,
    upgrade: AtomicU8,
    /// How many requests have started when the one that asks to upgrade is being handled: others may be before it.
    upgrade_at: AtomicU64,
    reader: Mutex<Option<Waker>>,
    started: AtomicU64,
    finished: AtomicU64,
    resting: AtomicBool,
}

/// Where a request to upgrade stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Upgrade {
    /// There is none.
    None,
    /// It waits for its answer.
    Pending,
    /// Granted.
    Upgraded,
    /// Not granted.
    Declined,
}

impl GateHandle {
    /// The rule that the connection broke. When a request body ends with an error this is the reason, if the client
    /// is to blame for it.
    pub fn violation(&self) -> Option<&Violation> {
        self.0.violation.get()
    }

    /// Whether the request at hand (HTTP/1 has one at a time) asks to speak WebSocket. Other upgrades are ignored, as RFC 9110, section 7.8,
    /// allows, and their headers go the way of all hop-by-hop ones.
    pub fn wants_upgrade(&self) -> bool {
        self.upgrade() == Upgrade::Pending
            && self.0.upgrade_at.load(Ordering::Relaxed) == self.0.started.load(Ordering::Relaxed)
    }

    pub(super) fn fail(&self, violation: Violation) {
        // A connection breaks one rule: the gate stops at the first.
        let _ = self.0.violation.set(violation);
    }

    /// The rule that one request broke.
    pub(super) fn violation_of(&self, number: u64) -> Option<&Violation> {
        self.violation().filter(|violation| violation.message == number)
    }

    /// Counts a request in: its number on this connection.
    pub(super) fn start(&self) -> u64 {
        self.0.started.fetch_add(1, Ordering::Relaxed)
    }

    pub(super) fn finish(&self) {
        self.0.finished.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn finished(&self) -> u64 {
        self.0.finished.load(Ordering::Relaxed)
    }

    /// Says whether the connection waits for its next request and has nothing left to do.
    pub(super) fn set_resting(&self, resting: bool) {
        self.0.resting.store(resting, Ordering::Relaxed);
    }

    /// Whether it has had nothing to do since so many requests were finished.
    pub(super) fn has_rested(&self, finished: u64) -> bool {
        let shared = &self.0;
        shared.resting.load(Ordering::Relaxed)
            && shared.finished.load(Ordering::Relaxed) == finished
            && shared.started.load(Ordering::Relaxed) == finished
    }

    /// The last of so many requests asks to upgrade.
    pub(super) fn hold(&self, messages: u64) {
        self.0.upgrade_at.store(messages, Ordering::Relaxed);
        self.set_upgrade(Upgrade::Pending);
    }

    /// Answers the request to upgrade, if it is the one at hand, and lets the reader go on.
    pub(super) fn settle(&self, granted: bool) {
        if self.wants_upgrade() {
            self.set_upgrade(if granted { Upgrade::Upgraded } else { Upgrade::Declined });
            let reader = self.0.reader.lock().unwrap_or_else(PoisonError::into_inner).take();
            if let Some(reader) = reader {
                reader.wake();
            }
        }
    }

    /// The answer, for the reader; `waker` is woken when it comes. Ends the request to upgrade.
    pub(super) fn answer(&self, waker: &Waker) -> Upgrade {
        *self.0.reader.lock().unwrap_or_else(PoisonError::into_inner) = Some(waker.clone());
        let upgrade = self.upgrade();
        if upgrade != Upgrade::Pending {
            self.set_upgrade(Upgrade::None);
        }
        upgrade
    }

    fn upgrade(&self) -> Upgrade {
        match self.0.upgrade.load(Ordering::Acquire) {
            0 => Upgrade::None,
            1 => Upgrade::Pending,
            2 => Upgrade::Upgraded,
            _ => Upgrade::Declined,
        }
    }

    fn set_upgrade(&self, upgrade: Upgrade) {
        self.0.upgrade.store(upgrade as u8, Ordering::Release);
    }
}
