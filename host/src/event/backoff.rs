//! How long to wait before a delivery is tried again.

use std::time::Duration;

/// No wait is longer unless `backoffMax` says so: a subscriber that comes back is served within minutes.
pub(super) const LONGEST_WAIT: Duration = Duration::from_mins(5);
/// Without a wait at all, retries against a closed port would spin the delivery thread.
const SHORTEST_WAIT: Duration = Duration::from_millis(10);
/// Deliveries that failed together should not come back together: a fifth each way spreads them.
const JITTER: f64 = 0.2;

/// How waits grow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Policy {
    /// `delay * n`.
    Linear,
    /// `delay * 2^n`.
    Exponential,
}

/// The waits between the tries of a delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backoff {
    /// Policy and delay; there is a wait only when both are given.
    pub growth: Option<(Policy, Duration)>,
    /// No wait of the policy is longer.
    pub longest: Duration,
    /// How much of a `Retry-After` counts; none ignores it.
    pub retry_after_max: Option<Duration>,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { growth: None, longest: LONGEST_WAIT, retry_after_max: None }
    }
}

impl Backoff {
    /// The wait before retry `n`, which counts from 1, where the answer asked for `retry_after`.
    ///
    /// The texts disagree on linear growth and on where `n` begins; this is what Knative's own unit tests expect.
    pub fn wait(&self, n: u32, retry_after: Duration) -> Duration {
        let grown = match self.growth {
            None => Duration::ZERO,
            Some((Policy::Linear, delay)) => delay.saturating_mul(n),
            Some((Policy::Exponential, delay)) => delay.saturating_mul(2u32.saturating_pow(n)),
        };
        let asked = self.retry_after_max.map_or(Duration::ZERO, |most| retry_after.min(most));
        grown.min(self.longest).max(asked).max(SHORTEST_WAIT)
    }
}

/// Spreads a wait by a fifth each way.
pub(super) fn jittered(wait: Duration) -> Duration {
    wait.mul_f64(1.0 - JITTER + 2.0 * JITTER * fastrand::f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn backoff(policy: Policy, milliseconds: u64) -> Backoff {
        Backoff { growth: Some((policy, Duration::from_millis(milliseconds))), ..Backoff::default() }
    }

    fn waits(backoff: &Backoff, count: u32) -> Vec<u128> {
        (1..=count).map(|n| backoff.wait(n, Duration::ZERO).as_millis()).collect()
    }

    #[test]
    fn linear_waits_grow_by_the_delay() {
        assert_eq!(waits(&backoff(Policy::Linear, 2_500), 3), [2_500, 5_000, 7_500]);
    }

    #[test]
    fn exponential_waits_double() {
        assert_eq!(waits(&backoff(Policy::Exponential, 500), 5), [1_000, 2_000, 4_000, 8_000, 16_000]);
    }

    #[test]
    fn waits_stop_growing_at_the_cap_and_never_overflow() {
        let capped = Backoff { longest: Duration::from_secs(3), ..backoff(Policy::Exponential, 500) };
        assert_eq!(waits(&capped, 4), [1_000, 2_000, 3_000, 3_000]);
        assert_eq!(backoff(Policy::Exponential, 500).wait(u32::MAX, Duration::ZERO), LONGEST_WAIT);
        assert_eq!(backoff(Policy::Linear, u64::MAX).wait(u32::MAX, Duration::ZERO), LONGEST_WAIT);
    }

    #[test]
    fn retry_after_counts_only_when_a_maximum_is_set_and_never_beyond_it() {
        let second = Duration::from_secs(1);
        assert_eq!(backoff(Policy::Linear, 100).wait(1, second), Duration::from_millis(100));
        let most = |milliseconds| Backoff {
            retry_after_max: Some(Duration::from_millis(milliseconds)),
            ..backoff(Policy::Linear, 100)
        };
        assert_eq!(most(5_000).wait(1, second), Duration::from_secs(1));
        assert_eq!(most(400).wait(1, second), Duration::from_millis(400));
        assert_eq!(most(0).wait(1, second), Duration::from_millis(100));
    }

    #[test]
    fn retries_without_a_backoff_still_leave_others_room() {
        assert_eq!(Backoff::default().wait(1, Duration::ZERO), SHORTEST_WAIT);
    }

    #[test]
    fn jitter_stays_within_a_fifth() {
        for _ in 0..1_000 {
            let wait = jittered(Duration::from_secs(10));
            assert!((Duration::from_secs(8)..=Duration::from_secs(12)).contains(&wait), "{wait:?}");
        }
    }
}
