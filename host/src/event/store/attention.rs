//! Whether somebody reads what comes, so that it is kept for them.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// How long events are kept for a reader that does not come back: more than a browser or an operator takes to.
const PATIENCE: Duration = Duration::from_mins(5);

/// Attention that is paid for a while after each look.
#[derive(Debug)]
pub(in crate::event) struct Attention {
    started: Instant,
    /// Until so many milliseconds after `started`; 0 says that nobody has looked since it ended last.
    until: AtomicU64,
}

impl Default for Attention {
    fn default() -> Self {
        Self { started: Instant::now(), until: AtomicU64::new(0) }
    }
}

impl Attention {
    /// Somebody looks.
    pub(in crate::event) fn pay(&self) {
        self.until.store(self.now().saturating_add(milliseconds(PATIENCE)), Ordering::Relaxed);
    }

    /// Whether somebody has looked lately. Costs no look at the clock where nobody has for long.
    pub(in crate::event) fn is_paid(&self) -> bool {
        let until = self.until.load(Ordering::Relaxed);
        if until == 0 {
            return false;
        }
        let paid = self.now() < until;
        if !paid {
            // Somebody may have looked meanwhile, and then it stays.
            let _ = self.until.compare_exchange(until, 0, Ordering::Relaxed, Ordering::Relaxed);
        }
        paid
    }

    fn now(&self) -> u64 {
        milliseconds(self.started.elapsed())
    }
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
