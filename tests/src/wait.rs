//! Waiting for something to become true.

use std::time::{Duration, Instant};

/// Between two looks: short beside every limit a test has, long beside what a look costs.
const LOOK: Duration = Duration::from_millis(5);

/// Looks until the condition holds, and returns how long that took.
///
/// # Panics
/// When it does not hold within the limit.
#[track_caller]
#[allow(clippy::disallowed_methods, reason = "a test's own thread is no worker")]
pub fn wait_until(limit: Duration, mut condition: impl FnMut() -> bool) -> Duration {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < limit, "not within {limit:?}");
        std::thread::sleep(LOOK);
    }
    start.elapsed()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_returns_as_soon_as_the_condition_holds() {
        let mut looks = 0;
        let took = wait_until(Duration::from_secs(30), || {
            looks += 1;
            looks == 3
        });
        assert!(took < Duration::from_secs(10));
        assert_eq!(looks, 3);
    }

    #[test]
    #[should_panic(expected = "not within 20ms")]
    fn it_panics_when_the_condition_never_holds() {
        wait_until(Duration::from_millis(20), || false);
    }
}
