//! How much memory all instances of all filters have together.

use std::sync::atomic::{AtomicUsize, Ordering};

/// The linear memories of a process, as far as its filters may use them. What is never touched counts too: a filter could touch
/// it at any time.
#[derive(Debug)]
pub struct GuestMemory {
    most: usize,
    used: AtomicUsize,
}

impl GuestMemory {
    /// So many bytes.
    pub fn of(most: usize) -> Self {
        Self { most, used: AtomicUsize::new(0) }
    }

    /// What is in use, in bytes.
    pub fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    /// What may be, in bytes.
    pub fn most(&self) -> usize {
        self.most
    }

    /// Takes so many more, or none where there are not as many.
    pub(super) fn take(&self, bytes: usize) -> bool {
        let after = |used: usize| used.checked_add(bytes).filter(|after| *after <= self.most);
        self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, after).is_ok()
    }

    /// Gives back what was taken.
    pub(super) fn give(&self, bytes: usize) {
        self.used.fetch_sub(bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_is_taken_than_there_is_however_many_take_at_once() {
        let memory = GuestMemory::of(1_000);
        let taken = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..100 {
                        taken.fetch_add(usize::from(memory.take(7)), Ordering::Relaxed);
                    }
                });
            }
        });
        assert_eq!((taken.into_inner(), memory.used()), (142, 994));
        assert!(!memory.take(7) && memory.take(6) && !memory.take(usize::MAX));
        memory.give(994);
        assert_eq!(memory.used(), 6);
    }
}
