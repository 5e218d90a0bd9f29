//! Shares of requests, drawn from their ids: the same request always gets the same draw, and each purpose its own.

use crate::code;
use crate::config::Percent;
use crate::report::{Place, Report};
use crate::view::View;

/// What a request is told apart by.
pub const REQUEST_ID: &str = "request.id";
/// Envoy counts in millionths, and Istio refuses smaller shares.
const ALL: u32 = 1_000_000;
const PER_PERCENT: f64 = 10_000.0;
const SMALLEST_PERCENTAGE: f64 = 0.0001;

/// A share of requests, in millionths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share(u32);

impl Share {
    /// No request.
    pub const NONE: Self = Self(0);
    /// Every request.
    pub const ALL: Self = Self(ALL);

    /// A share as written, of which `smallest` is the least beside 0. What is out of range is none.
    fn resolve(value: f64, smallest: f64, place: &Place, report: &mut Report<'_>) -> Self {
        if value == 0.0 || (smallest..=100.0).contains(&value) {
            return Self::of_percent(value);
        }
        let message = format!("{value} is not a percentage");
        report.error(place, code::POLICY_VALUE, message, "use 0, or a number from 0.0001 to 100");
        Self::NONE
    }

    /// The share of a fault; absent means none.
    pub fn of_fault(written: Option<&Percent>, place: &Place, report: &mut Report<'_>) -> Self {
        let value = written.and_then(|percentage| percentage.value).unwrap_or(0.0);
        Self::resolve(value, SMALLEST_PERCENTAGE, &place.key("value"), report)
    }

    /// The share of a mirror; absent means every request, and an empty one none. Unlike a fault's, Istio takes a share
    /// that is too small to count.
    pub fn of_mirror(written: Option<&Percent>, place: &Place, report: &mut Report<'_>) -> Self {
        let Some(written) = written else { return Self::ALL };
        Self::resolve(written.value.unwrap_or(0.0), 0.0, &place.key("value"), report)
    }

    /// A share in millionths; more than all is all.
    pub fn of_millionths(millionths: u32) -> Self {
        Self(millionths.min(ALL))
    }

    /// A share in whole percent, as deprecated fields have it.
    pub fn whole(percent: i64, place: &Place, report: &mut Report<'_>) -> Self {
        if let Some(percent) = u32::try_from(percent).ok().filter(|percent| *percent <= 100) {
            return Self(percent * (ALL / 100));
        }
        let message = format!("{percent} is not a percentage");
        report.error(place, code::POLICY_VALUE, message, "use a number from 0 to 100");
        Self::NONE
    }

    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 0 to a million, as was checked")]
    fn of_percent(value: f64) -> Self {
        Self((value * PER_PERCENT).round() as u32)
    }

    /// Whether a request is in the share. Draws with different salts are independent.
    pub fn takes(self, salt: &str, view: &View<'_>) -> bool {
        match self {
            Self::NONE => false,
            Self::ALL => true,
            Self(share) => {
                draw(salt, &view.attribute(REQUEST_ID).unwrap_or_default()) % u64::from(ALL) < u64::from(share)
            }
        }
    }
}

/// As people read it: `12.5 %`.
impl std::fmt::Display for Share {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{} %", f64::from(self.0) / PER_PERCENT)
    }
}

/// FNV-1a of salt and id with a final mix, so that ids that differ in one digit fall far apart.
pub fn draw(salt: &str, id: &str) -> u64 {
    let seed = 0xcbf2_9ce4_8422_2325;
    let bytes = salt.bytes().chain(id.bytes());
    let mixed = bytes.fold(seed, |hash: u64, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    let mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use sluicegate_sdk::testing::TestRequest;

    fn taken(share: Share, salts: &[&str]) -> usize {
        let inside = |id: &u32| {
            let request = TestRequest::get("/").attribute(REQUEST_ID, &format!("{id:032x}"));
            let request = request.request();
            let view = View::new(&request);
            salts.iter().all(|salt| share.takes(salt, &view))
        };
        (0..10_000).filter(inside).count()
    }

    #[test]
    fn a_share_of_the_requests_is_taken() {
        assert_eq!((taken(Share::NONE, &["a"]), taken(Share::ALL, &["a"])), (0, 10_000));
        for (percent, expected) in [(50.0, 5_000), (10.0, 1_000), (0.5, 50)] {
            let found = taken(Share::of_percent(percent), &["a"]);
            assert!(found.abs_diff(expected) < 200, "{found} for {percent}");
        }
    }

    #[test]
    fn draws_for_different_purposes_are_independent() {
        let both = taken(Share::of_percent(50.0), &["a", "b"]);
        assert!(both.abs_diff(2_500) < 200, "{both}");
    }

    #[test]
    fn a_share_is_read_in_millionths() {
        for (percent, expected) in [(0.0001, "0.0001 %"), (12.5, "12.5 %"), (100.0, "100 %"), (0.3, "0.3 %")] {
            assert_eq!(Share::of_percent(percent).to_string(), expected);
        }
    }
}
