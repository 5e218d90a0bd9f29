//! The stages of a rollout, as the operator wants them.

use crate::request::RequestId;
use std::time::Duration;

/// How long a version is watched in full force unless the operator says otherwise: what goes wrong now and then has shown
/// itself, and the one before is still what people remember.
const WATCH: Duration = Duration::from_mins(1);

/// A share of requests, of which each is in or out by its id, in every stage and phase alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share {
    /// Ids whose lower half is below this are in.
    below: u64,
    /// In parts of a million, as it was written.
    millionths: u32,
}

impl Share {
    /// All requests.
    pub const ALL: Self = Self { below: u64::MAX, millionths: 1_000_000 };

    /// So many of a million; more are all.
    pub const fn millionths(millionths: u32) -> Self {
        if millionths >= 1_000_000 {
            return Self::ALL;
        }
        #[allow(clippy::cast_lossless, reason = "conversions are not for constants")]
        let below = u64::MAX / 1_000_000 * (millionths as u64);
        Self { below, millionths }
    }

    /// Whether a request is in.
    pub fn holds(self, id: RequestId) -> bool {
        let [_, lower] = halves(id);
        lower < self.below || self == Self::ALL
    }

    /// As a fraction of 1.
    pub fn fraction(self) -> f64 {
        f64::from(self.millionths) / 1e6
    }
}

fn halves(id: RequestId) -> [u64; 2] {
    let bytes = id.0.to_be_bytes();
    let half = |from: usize| bytes.iter().skip(from).take(8).fold(0, |half, byte| half << 8 | u64::from(*byte));
    [half(0), half(8)]
}

/// Runs beside the version in force, on copies of requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shadow {
    /// Of requests.
    pub share: Share,
    /// Ends after so many.
    pub requests: u64,
    /// Ends after so long at the latest.
    pub duration: Duration,
    /// Of decisions, that may differ.
    pub differences: Share,
}

/// Decides on a share of requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Canary {
    /// Of requests.
    pub share: Share,
    /// Ends after so many.
    pub requests: u64,
    /// Ends after so long at the latest.
    pub duration: Duration,
}

/// All stages after configuring.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    /// Whether a file of tests beside the component has to pass, where there is one.
    pub self_test: bool,
    /// None: without.
    pub shadow: Option<Shadow>,
    /// None: without.
    pub canary: Option<Canary>,
    /// How long a version in full force is held against the one before; none: not at all.
    pub watch: Option<Duration>,
}

impl Default for Plan {
    fn default() -> Self {
        Self { self_test: true, shadow: None, canary: None, watch: Some(WATCH) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_holds_about_so_many_requests_and_always_the_same() {
        let share = Share::millionths(100_000);
        let ids: Vec<_> = (0..20_000).map(|_| RequestId::random()).collect();
        let held = ids.iter().filter(|id| share.holds(**id)).count();
        assert!((1_700..2_300).contains(&held), "{held}");
        assert!(ids.iter().all(|id| share.holds(*id) == share.holds(*id)));
        // Those of a small share are among those of a larger one.
        let larger = Share::millionths(500_000);
        assert!(ids.iter().filter(|id| share.holds(**id)).all(|id| larger.holds(*id)));
    }

    #[test]
    fn all_are_all_and_none_are_none() {
        let ids = [RequestId(0), RequestId(u128::MAX), RequestId::random()];
        assert!(ids.iter().all(|id| Share::ALL.holds(*id)));
        assert!(ids.iter().all(|id| !Share::millionths(0).holds(*id)));
    }
}
