//! Whether connections can be accepted, as the log says it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Without a failure for so long, connections are accepted again: one that gives its place to another is no sign of that.
const CALM: Duration = Duration::from_secs(1);

/// Failures of all workers to accept connections for want of descriptors or memory.
#[derive(Debug)]
pub(super) struct Starvation {
    epoch: Instant,
    /// When the last failure was, in milliseconds behind one before the epoch; 0 once that is over.
    last: AtomicU64,
}

impl Default for Starvation {
    fn default() -> Self {
        Self { epoch: Instant::now(), last: AtomicU64::new(0) }
    }
}

impl Starvation {
    /// Notes a failure; true for the first one.
    pub(super) fn begins(&self) -> bool {
        self.last.swap(self.now(), Ordering::Relaxed) == 0
    }

    /// Notes that a connection was accepted; true when that is possible again.
    pub(super) fn ends(&self) -> bool {
        // A load, as it is nearly never so.
        let last = self.last.load(Ordering::Relaxed);
        last != 0
            && self.now().saturating_sub(last) >= CALM.as_millis().try_into().unwrap_or(u64::MAX)
            && self.last.compare_exchange(last, 0, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    fn now(&self) -> u64 {
        u64::try_from(self.epoch.elapsed().as_millis()).unwrap_or(u64::MAX).saturating_add(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_begins_once_and_ends_once_when_it_was_calm() {
        let starvation = Starvation::default();
        assert!(!starvation.ends());
        assert!(starvation.begins());
        assert!(!starvation.begins() && !starvation.ends());
        let later =
            Starvation { epoch: Instant::now().checked_sub(CALM * 2).expect("a clock"), last: AtomicU64::new(1) };
        assert!(later.ends() && !later.ends() && later.begins());
    }
}
