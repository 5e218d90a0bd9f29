//! Maglev: a table in which endpoints take slots in turn, each by an order of its own, so that shares are as good as
//! equal and most keys stay when an endpoint goes (Eisenbud and others, NSDI 2016, section 3.4).

use super::super::member::Member;
use super::hash::{hash, mix};
use super::usable::Usable;

/// Slots that are tried for a key whose own endpoint is out, before all endpoints are looked at.
const PROBES: u64 = 64;

/// The place of an endpoint for each slot.
#[derive(Debug)]
pub(super) struct Maglev(Box<[usize]>);

/// Where an endpoint looks for its next slot.
struct Order {
    offset: u64,
    skip: u64,
    next: u64,
    weight: f64,
    /// When it takes its next slot, in rounds.
    due: f64,
}

impl Maglev {
    /// A table of this size, which has to be a prime.
    pub(super) fn new(members: &[Member], size: usize) -> Self {
        let Some(heaviest) = members.iter().map(|member| member.endpoint.weight).max() else {
            return Self(Box::default());
        };
        let slots = (size as u64).max(2);
        let mut orders: Vec<Order> = members
            .iter()
            .map(|member| {
                let name = hash(member.endpoint.address.to_string().as_bytes());
                let weight = f64::from(member.endpoint.weight) / f64::from(heaviest.max(1));
                Order { offset: name % slots, skip: mix(!name) % (slots - 1) + 1, next: 0, weight, due: 0.0 }
            })
            .collect();
        let mut table = vec![None; size];
        let mut filled = 0;
        // Every round takes at least one slot, that of the heaviest.
        for round in 0..size {
            for (index, order) in orders.iter_mut().enumerate() {
                if filled < size && order.takes_turn(round) && order.take(&mut table, index, slots) {
                    filled += 1;
                }
            }
            if filled == size {
                break;
            }
        }
        Self(table.into_iter().map(Option::unwrap_or_default).collect())
    }

    /// The endpoint of the key's slot or, when it is out, of others that follow from the key.
    pub(super) fn pick(&self, key: u64, usable: &Usable<'_>) -> Option<usize> {
        let slot = |key: u64| self.0.get(usize::try_from(key.checked_rem(self.0.len() as u64)?).ok()?).copied();
        let probes = (0..PROBES).map(|probe| if probe == 0 { key } else { mix(key.wrapping_add(probe)) });
        let found = probes.filter_map(slot).find(|index| usable.allows(*index));
        found.or_else(|| (0..usable.count()).find(|index| usable.allows(*index)))
    }
}

impl Order {
    /// Lighter endpoints sit rounds out.
    #[allow(clippy::cast_precision_loss, reason = "tables have under five million slots")]
    fn takes_turn(&mut self, round: usize) -> bool {
        if (round as f64) < self.due {
            return false;
        }
        self.due += self.weight.recip();
        true
    }

    /// Takes its next free slot. The skip and the size have no common divisor, so every slot is met once.
    fn take(&mut self, table: &mut [Option<usize>], index: usize, slots: u64) -> bool {
        while self.next < slots {
            let slot = (self.offset + self.next.wrapping_mul(self.skip)) % slots;
            self.next += 1;
            if let Some(free @ None) = usize::try_from(slot).ok().and_then(|slot| table.get_mut(slot)) {
                *free = Some(index);
                return true;
            }
        }
        false
    }
}
