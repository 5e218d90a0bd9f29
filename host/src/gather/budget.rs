//! How much the calls of one plan may hold in memory.

use crate::config::limits;
use std::sync::atomic::{AtomicU64, Ordering};

/// The bytes that are left to the calls of a plan. The filter has what they read before the next plan begins.
#[derive(Debug)]
pub(super) struct Budget(AtomicU64);

/// What one call has taken. It is given back when the call fails, that is, when this is dropped without being kept.
#[derive(Debug)]
pub(super) struct Taken<'a> {
    budget: &'a Budget,
    bytes: u64,
}

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

    /// Nothing yet.
    pub(super) fn taken(&self) -> Taken<'_> {
        Taken { budget: self, bytes: 0 }
    }
}

impl Taken<'_> {
    /// Takes more, until there are so many bytes in all. Whether they were left.
    pub(super) fn grow_to(&mut self, bytes: u64) -> bool {
        let more = bytes.saturating_sub(self.bytes);
        let left = &self.budget.0;
        let taken = left.try_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(more)).is_ok();
        if taken {
            self.bytes += more;
        }
        taken
    }

    /// Leaves them taken.
    pub(super) fn keep(mut self) {
        self.bytes = 0;
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        self.budget.0.fetch_add(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_left_is_not_taken_and_what_is_not_kept_comes_back() {
        let budget = Budget::of(10);
        let (mut one, mut two) = (budget.taken(), budget.taken());
        assert!(one.grow_to(7) && one.grow_to(7) && !two.grow_to(4) && two.grow_to(3));
        drop(one);
        assert!(two.grow_to(10));
        two.keep();
        assert!(!budget.taken().grow_to(1));
    }
}
