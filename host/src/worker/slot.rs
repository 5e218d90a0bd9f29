//! Which worker a thread is, for those who keep something for each.

use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering};

thread_local! {
    static INDEX: Cell<Option<usize>> = const { Cell::new(None) };
}

static COUNT: AtomicUsize = AtomicUsize::new(0);

/// Which worker this thread is, from 0; [`count`] for a thread that is none. So `count() + 1` slots serve everyone.
pub fn index() -> usize {
    INDEX.get().unwrap_or_else(count)
}

/// How many workers there are, or will be (see [`reserve`]).
pub fn count() -> usize {
    COUNT.load(Ordering::Relaxed)
}

/// Says how many workers there will be, for those who allot a slot to each before [`Workers::start`](super::Workers::start). The count never
/// falls, so slots stay valid.
pub fn reserve(count: usize) {
    COUNT.fetch_max(count, Ordering::Relaxed);
}

/// This thread is the worker of this index from now on.
pub(super) fn take(index: usize) {
    INDEX.set(Some(index));
}
