//! Which endpoints may be taken for a request.

use super::super::member::Member;
use super::super::policy::Warmup;
use std::net::SocketAddr;

/// Which endpoints may be taken for one try of a request.
pub(super) struct Usable<'a> {
    members: &'a [Member],
    tried: &'a [SocketAddr],
    /// Whether those that are out count as in.
    everyone: bool,
    warmup: Option<&'a Warmup>,
}

impl<'a> Usable<'a> {
    /// Looks at all endpoints once. None when all are out and that is not to be ignored.
    pub(super) fn new(
        members: &'a [Member],
        threshold: Option<u32>,
        warmup: Option<&'a Warmup>,
        tried: &'a [SocketAddr],
    ) -> Option<Self> {
        let mut usable = Self { members, tried: &[], everyone: true, warmup };
        if let Some(threshold) = threshold {
            let inside = members.iter().filter(|member| member.state.out().is_none()).count();
            let wanted = members.len().saturating_mul(usize::try_from(threshold).unwrap_or(0));
            usable.everyone = inside == members.len() || inside.saturating_mul(100) < wanted;
            if inside == 0 && !usable.everyone {
                return None;
            }
        }
        if !tried.is_empty() {
            let untried = Self { tried, ..usable };
            if (0..members.len()).any(|index| untried.allows(index)) {
                return Some(untried);
            }
            usable = Self { tried: &[], ..untried };
        }
        Some(usable)
    }

    /// Whether an endpoint may be taken.
    pub(super) fn allows(&self, index: usize) -> bool {
        self.members.get(index).is_some_and(|member| {
            (self.everyone || member.state.out().is_none()) && !self.tried.contains(&member.endpoint.address)
        })
    }

    /// Whether all may be, without a difference.
    pub(super) fn all(&self) -> bool {
        self.everyone && self.tried.is_empty() && self.warmup.is_none()
    }

    /// Whether shares change as endpoints warm up.
    pub(super) fn is_warming(&self) -> bool {
        self.warmup.is_some()
    }

    /// The part of its share that an endpoint gets now: 1 unless it warms up.
    pub(super) fn factor(&self, index: usize) -> f64 {
        match (self.warmup, self.members.get(index)) {
            (Some(warmup), Some(member)) => warmup.factor(member.state.age()),
            _ => 1.0,
        }
    }

    /// The share of an endpoint now; zero when it may not be taken.
    pub(super) fn share(&self, index: usize) -> f64 {
        let weight = self.members.get(index).filter(|_| self.allows(index)).map_or(0, |member| member.endpoint.weight);
        f64::from(weight) * self.factor(index)
    }

    /// How many endpoints there are, usable or not.
    pub(super) fn count(&self) -> usize {
        self.members.len()
    }
}

impl Warmup {
    /// The part of its share that an endpoint of this age has, in milliseconds.
    fn factor(&self, age: u64) -> f64 {
        let elapsed = std::time::Duration::from_millis(age);
        if elapsed >= self.duration {
            return 1.0;
        }
        let progress = elapsed.as_secs_f64() / self.duration.as_secs_f64();
        let minimum = self.minimum_percent / 100.0;
        progress.powf(self.aggression.recip()).clamp(minimum.clamp(0.0, 1.0), 1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn factors(aggression: f64) -> Vec<f64> {
        let warmup = Warmup { duration: Duration::from_secs(10), minimum_percent: 10.0, aggression };
        [0, 2_500, 5_000, 10_000, 20_000].map(|age| (warmup.factor(age) * 100.0).round()).to_vec()
    }

    #[test]
    fn a_share_grows_from_its_minimum_to_all() {
        assert_eq!(factors(1.0), [10.0, 25.0, 50.0, 100.0, 100.0]);
        assert_eq!(factors(2.0), [10.0, 50.0, 71.0, 100.0, 100.0]);
    }
}
