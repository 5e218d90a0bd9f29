//! How much the calls of one request may hold in memory at a time.

use crate::config::limits;
use std::sync::atomic::{AtomicU64, Ordering};

/// The bytes that are left to the calls of a plan, which take theirs as they arrive. The filter has them all before the
/// next plan begins.
#[derive(Debug)]
pub(super) struct Budget(AtomicU64);

impl Default for Budget {
    fn default() -> Self {
        Self(AtomicU64::new(limits::PLAN_BODIES))
    }
}

impl Budget {
    /// A budget of so many bytes.
    pub(super) fn of(bytes: u64) -> Self {
        Self(AtomicU64::new(bytes))
    }

    /// Takes so many bytes, if they are left.
    pub(super) fn take(&self, bytes: u64) -> bool {
        self.0.try_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(bytes)).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_left_is_not_taken() {
        let budget = Budget::of(10);
        assert!(budget.take(7) && !budget.take(4) && budget.take(3) && !budget.take(1));
    }
}
