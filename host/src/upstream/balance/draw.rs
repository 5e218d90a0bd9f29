//! Draws an endpoint by weight.

use super::super::member::Member;
use super::usable::Usable;

/// Draws before all usable endpoints are looked at: with half of them out, one in 256 picks gets that far.
const DRAWS: usize = 8;

/// What there is to draw from.
#[derive(Debug)]
pub(super) enum Draw {
    /// All weigh the same.
    Even(usize),
    /// Sums of the weights up to each endpoint, itself included.
    Weighted(Box<[u64]>),
}

impl Draw {
    pub(super) fn new(members: &[Member]) -> Self {
        let weight = |member: &Member| u64::from(member.endpoint.weight.max(1));
        let first = members.first().map_or(1, weight);
        if members.iter().all(|member| weight(member) == first) {
            return Self::Even(members.len());
        }
        let sums = members.iter().scan(0_u64, |sum, member| {
            *sum = sum.saturating_add(weight(member));
            Some(*sum)
        });
        Self::Weighted(sums.collect())
    }

    /// Whether all weigh the same.
    pub(super) fn is_even(&self) -> bool {
        matches!(self, Self::Even(_))
    }

    /// Any endpoint that is usable, by weight; none when none is.
    pub(super) fn pick(&self, usable: &Usable<'_>) -> Option<usize> {
        self.pick_but(usable, None)
    }

    /// The same, but not this one.
    pub(super) fn pick_but(&self, usable: &Usable<'_>, but: Option<usize>) -> Option<usize> {
        for _ in 0..DRAWS {
            let index = self.any()?;
            if Some(index) != but && (usable.all() || accepted(usable, index)) {
                return Some(index);
            }
        }
        exact(usable, but)
    }

    /// Any endpoint at all.
    fn any(&self) -> Option<usize> {
        match self {
            Self::Even(0) => None,
            Self::Even(count) => Some(fastrand::usize(..*count)),
            Self::Weighted(sums) => {
                let total = sums.last().copied().filter(|total| *total > 0)?;
                let drawn = fastrand::u64(..total);
                Some(sums.partition_point(|sum| *sum <= drawn))
            }
        }
    }
}

/// One that warms up is taken as often as its part of its share says.
fn accepted(usable: &Usable<'_>, index: usize) -> bool {
    usable.allows(index) && (!usable.is_warming() || fastrand::f64() < usable.factor(index))
}

/// Looks at all of them.
fn exact(usable: &Usable<'_>, but: Option<usize>) -> Option<usize> {
    let shares = || (0..usable.count()).filter(|index| Some(*index) != but).map(|index| (index, usable.share(index)));
    let mut left = fastrand::f64() * shares().map(|(_, share)| share).sum::<f64>();
    let mut last = None;
    for (index, share) in shares().filter(|(_, share)| *share > 0.0) {
        last = Some(index);
        left -= share;
        if left < 0.0 {
            break;
        }
    }
    last
}
