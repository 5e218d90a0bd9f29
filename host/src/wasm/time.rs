//! How long a call may run.
//!
//! The engine's clock ticks in wall time, but on a busy machine a worker may be put aside in the middle of a call, and an
//! innocent filter would pay for it. So a deadline that passes only starts the reckoning: from then on the processor time
//! of the thread counts, and a second limit in wall time bounds it all. A call that is in time never asks for either.

use crate::config::limits;
use rustix::time::{ClockId, clock_gettime};
use std::time::{Duration, Instant};
use wasmtime::UpdateDeadline;

/// How long a call may run, as the engine's clock counts it too: a division that no call has to make again.
#[derive(Debug, Clone, Copy)]
pub(super) struct Deadline {
    pub(super) time: Duration,
    /// One more than fit into the time, since the running tick is partly over.
    pub(super) ticks: u64,
}

impl Deadline {
    pub(super) fn new(time: Duration) -> Self {
        let whole = time.as_nanos().div_ceil(limits::FILTER_TICK.as_nanos().max(1));
        Self { time, ticks: u64::try_from(whole).unwrap_or(u64::MAX).saturating_add(1) }
    }
}

/// The time of the call that runs.
#[derive(Debug)]
pub(super) struct CallTime {
    deadline: Duration,
    /// Processor and wall time when the deadline first passed.
    reckoned_from: Option<(Duration, Instant)>,
}

impl CallTime {
    pub(super) fn new(deadline: Duration) -> Self {
        Self { deadline, reckoned_from: None }
    }

    /// Asked when the deadline has passed, and at every tick after that.
    pub(super) fn tick(&mut self) -> UpdateDeadline {
        let used = processor_time();
        let (from, began) = *self.reckoned_from.get_or_insert_with(|| (used, Instant::now()));
        let over = used.saturating_sub(from) >= self.deadline || began.elapsed() >= limits::FILTER_WALL_TIME;
        if over { UpdateDeadline::Interrupt } else { UpdateDeadline::Continue(1) }
    }
}

/// The processor time of this thread.
fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let (seconds, nanoseconds) = (u64::try_from(time.tv_sec), u32::try_from(time.tv_nsec));
    Duration::new(seconds.unwrap_or_default(), nanoseconds.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_that_waits_uses_up_nothing() {
        let mut time = CallTime::new(Duration::from_millis(5));
        assert!(matches!(time.tick(), UpdateDeadline::Continue(1)));
        #[allow(clippy::disallowed_methods, reason = "waiting is what is tested")]
        std::thread::sleep(Duration::from_millis(20));
        assert!(matches!(time.tick(), UpdateDeadline::Continue(1)));
    }

    #[test]
    fn a_thread_that_works_is_stopped() {
        let mut time = CallTime::new(Duration::from_millis(5));
        let began = Instant::now();
        while matches!(time.tick(), UpdateDeadline::Continue(_)) {
            assert!(began.elapsed() < Duration::from_secs(30), "it was never stopped");
        }
    }

    #[test]
    fn a_deadline_covers_the_tick_that_runs() {
        assert_eq!(Deadline::new(limits::FILTER_TICK).ticks, 2);
        assert_eq!(Deadline::new(Duration::from_millis(1)).ticks, 2);
    }
}
