//! Which calls of a plan may begin, which are not wanted any more, and when the plan is given up.
//!
//! Nothing here waits or sends: it is told what became of calls and says what follows.

use super::plan::{Group, Plan};

/// Where the calls of a plan stand. Sets of calls are words, the lowest bit for the plan's first call.
#[derive(Debug)]
pub(super) struct Progress {
    /// Not begun yet.
    waiting: u64,
    /// On their way.
    running: u64,
    /// Over, and good.
    good: u64,
    /// Whose failure gives the plan up.
    required: u64,
    groups: Vec<Group>,
}

impl Progress {
    /// Nothing has begun. In a group that has enough before all are good the group says what is required, not its calls.
    pub(super) fn new(plan: &Plan) -> Self {
        let calls = plan.calls.len();
        let waiting = if calls >= 64 { u64::MAX } else { (1 << calls) - 1 };
        let required =
            plan.calls.iter().zip(0..).filter(|(call, _)| call.required).fold(0, |set, (_, at)| set | bit(at));
        let lenient = plan.groups.iter().filter(|group| group.enough.is_some());
        let required = lenient.fold(required, |set, group| set & !group.calls);
        Self { waiting, running: 0, good: 0, required, groups: plan.groups.clone() }
    }

    /// Calls that are not over.
    pub(super) fn open(&self) -> u64 {
        self.waiting | self.running
    }

    /// Calls that have to wait for others.
    pub(super) fn waiting(&self) -> u64 {
        self.waiting
    }

    /// Begins the first call that may begin.
    pub(super) fn begin(&mut self) -> Option<usize> {
        let full = |group: &Group| (group.calls & self.running).count_ones() >= group.concurrency;
        let held_back = self.groups.iter().filter(|group| full(group)).fold(0, |set, group| set | group.calls);
        let ready = self.waiting & !held_back;
        let first = ready.trailing_zeros();
        if ready == 0 {
            return None;
        }
        self.waiting &= !bit(first);
        self.running |= bit(first);
        usize::try_from(first).ok()
    }

    /// Takes down the end of a call that is open. Returns the calls that are not wanted any more.
    pub(super) fn end(&mut self, call: usize, good: bool) -> u64 {
        let this = u32::try_from(call).map_or(0, bit);
        self.close(this);
        if good {
            self.good |= this;
        } else if self.required & this != 0 {
            return self.give_up();
        }
        let group = self.groups.iter().find(|group| group.calls & this != 0).copied();
        let Some(group) = group else { return 0 };
        let good_ones = (group.calls & self.good).count_ones();
        let open = group.calls & self.open();
        let enough = group.enough.unwrap_or(group.calls.count_ones());
        if good_ones >= enough {
            self.close(open);
            return open;
        }
        if group.required && good_ones + open.count_ones() < enough {
            return self.give_up();
        }
        0
    }

    fn give_up(&mut self) -> u64 {
        let open = self.open();
        self.close(open);
        open
    }

    fn close(&mut self, calls: u64) {
        self.waiting &= !calls;
        self.running &= !calls;
    }
}

/// The places of the calls of a set, lowest first.
pub(super) fn places(mut set: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let place = set.trailing_zeros();
        set &= set.wrapping_sub(1);
        usize::try_from(place).ok().filter(|place| *place < 64)
    })
}

fn bit(place: u32) -> u64 {
    1u64.checked_shl(place).unwrap_or(0)
}

#[cfg(test)]
mod tests;
