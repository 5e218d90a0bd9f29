//! Waiting: for a condition with a deadline, and for Ctrl-C.

use anyhow::{Context, Result};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Between two looks at a condition: short for a person, nothing for a core.
const LOOK: Duration = Duration::from_millis(50);

/// Ctrl-C, or a polite request to end, as something to look at. While it exists neither ends the program by itself, so
/// that whatever was started can be ended first.
#[derive(Debug, Clone)]
pub(crate) struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// Takes over SIGINT and SIGTERM.
    pub(crate) fn install() -> Result<Self> {
        let flag = Arc::new(AtomicBool::new(false));
        for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
            signal_hook::flag::register(signal, Arc::clone(&flag)).context("signals cannot be handled")?;
        }
        Ok(Self(flag))
    }

    /// Whether it has come.
    pub(crate) fn came(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

/// Looks at a condition until it holds or the time is over; says whether it holds.
pub(crate) fn until(limit: Duration, mut condition: impl FnMut() -> bool) -> bool {
    let end = Instant::now() + limit;
    loop {
        if condition() {
            return true;
        }
        if Instant::now() >= end {
            return false;
        }
        pause();
    }
}

/// Waits a moment.
#[allow(clippy::disallowed_methods, reason = "this program serves nobody; there is no worker to block")]
pub(crate) fn pause() {
    std::thread::sleep(LOOK);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_condition_that_never_holds_ends_with_the_time() {
        let start = Instant::now();
        assert!(!until(Duration::from_millis(120), || false));
        assert!(start.elapsed() >= Duration::from_millis(120));
    }

    #[test]
    fn a_condition_is_looked_at_again() {
        let mut looks = 0;
        assert!(until(Duration::from_secs(5), || {
            looks += 1;
            looks == 3
        }));
    }
}
