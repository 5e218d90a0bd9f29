//! The heap.

use libmimalloc_sys::{mi_option_get, mi_option_set_default, mi_option_t};
use std::ffi::c_long;

/// Workers allocate and free small things all the time, which is what this allocator is made for.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// For how many milliseconds the allocator keeps memory that nobody uses: `mi_option_purge_delay` of its header, which
/// the bindings do not name.
const PURGE_DELAY: mi_option_t = 15;

/// The delay that is set: next to nothing in memory, and half of what no delay at all costs a request.
const SOON: c_long = 1;

/// Has what a burst of connections gave back go to the system soon, unless `MIMALLOC_PURGE_DELAY` says otherwise; gives
/// the delay that held until now, in milliseconds.
///
/// It is kept for a second by default, and then until somebody allocates: with 10,000 idle connections that was two
/// thirds of their memory.
#[allow(unsafe_code, reason = "settings of the allocator are variables of a library in C")]
pub(crate) fn give_back_soon() -> c_long {
    // SAFETY: both look at one variable of the allocator, by a number within its list; `main` calls this before there is
    // a second thread.
    unsafe {
        let until_now = mi_option_get(PURGE_DELAY);
        mi_option_set_default(PURGE_DELAY, SOON);
        until_now
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_number_is_still_that_of_the_delay_which_is_a_second_by_default() {
        assert!(std::env::var_os("MIMALLOC_PURGE_DELAY").is_some() || super::give_back_soon() == 1000);
    }
}
