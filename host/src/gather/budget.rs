//! How much the calls of one plan may hold in memory.

use crate::config::limits;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The bytes that are left to the calls of a plan. The filter has what they read before the next plan begins.
#[derive(Debug)]
pub(super) enum Budget {
    /// Of calls that end with the plan.
    Own(AtomicU64),
    /// Of calls whose exchanges may outlive it, since others wait for them.
    Shared(Arc<AtomicU64>),
}

/// What one call has taken. It is given back when the call fails, that is, when this is dropped without being kept.
#[derive(Debug)]
pub(super) struct Taken<'a> {
    budget: &'a Budget,
    bytes: u64,
}

impl Budget {
    /// That of a plan; `shared` where exchanges may outlive it.
    pub(super) fn of_plan(shared: bool) -> Self {
        let left = AtomicU64::new(limits::PLAN_BODIES);
        if shared { Self::Shared(Arc::new(left)) } else { Self::Own(left) }
    }

    /// The same for an exchange that may outlive the plan. What is not shared is not had elsewhere: then it is one of its own.
    pub(super) fn for_exchange(&self) -> Self {
        match self {
            Self::Own(_) => Self::of_plan(false),
            Self::Shared(left) => Self::Shared(Arc::clone(left)),
        }
    }

    /// Nothing yet.
    pub(super) fn taken(&self) -> Taken<'_> {
        Taken { budget: self, bytes: 0 }
    }

    /// Takes so many bytes, if they are left. Whether they were.
    pub(super) fn take(&self, bytes: usize) -> bool {
        let mut taken = self.taken();
        let left = u64::try_from(bytes).is_ok_and(|bytes| taken.grow_to(bytes));
        taken.keep();
        left
    }

    /// Gives bytes back that were kept.
    pub(super) fn give_back(&self, bytes: usize) {
        self.left().fetch_add(u64::try_from(bytes).unwrap_or(0), Ordering::Relaxed);
    }

    fn left(&self) -> &AtomicU64 {
        match self {
            Self::Own(left) => left,
            Self::Shared(left) => left,
        }
    }
}

impl Taken<'_> {
    /// Takes more, until there are so many bytes in all. Whether they were left.
    pub(super) fn grow_to(&mut self, bytes: u64) -> bool {
        let more = bytes.saturating_sub(self.bytes);
        let left = self.budget.left();
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
        self.budget.left().fetch_add(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_left_is_not_taken_and_what_is_not_kept_comes_back() {
        let budget = Budget::Own(AtomicU64::new(10));
        let (mut one, mut two) = (budget.taken(), budget.taken());
        assert!(one.grow_to(7) && one.grow_to(7) && !two.grow_to(4) && two.grow_to(3));
        drop(one);
        assert!(two.grow_to(10));
        two.keep();
        assert!(!budget.taken().grow_to(1));
        budget.give_back(2);
        assert!(!budget.take(3) && budget.take(2) && !budget.take(1));
    }

    #[test]
    fn an_exchange_that_outlives_its_plan_takes_of_the_plans_bytes() {
        let plan = Budget::of_plan(true);
        let exchange = plan.for_exchange();
        assert!(exchange.taken().grow_to(limits::PLAN_BODIES));
        assert!(exchange.take(1) && !plan.taken().grow_to(limits::PLAN_BODIES));
    }
}
