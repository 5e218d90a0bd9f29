//! Chooses among the endpoints of a service: each in turn, and for a retry one that was not tried yet.

use super::registry::Cluster;
use crate::config::limits;
use std::cell::RefCell;
use std::collections::HashMap;
use std::net::SocketAddr;

thread_local! {
    /// Whose turn it is, for each cluster. Workers do not share it, as that would cost more than an even share is worth.
    static TURNS: RefCell<HashMap<(usize, usize), usize>> = RefCell::default();
}

/// The next endpoint in turn, skipping those already tried as long as there is another. None when there are none.
pub(super) fn pick(cluster: &Cluster, tried: &[SocketAddr]) -> Option<SocketAddr> {
    let endpoints = cluster.endpoints();
    if let [only] = endpoints {
        return Some(only.address);
    }
    let turn = turn(cluster).checked_rem(endpoints.len())?;
    let (before, from) = endpoints.split_at_checked(turn)?;
    let mut in_turn = from.iter().chain(before).map(|endpoint| endpoint.address);
    let first = in_turn.clone().next();
    in_turn.find(|address| !tried.contains(address)).or(first)
}

/// Counts on from a random start, so that workers and reloads do not all begin with the first endpoint.
fn turn(cluster: &Cluster) -> usize {
    TURNS.with_borrow_mut(|turns| {
        if turns.len() >= limits::ROUNDS {
            turns.clear();
        }
        let turn = turns.entry(cluster.key()).or_insert_with(|| fastrand::usize(..));
        *turn = turn.wrapping_add(1);
        *turn
    })
}

#[cfg(test)]
mod tests {
    use super::super::tests::harness::{cluster, port};
    use super::*;

    #[test]
    fn endpoints_take_turns() {
        let cluster = cluster([port(1), port(2), port(3)]);
        let mut picked: Vec<_> = (0..6).filter_map(|_| pick(&cluster, &[])).collect();
        assert_eq!(picked[..3], picked[3..]);
        picked.sort();
        picked.dedup();
        assert_eq!(picked, [port(1), port(2), port(3)]);
    }

    #[test]
    fn one_cluster_does_not_take_the_turns_of_another() {
        let (first, second) = (cluster([port(1), port(2)]), cluster([port(3), port(4)]));
        let mut picked: Vec<_> = (0..2).flat_map(|_| [pick(&first, &[]), pick(&second, &[])]).flatten().collect();
        picked.sort();
        assert_eq!(picked, [port(1), port(2), port(3), port(4)]);
    }

    #[test]
    fn a_retry_goes_to_an_endpoint_that_was_not_tried() {
        let cluster = cluster([port(1), port(2), port(3)]);
        for _ in 0..9 {
            assert_eq!(pick(&cluster, &[port(1), port(3)]), Some(port(2)));
        }
    }

    #[test]
    fn when_all_were_tried_any_will_do() {
        assert!(pick(&cluster([port(1), port(2)]), &[port(1), port(2)]).is_some());
        assert_eq!(pick(&cluster([port(1)]), &[port(1)]), Some(port(1)));
    }

    #[test]
    fn without_endpoints_there_is_nothing_to_pick() {
        assert_eq!(pick(&cluster([]), &[]), None);
    }
}
