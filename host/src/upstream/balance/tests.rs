//! Shares, movements of keys, retries, and what is out.

use super::super::cluster::Cluster;
use super::super::endpoint::Endpoint;
use super::super::policy::{HashKey, OutlierDetection, Policy, Warmup};
use super::super::state::Health;
use super::super::target::Target;
use super::super::tests::harness::{cluster, cluster_of, cluster_with, port};
use super::*;
use crate::error::RequestError;
use std::collections::HashMap;
use std::time::Duration;

const PICKS: u32 = 100_000;

fn pick<'a>(cluster: &'a Cluster, key: Option<u64>, tried: &[SocketAddr]) -> Result<&'a Member, RequestError> {
    Target::pick(cluster, key, tried).map(|target| target.member)
}

fn policy(balancer: Balancing) -> Policy {
    Policy { balancer, ..Policy::default() }
}

fn weighted(weights: &[u32], policy: Policy) -> Cluster {
    let endpoints =
        weights.iter().zip(1..).map(|(weight, number)| Endpoint { weight: *weight, ..Endpoint::new(port(number)) });
    cluster_of(endpoints.collect(), policy)
}

fn picked(cluster: &Cluster, key: Option<u64>, tried: &[SocketAddr]) -> u16 {
    pick(cluster, key, tried).unwrap().endpoint.address.port()
}

/// The largest distance between a share and its weight, in parts of the weight.
fn error(cluster: &Cluster, weights: &[u32], mut key: impl FnMut() -> Option<u64>) -> f64 {
    let mut counts: HashMap<u16, u32> = HashMap::new();
    (0..PICKS).for_each(|_| *counts.entry(picked(cluster, key(), &[])).or_default() += 1);
    let total: u32 = weights.iter().sum();
    let errors = weights.iter().zip(1..).map(|(weight, number)| {
        let wanted = f64::from(PICKS) * f64::from(*weight) / f64::from(total);
        (f64::from(counts.get(&number).copied().unwrap_or(0)) - wanted).abs() / f64::from(PICKS)
    });
    errors.fold(0.0, f64::max)
}

#[test]
fn shares_are_as_weights_say_within_two_percent() {
    let key = HashKey::Source;
    let ways = [
        ("round robin", Balancing::RoundRobin),
        ("random", Balancing::Random),
        ("least request", Balancing::LeastRequest),
        ("ring hash", Balancing::Hash(key.clone(), HashTable::Ring(1024))),
        ("maglev", Balancing::Hash(key, HashTable::Maglev(65_537))),
    ];
    for (name, balancing) in ways {
        for weights in [&[1, 1, 1, 1][..], &[5, 3, 2], &[90, 10], &[1, 100]] {
            let cluster = weighted(weights, policy(balancing.clone()));
            let error = error(&cluster, weights, || Some(fastrand::u64(..)));
            println!("{name:<13} {weights:?}: off by at most {:.2} %", error * 100.0);
            assert!(error < 0.02, "{name} {weights:?}: {error}");
        }
    }
}

#[test]
fn few_keys_move_when_an_endpoint_goes() {
    let tables = [("ring hash", HashTable::Ring(1024)), ("maglev", HashTable::Maglev(65_537))];
    for (name, table) in tables {
        for count in [3, 5, 10, 20] {
            let with = |numbers: Vec<u16>| {
                cluster_with(numbers.into_iter().map(port), policy(Balancing::Hash(HashKey::Source, table)))
            };
            let all = with((1..=count).collect());
            let mut worst: f64 = 0.0;
            for gone in 1..=count {
                let rest = with((1..=count).filter(|number| *number != gone).collect());
                let keys = 10_000_u32;
                let moved = (0..keys).filter(|key| {
                    let key = Some(hash::hash(&key.to_be_bytes()));
                    picked(&all, key, &[]) != picked(&rest, key, &[])
                });
                worst = worst.max(f64::from(u32::try_from(moved.count()).unwrap()) / f64::from(keys));
            }
            let limit = 1.0 / f64::from(count) + 0.02;
            println!(
                "{name:<9} one of {count:>2} goes: at most {:.1} % of keys move, {:.1} % allowed",
                worst * 100.0,
                limit * 100.0
            );
            assert!(worst < limit, "{name} {count}: {worst}");
        }
    }
}

#[test]
fn round_robin_takes_turns() {
    let cluster = cluster_with([port(1), port(2), port(3)], policy(Balancing::RoundRobin));
    let mut turns: Vec<_> = (0..6).map(|_| picked(&cluster, None, &[])).collect();
    assert_eq!(turns[..3], turns[3..]);
    turns.sort_unstable();
    turns.dedup();
    assert_eq!(turns, [1, 2, 3]);
}

