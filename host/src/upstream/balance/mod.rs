//! Chooses among the endpoints of a cluster: one that is in, and for a retry one that was not tried yet.
//!
//! Every way to choose asks [`Usable`] whether an endpoint may be taken, so that what is out, was tried or is still
//! warming up is known in one place.

pub(super) mod affinity;
mod draw;
mod hash;
mod least_request;
mod maglev;
mod ring;
mod round_robin;
#[cfg(test)]
mod tests;
mod usable;

use super::member::Member;
use super::policy::{Balancing, HashTable, Policy, Warmup};
use draw::Draw;
use maglev::Maglev;
use ring::Ring;
use round_robin::RoundRobin;
use std::net::SocketAddr;
use usable::Usable;

/// A way to choose, made ready for the endpoints of a cluster.
#[derive(Debug)]
pub(super) struct Balancer {
    draw: Draw,
    way: Way,
    warmup: Option<Warmup>,
}

#[derive(Debug)]
enum Way {
    Random,
    LeastRequest,
    RoundRobin(RoundRobin),
    Ring(Ring),
    Maglev(Maglev),
}

impl Balancer {
    /// Makes it ready. Tables for keys take a while: never on the way of a request.
    pub(super) fn new(policy: &Policy, members: &[Member]) -> Self {
        let way = match &policy.balancer {
            Balancing::LeastRequest => Way::LeastRequest,
            Balancing::RoundRobin => Way::RoundRobin(RoundRobin::new()),
            Balancing::Random => Way::Random,
            Balancing::Hash(_, HashTable::Ring(minimum)) => Way::Ring(Ring::new(members, *minimum)),
            Balancing::Hash(_, HashTable::Maglev(size)) => Way::Maglev(Maglev::new(members, *size)),
        };
        let warmup = policy.warmup.filter(|_| matches!(way, Way::LeastRequest | Way::RoundRobin(_)));
        Self { draw: Draw::new(members), way, warmup }
    }

    /// The endpoint for a request with this key, skipping those already tried as long as there is another; none when all
    /// are out. With a `threshold` endpoints may be out, and if fewer than that are in, in percent, all are used.
    pub(super) fn pick<'a>(
        &self,
        members: &'a [Member],
        threshold: Option<u32>,
        tried: &[SocketAddr],
        key: Option<u64>,
    ) -> Option<&'a Member> {
        let usable = Usable::new(members, threshold, self.warmup.as_ref(), tried)?;
        members.get(self.place(members, &usable, key)?)
    }

    fn place(&self, members: &[Member], usable: &Usable<'_>, key: Option<u64>) -> Option<usize> {
        match (&self.way, key) {
            (Way::LeastRequest, _) => least_request::pick(members, &self.draw, usable),
            (Way::RoundRobin(turns), _) => turns.pick(&self.draw, usable),
            (Way::Ring(ring), Some(key)) => ring.pick(key, usable),
            (Way::Maglev(maglev), Some(key)) => maglev.pick(key, usable),
            // A request without the key goes anywhere.
            (Way::Random | Way::Ring(_) | Way::Maglev(_), _) => self.draw.pick(usable),
        }
    }
}
