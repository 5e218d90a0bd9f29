//! Ring hash: every endpoint has points on a ring, and a key belongs to the next point after it. When an endpoint goes,
//! only its own keys move.

use super::super::member::Member;
use super::hash::hash;
use super::usable::Usable;

/// Points for each endpoint, whatever the least size of the ring: with 512 the shares differ by some 4 %.
const POINTS: usize = 512;
/// Above this size, more points would cost more memory than evenness is worth (16 bytes a point).
const EVEN_ENOUGH: usize = 1 << 16;

/// Points in order, each with the place of its endpoint.
#[derive(Debug)]
pub(super) struct Ring(Box<[(u64, usize)]>);

impl Ring {
    /// A ring of at least so many points.
    pub(super) fn new(members: &[Member], minimum: usize) -> Self {
        let size = members.len().saturating_mul(POINTS).min(EVEN_ENOUGH).max(minimum).max(members.len());
        let total: u64 = members.iter().map(|member| u64::from(member.endpoint.weight)).sum();
        let mut points = Vec::with_capacity(size + members.len());
        for (index, member) in members.iter().enumerate() {
            let share = u128::from(member.endpoint.weight) * size as u128;
            let count = share.div_ceil(u128::from(total.max(1)));
            points.extend(
                (0..count).map(|point| (hash(format!("{}_{point}", member.endpoint.address).as_bytes()), index)),
            );
        }
        points.sort_unstable();
        Self(points.into())
    }

    /// The endpoint of the first point after the key that is usable.
    pub(super) fn pick(&self, key: u64, usable: &Usable<'_>) -> Option<usize> {
        let (before, after) = self.0.split_at_checked(self.0.partition_point(|(point, _)| *point < key))?;
        after.iter().chain(before).map(|(_, index)| *index).find(|index| usable.allows(*index))
    }
}
