//! How long an instance may take that is made in the middle of a request.
//!
//! When a version is loaded nobody waits for its instances, and a second more does no harm. In service a worker stands still
//! meanwhile, with all its requests. There an instance gets a few times what it took before, and no less than a call gets: what
//! is made of the same documents takes about the same time, unless it is up to something.

use super::time::Deadline;
use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// What is made in service may take so many times what it took before: machines are busier then.
const TIMES: u32 = 4;

thread_local! {
    /// What was made on this thread since [`take`], for a call that took long.
    static SPENT: Cell<Duration> = const { Cell::new(Duration::ZERO) };
}

/// How long the instances of a filter took that nobody waited for: the longest, in nanoseconds; zero while there were none.
#[derive(Debug, Default)]
pub(super) struct Made(AtomicU64);

impl Made {
    /// One more took so long.
    pub(super) fn note(&self, took: Duration) {
        self.0.fetch_max(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// What one may take in service, if a call may take `call` and it could take `ahead` where nobody waits.
    pub(super) fn in_service(&self, call: Duration, ahead: Duration) -> Deadline {
        let usual = Duration::from_nanos(self.0.load(Ordering::Relaxed));
        let most = if usual.is_zero() { ahead } else { usual.saturating_mul(TIMES).max(call).min(ahead.max(call)) };
        Deadline::new(most)
    }
}

/// Makes an instance in service, and keeps how long that took.
pub(super) fn in_service<T>(make: impl FnOnce() -> T) -> T {
    let began = Instant::now();
    let instance = make();
    SPENT.set(SPENT.get().saturating_add(began.elapsed()));
    instance
}

/// How long this thread has made instances in service since it was last asked.
pub(crate) fn take() -> Duration {
    SPENT.take()
}

#[cfg(test)]
mod tests {
    use super::*;

    const CALL: Duration = Duration::from_millis(10);
    const AHEAD: Duration = Duration::from_secs(1);

    #[test]
    fn an_instance_gets_a_few_times_what_it_took_and_no_less_than_a_call() {
        let made = Made::default();
        assert_eq!(made.in_service(CALL, AHEAD).time, AHEAD, "nothing is known");
        made.note(Duration::from_micros(30));
        assert_eq!(made.in_service(CALL, AHEAD).time, CALL);
        made.note(Duration::from_millis(40));
        made.note(Duration::from_millis(7));
        assert_eq!(made.in_service(CALL, AHEAD).time, Duration::from_millis(160));
        made.note(Duration::from_secs(2));
        assert_eq!(made.in_service(CALL, AHEAD).time, AHEAD);
    }

    #[test]
    fn what_was_made_in_service_is_told_once() {
        take();
        assert_eq!(in_service(|| 7), 7);
        in_service(|| std::thread::park_timeout(Duration::from_millis(1)));
        assert!(!take().is_zero());
        assert_eq!(take(), Duration::ZERO);
    }
}
