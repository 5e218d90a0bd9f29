//! Power of two choices: of two endpoints drawn by weight, the one that has less to do for its weight.
//!
//! One slow endpoint gathers active requests and is passed over, at the price of two numbers read for each request.

use super::super::member::Member;
use super::draw::Draw;
use super::usable::Usable;

pub(super) fn pick(members: &[Member], draw: &Draw, usable: &Usable<'_>) -> Option<usize> {
    let first = draw.pick(usable)?;
    let Some(second) = draw.pick_but(usable, Some(first)) else { return Some(first) };
    let (Some(one), Some(other)) = (members.get(first), members.get(second)) else { return Some(first) };
    // Both were drawn by weight, so a tie goes to the first: at rest, shares are as weights say.
    let load = |member: &Member, other: &Member| u64::from(member.state.active()) * u64::from(other.endpoint.weight);
    Some(if load(other, one) < load(one, other) { second } else { first })
}
