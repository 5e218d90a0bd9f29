//! Each endpoint in turn, as often as its weight says and as evenly in between as that allows (smooth weighted round
//! robin, as nginx has it).
//!
//! Whose turn it is, each worker knows for itself: sharing it would cost more than an even share is worth.

use super::draw::Draw;
use super::usable::Usable;
use crate::config::limits;
use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};

thread_local! {
    static TURNS: RefCell<HashMap<u64, Turn>> = RefCell::default();
}

/// How far a worker is in a cluster.
#[derive(Default)]
struct Turn {
    /// For endpoints of equal weight.
    next: usize,
    /// For others: what each is owed.
    owed: Vec<f64>,
}

/// The name under which each worker keeps the turns of a cluster.
#[derive(Debug)]
pub(super) struct RoundRobin(u64);

impl RoundRobin {
    pub(super) fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }

    pub(super) fn pick(&self, draw: &Draw, usable: &Usable<'_>) -> Option<usize> {
        TURNS.with_borrow_mut(|turns| {
            if turns.len() >= limits::ROUNDS && !turns.contains_key(&self.0) {
                turns.clear();
            }
            // A random start, so that workers and reloads do not all begin with the first endpoint.
            let turn = turns.entry(self.0).or_insert_with(|| Turn { next: fastrand::usize(..), owed: Vec::new() });
            if draw.is_even() && !usable.is_warming() { turn.even(usable) } else { turn.smooth(usable) }
        })
    }
}

impl Turn {
    fn even(&mut self, usable: &Usable<'_>) -> Option<usize> {
        let count = usable.count();
        self.next = self.next.wrapping_add(1).checked_rem(count)?;
        let mut in_turn = (0..count).filter_map(|step| (self.next + step).checked_rem(count));
        let picked = in_turn.find(|index| usable.allows(*index))?;
        self.next = picked;
        Some(picked)
    }

    /// Everyone is owed its share; who is owed most gets the request, and pays for all.
    fn smooth(&mut self, usable: &Usable<'_>) -> Option<usize> {
        if self.owed.len() != usable.count() {
            self.owed = (0..usable.count()).map(|index| fastrand::f64() * usable.share(index)).collect();
        }
        let mut total = 0.0;
        let mut most: Option<(usize, f64)> = None;
        for (index, owed) in self.owed.iter_mut().enumerate() {
            let share = usable.share(index);
            if share > 0.0 {
                total += share;
                *owed += share;
                most = most.filter(|(_, best)| *best >= *owed).or(Some((index, *owed)));
            }
        }
        let (picked, _) = most?;
        if let Some(owed) = self.owed.get_mut(picked) {
            *owed -= total;
        }
        Some(picked)
    }
}
