//! The failures of one endpoint, counted in a row.
//!
//! An endpoint that reaches a count goes out for the base time, times the number of its ejections; quiet times after its
//! return make that number smaller again.

use super::policy::OutlierDetection;
use http::StatusCode;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

/// No ejection is longer, unless the base time itself is: an endpoint that was repaired comes back within minutes.
const LONGEST_EJECTION: Duration = Duration::from_mins(5);

/// What an exchange says of its endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// A response below 500, to its end.
    Success,
    /// 5xx other than the next.
    ServerError,
    /// 502, 503, 504.
    GatewayError,
    /// No connection, no response, half of one, or one that came too late.
    LocalFailure,
}

impl Verdict {
    /// What a status says.
    pub(super) fn of(status: StatusCode) -> Self {
        match status.as_u16() {
            502..=504 => Self::GatewayError,
            500.. => Self::ServerError,
            _ => Self::Success,
        }
    }
}

/// The failures of an endpoint.
#[derive(Debug, Default)]
pub(super) struct Record {
    server_errors: AtomicU32,
    gateway_errors: AtomicU32,
    local_failures: AtomicU32,
    /// When it comes, or came, back; zero when it was never out.
    until: AtomicU64,
    /// How many times the base time it was out for last.
    times: AtomicU32,
    total: AtomicU64,
}

impl Record {
    /// When it comes, or came, back.
    pub(super) fn ejected_until(&self) -> Option<u64> {
        Some(self.until.load(Ordering::Relaxed)).filter(|until| *until > 0)
    }

    /// How often it was ejected.
    pub(super) fn total(&self) -> u64 {
        self.total.load(Ordering::Relaxed)
    }

    /// Counts, and says what there are too many of.
    pub(super) fn count(&self, policy: &OutlierDetection, verdict: Verdict) -> Option<&'static str> {
        let (server, gateway, local) = (&self.server_errors, &self.gateway_errors, &self.local_failures);
        let verdict = match verdict {
            Verdict::LocalFailure if policy.split_local => {
                return reached(local, policy.local_failures).then_some("connection failures");
            }
            Verdict::LocalFailure => Verdict::GatewayError,
            other => other,
        };
        clear(local);
        match verdict {
            Verdict::Success => {
                clear(server);
                clear(gateway);
                None
            }
            Verdict::ServerError => {
                clear(gateway);
                reached(server, policy.server_errors).then_some("5xx responses")
            }
            _ => {
                // Both are counted, whichever is reached.
                let gateway = reached(gateway, policy.gateway_errors).then_some("gateway errors");
                let server = reached(server, policy.server_errors).then_some("5xx responses");
                gateway.or(server)
            }
        }
    }

    /// Ejects it, and returns when it comes back.
    pub(super) fn eject(&self, policy: &OutlierDetection, now: u64) -> u64 {
        let before = self.until.load(Ordering::Relaxed);
        let quiet = now.saturating_sub(before).checked_div(milliseconds(policy.interval)).unwrap_or(0);
        let quiet = u32::try_from(quiet).unwrap_or(u32::MAX);
        let times = self.times.load(Ordering::Relaxed).saturating_sub(quiet).saturating_add(1);
        let longest = LONGEST_EJECTION.max(policy.base_ejection);
        let until = now.saturating_add(milliseconds(policy.base_ejection.saturating_mul(times).min(longest)));
        self.times.store(times, Ordering::Relaxed);
        self.until.store(until, Ordering::Relaxed);
        self.total.fetch_add(1, Ordering::Relaxed);
        [&self.server_errors, &self.gateway_errors, &self.local_failures].into_iter().for_each(clear);
        until
    }
}

fn clear(count: &AtomicU32) {
    // Reading is cheaper than writing to what other workers read.
    if count.load(Ordering::Relaxed) != 0 {
        count.store(0, Ordering::Relaxed);
    }
}

fn reached(count: &AtomicU32, limit: Option<u32>) -> bool {
    let now = count.fetch_add(1, Ordering::Relaxed).saturating_add(1);
    limit.is_some_and(|limit| now >= limit)
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ejections_grow_and_quiet_times_make_them_shorter_again() {
        let policy = OutlierDetection::default();
        let record = Record::default();
        let second = 1_000;
        let lasted = |now: u64| record.eject(&policy, now) - now;
        assert_eq!(lasted(second), 30 * second);
        assert_eq!(lasted(31 * second), 60 * second);
        assert_eq!(lasted(91 * second), 90 * second);
        assert_eq!(lasted(181 * second + 25 * second), 60 * second, "two quiet intervals are forgiven");
        record.times.store(1_000, Ordering::Relaxed);
        assert_eq!(lasted(266 * second), 300 * second, "no ejection is longer than five minutes");
        assert_eq!(record.total(), 5);
    }
}
