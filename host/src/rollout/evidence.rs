//! Whether a count is more than chance explains.
//!
//! Two versions are compared by counts alone: so many of so many calls failed, so many took longer than calls of the version
//! before nearly ever took. If a call of the new version were no worse, its count would be binomial with at most the old
//! version's probability. Chernoff's bound says how unlikely a count is then at most: `exp(-n D(k/n || p))`, with `D` the
//! relative entropy. It holds for every `n`, however rare failures are, where a test by the normal distribution would be wrong,
//! and it asks nothing of how durations are distributed, whose long tails make means and t-tests useless.

/// The probability below which a count is no chance. Versions are looked at ten times a second for a minute, and three
/// counts each time: all of it together takes a good version for a bad one in fewer than one of 500 rollouts.
pub const SIGNIFICANCE: f64 = 1e-6;

/// Standard deviations by which the version before may really be worse than its count says: one in 700.
const MARGIN: f64 = 3.0;

/// So many of so many.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Count {
    /// That are bad.
    pub bad: u64,
    /// All of them.
    pub all: u64,
}

impl Count {
    /// The share of bad ones; 0 of none.
    pub fn share(self) -> f64 {
        if self.all == 0 { 0.0 } else { float(self.bad) / float(self.all) }
    }

    /// The largest share that is likely behind what was counted (Wilson's score interval).
    fn most_likely_share(self) -> f64 {
        if self.all == 0 {
            return 0.0;
        }
        let (share, all, square) = (self.share(), float(self.all), MARGIN * MARGIN);
        let deviation = MARGIN * (share * (1.0 - share) / all + square / (4.0 * all * all)).sqrt();
        ((share + square / (2.0 * all) + deviation) / (1.0 + square / all)).min(1.0)
    }

    /// Whether there are more bad ones than the version before had, or than are tolerated of any, and chance is no excuse.
    /// A version before without a single bad one says no more than that it keeps to what is tolerated.
    pub fn is_worse_than(self, before: Self, tolerated: f64) -> bool {
        let known = if before.bad == 0 { 0.0 } else { before.most_likely_share() };
        self.exceeds(tolerated.max(known))
    }

    /// Whether the share of bad ones is above this one, and chance is no excuse.
    pub fn exceeds(self, share: f64) -> bool {
        let found = self.share();
        found > share && float(self.all) * relative_entropy(found, share) > -SIGNIFICANCE.ln()
    }
}

/// How far two probabilities are from each other, in nats.
fn relative_entropy(found: f64, expected: f64) -> f64 {
    let part = |found: f64, expected: f64| if found == 0.0 { 0.0 } else { found * (found / expected).ln() };
    part(found, expected) + part(1.0 - found, 1.0 - expected)
}

#[allow(clippy::cast_precision_loss, reason = "a share needs no more than 52 bits")]
fn float(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(bad: u64, all: u64) -> Count {
        Count { bad, all }
    }

    #[test]
    fn one_in_a_hundred_is_found_within_a_thousand_calls_and_one_in_a_thousand_never() {
        let before = of(0, 1_000_000);
        let found = (1..).find(|hundreds| of(*hundreds, hundreds * 100).is_worse_than(before, 0.001));
        assert_eq!(found, Some(10));
        assert!((1..1_000).all(|thousands| !of(thousands, thousands * 1_000).is_worse_than(before, 0.001)));
    }

    #[test]
    fn a_version_that_fails_as_often_as_the_one_before_is_no_worse() {
        let before = of(100, 10_000);
        assert!((1..10_000).all(|hundreds| !of(hundreds, hundreds * 100).is_worse_than(before, 0.001)));
        assert!(of(300, 10_000).is_worse_than(before, 0.001));
    }

    #[test]
    fn a_few_calls_of_the_version_before_that_went_well_excuse_nothing() {
        assert!(of(10, 10).is_worse_than(of(0, 3), 0.001));
        assert!(!of(10, 10).is_worse_than(of(3, 3), 0.001));
    }

    #[test]
    fn nothing_is_found_in_no_calls() {
        assert!(!of(0, 0).is_worse_than(of(0, 0), 0.001));
        assert!(!of(0, 100).exceeds(0.0));
    }

    /// Draws as a fair version would, from a fixed seed, and looks after every call.
    #[test]
    fn fair_versions_are_hardly_ever_found_guilty_however_often_one_looks() {
        let mut random = fastrand::Rng::with_seed(7);
        let guilty = (0..200).filter(|_| {
            let mut bad = 0;
            (1..=3_000).any(|all| {
                bad += u64::from(random.f64() < 0.05);
                of(bad, all).exceeds(0.05)
            })
        });
        assert_eq!(guilty.count(), 0);
    }
}
