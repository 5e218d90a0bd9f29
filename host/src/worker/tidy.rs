//! What a burst left behind: memory goes back to the system once its worker has little to do.
//!
//! Under load it does not, since it is needed again at once: a request that publishes an event would cost a tenth more.

use std::time::Duration;
use tokio::runtime::Handle;
use tokio::time::MissedTickBehavior;

/// How often a worker looks.
pub(super) const LOOK: Duration = Duration::from_secs(1);
/// It has little to do when it was busy for less than this part of the time.
const LITTLE: u32 = 20;
/// So many looks after a burst find what it left: connections let go of their buffers when they have rested for two seconds.
const LOOKS: u32 = 4;

/// Calls `give_back` a few times when the runtime, which has one thread, has little to do after it had more.
pub(super) async fn tidy(look: Duration, give_back: impl Fn()) {
    let metrics = Handle::current().metrics();
    let mut looks = tokio::time::interval(look);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    looks.tick().await;
    let mut before = metrics.worker_total_busy_duration(0);
    // What was needed to start is not needed any more.
    let mut left = LOOKS;
    loop {
        looks.tick().await;
        let busy = metrics.worker_total_busy_duration(0);
        if busy.saturating_sub(before) >= look / LITTLE {
            left = LOOKS;
        } else if left > 0 {
            left -= 1;
            give_back();
        }
        before = busy;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;
    use std::time::Instant;

    const SHORT: Duration = Duration::from_millis(100);

    /// How often memory was given back until `work` was done.
    async fn given_back(work: impl Future<Output = ()>) -> u32 {
        let count = Cell::new(0);
        tokio::select! {
            () = tidy(SHORT, || count.set(count.get() + 1)) => {}
            () = work => {}
        }
        count.get()
    }

    #[tokio::test]
    async fn memory_is_given_back_when_there_is_nothing_more_to_do_and_kept_under_load() {
        let given_back_at_rest = given_back(tokio::time::sleep(SHORT * 20)).await;
        assert!((1..=LOOKS).contains(&given_back_at_rest), "{given_back_at_rest}");
        let load = async {
            for _ in 0..20 {
                let begin = Instant::now();
                while begin.elapsed() < SHORT / 2 {
                    std::hint::spin_loop();
                }
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        assert_eq!(given_back(load).await, 0);
    }
}