#[test]
fn weighted_turns_lie_as_far_apart_as_they_can() {
    let cluster = weighted(&[3, 1], policy(Balancing::RoundRobin));
    let turns: Vec<_> = (0..40).map(|_| picked(&cluster, None, &[])).collect();
    assert!(turns.windows(4).all(|turns| turns.iter().filter(|number| **number == 2).count() == 1), "{turns:?}");
}

#[test]
fn one_cluster_does_not_take_the_turns_of_another() {
    let cluster = |numbers: [u16; 2]| cluster_with(numbers.map(port), policy(Balancing::RoundRobin));
    let (first, second) = (cluster([1, 2]), cluster([3, 4]));
    let mut turns: Vec<_> = (0..2).flat_map(|_| [picked(&first, None, &[]), picked(&second, None, &[])]).collect();
    turns.sort_unstable();
    assert_eq!(turns, [1, 2, 3, 4]);
}

#[test]
fn least_request_avoids_who_has_most_to_do() {
    let cluster = cluster([port(1), port(2), port(3)]);
    let _busy: Vec<_> = (0..5).map(|_| cluster.members()[1].state.enter()).collect();
    assert!((0..1_000).all(|_| picked(&cluster, None, &[]) != 2));
}

#[test]
fn a_retry_goes_to_an_endpoint_that_was_not_tried() {
    let ways = [
        Balancing::RoundRobin,
        Balancing::Random,
        Balancing::LeastRequest,
        Balancing::Hash(HashKey::Source, HashTable::Ring(1024)),
        Balancing::Hash(HashKey::Source, HashTable::Maglev(101)),
    ];
    for way in ways {
        let cluster = cluster_with([port(1), port(2), port(3)], policy(way.clone()));
        for key in 0..50 {
            assert_eq!(picked(&cluster, Some(key), &[port(1), port(3)]), 2, "{way:?}");
            assert!(pick(&cluster, Some(key), &[port(1), port(2), port(3)]).is_ok(), "{way:?}: any will do");
        }
    }
}

#[test]
fn one_that_is_out_gets_nothing_and_its_keys_go_elsewhere_alone() {
    let way = Balancing::Hash(HashKey::Source, HashTable::Maglev(65_537));
    let outlier = Some(OutlierDetection::default());
    let cluster = cluster_with((1..=4).map(port), Policy { balancer: way, outlier, ..Policy::default() });
    let before: Vec<_> = (0..1_000).map(|key| picked(&cluster, Some(hash::mix(key)), &[])).collect();
    cluster.members()[0].state.set_health(Health::Unhealthy);
    for (key, before) in (0..).zip(before) {
        let now = picked(&cluster, Some(hash::mix(key)), &[]);
        assert!(now != 1 && (before == 1 || now == before));
    }
}

#[test]
fn when_too_few_are_in_all_are_used_if_the_policy_says_so() {
    let clusters = [0, 50].map(|percent| {
        let outlier = Some(OutlierDetection { min_health_percent: percent, ..OutlierDetection::default() });
        cluster_with((1..=4).map(port), Policy { outlier, ..Policy::default() })
    });
    for cluster in &clusters {
        cluster.members()[1..].iter().for_each(|member| member.state.set_health(Health::Unhealthy));
    }
    let seen = |cluster: &Cluster| {
        let mut seen: Vec<_> = (0..1_000).map(|_| picked(cluster, None, &[])).collect();
        seen.sort_unstable();
        seen.dedup();
        seen
    };
    assert_eq!(seen(&clusters[0]), [1]);
    assert_eq!(seen(&clusters[1]), [1, 2, 3, 4]);
    clusters[0].members()[0].state.set_health(Health::Unhealthy);
    let error = pick(&clusters[0], None, &[]).unwrap_err();
    assert_eq!(error, RequestError::NoHealthyEndpoint { destination: "shop".into() });
}

#[test]
fn a_new_endpoint_begins_with_a_part_of_its_share() {
    for balancer in [Balancing::RoundRobin, Balancing::LeastRequest] {
        let warmup = Warmup { duration: Duration::from_millis(1), minimum_percent: 25.0, aggression: 1.0 };
        let cluster = cluster_with([port(1), port(2)], Policy { balancer, warmup: Some(warmup), ..Policy::default() });
        cluster.members()[0].state.returns(0);
        // From the future, and so as new as can be.
        cluster.members()[1].state.returns(u64::MAX);
        let error = error(&cluster, &[100, 25], || None);
        println!("{:?} with one new endpoint: off by at most {:.2} %", cluster.policy().balancer, error * 100.0);
        assert!(error < 0.02, "{error}");
        cluster.members()[1].state.returns(0);
        assert!(self::error(&cluster, &[1, 1], || None) < 0.02);
    }
}

#[test]
fn without_endpoints_there_is_nothing_to_pick() {
    let error = pick(&cluster([]), None, &[]).unwrap_err();
    assert_eq!(error, RequestError::NoEndpoint { destination: "shop".into() });
    assert_eq!(picked(&cluster([port(1)]), None, &[port(1)]), 1);
}
