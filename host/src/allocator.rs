//! The heap.

use libmimalloc_sys::mi_collect;

/// Gives memory that nobody uses back to the system: what this thread freed, and whatever the process has in store. It costs
/// as much as the thread has pages, and what is needed again has to be asked for again.
///
/// By itself the allocator, which the command `sluice` has set, keeps what is free for a second, and then until somebody
/// allocates: behind 10,000 connections that had come to rest that was two thirds of their memory.
#[allow(unsafe_code, reason = "the allocator is a library in C")]
pub(crate) fn give_back() {
    // SAFETY: it may be called at any time, and looks only at what is free.
    unsafe { mi_collect(true) };
}
