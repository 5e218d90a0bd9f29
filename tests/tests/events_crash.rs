//! `kill -9` of the proxy at random moments under load: no acknowledged event is lost, and order by key is kept.
//!
//! `SLUICEGATE_CRASHES` says how many times; 200 take some minutes.
#![allow(clippy::expect_used, reason = "a test may fail where it stands")]

mod durable;

use durable::{Kept, event, firsts};
use sluicegate_tests::{Broker, Client, Proxy, Store, Upstream, wait_until};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Publishers, each with a key of its own.
const PUBLISHERS: usize = 4;
/// Crashes unless the environment says otherwise.
const CRASHES: usize = 12;
/// The longest that a proxy lives under load.
const LIFE: Duration = Duration::from_millis(600);
/// For events that a former proxy had to come again from a server, which may have to wait for its lease first.
const PATIENCE: Duration = Duration::from_secs(4);
/// One life in so many is long enough for that.
const LONG_LIVES: usize = 6;
/// For what is left to arrive at the end.
const ARRIVAL: Duration = Duration::from_mins(2);

/// What one publisher has sent: numbers in order, and those that were acknowledged.
#[derive(Default)]
struct Published {
    next: usize,
    acknowledged: BTreeSet<usize>,
}

/// Publishes one event after the other until the proxy is gone.
fn publish(mut client: Client, key: usize, published: &mut Published, ended: &AtomicBool) {
    while !ended.load(Ordering::Relaxed) {
        let number = published.next;
        published.next += 1;
        match client.send(event(&format!("{key}-{number}"), &format!("key-{key}"))) {
            Ok(answer) if answer.status == 202 => drop(published.acknowledged.insert(number)),
            Ok(_) | Err(_) => return,
        }
    }
}

/// One life of a proxy, ended in the middle of everything.
fn live(proxy: Proxy, published: &mut [Published], life: Duration) {
    let (address, ended) = (proxy.address(), Arc::new(AtomicBool::new(false)));
    std::thread::scope(|scope| {
        for (key, published) in published.iter_mut().enumerate() {
            // Before its life is counted, as it may be over at once.
            let (client, ended) = (Client::connect(address), Arc::clone(&ended));
            scope.spawn(move || publish(client, key, published, &ended));
        }
        let begin = Instant::now();
        wait_until(life + LIFE * 20, || begin.elapsed() >= life);
        // SIGKILL.
        drop(proxy);
        ended.store(true, Ordering::Relaxed);
    });
}

/// The numbers of each key, in the order of their arrival.
fn arrived(subscriber: &Upstream) -> BTreeMap<usize, Vec<usize>> {
    let mut arrived: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for request in subscriber.requests() {
        let id = request.header("ce-id").expect("an event has an id");
        let (key, number) = id.split_once('-').expect("as it was published");
        arrived.entry(key.parse().expect("a key")).or_default().push(number.parse().expect("a number"));
    }
    arrived
}

/// Crashes, some of them only after `patience`.
fn crash(name: &str, store: &Kept, seed: u64, patience: Duration) {
    let crashes = std::env::var("SLUICEGATE_CRASHES").ok().and_then(|count| count.parse().ok()).unwrap_or(CRASHES);
    let subscriber = Upstream::start();
    let mut published: Vec<Published> = (0..PUBLISHERS).map(|_| Published::default()).collect();
    let mut random = seed;
    for number in 1..=crashes {
        // A generator of the test's own, so that a failure can be had again.
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let life = LIFE * u32::try_from(random >> 48).expect("16 bits") / (1 << 16);
        let life = if number % LONG_LIVES == 0 { patience + life } else { life };
        let proxy = Proxy::start(store.options(subscriber.address()).argument("--access-log").argument("off"));
        live(proxy, &mut published, life);
    }
    let _last = Proxy::start(store.options(subscriber.address()));
    let acknowledged: usize = published.iter().map(|one| one.acknowledged.len()).sum();
    let missing = || {
        let arrived = arrived(&subscriber);
        let has = |key: usize, number: &usize| arrived.get(&key).is_some_and(|numbers| numbers.contains(number));
        let of = |(key, one): (usize, &Published)| one.acknowledged.iter().filter(|number| !has(key, number)).count();
        published.iter().enumerate().map(of).sum::<usize>()
    };
    let begin = Instant::now();
    while missing() > 0 && begin.elapsed() < ARRIVAL {
        let so_far = subscriber.arrived();
        let looked = Instant::now();
        wait_until(ARRIVAL, || subscriber.arrived() > so_far || looked.elapsed() > Duration::from_secs(1));
    }
    assert_eq!(missing(), 0, "of {acknowledged} acknowledged events, after {crashes} crashes");
    let (mut total, mut different) = (0, 0);
    for (key, numbers) in arrived(&subscriber) {
        let firsts = firsts(&numbers);
        assert!(firsts.is_sorted(), "key {key} was delivered out of order: {firsts:?}");
        (total, different) = (total + numbers.len(), different + firsts.len());
    }
    println!(
        "{name}, {crashes} crashes: {acknowledged} events acknowledged, {different} delivered, and {} duplicates",
        total - different
    );
    assert!(acknowledged > crashes, "there was load");
}

#[test]
fn events_in_files_survive_kills_at_any_moment_in_the_order_of_their_keys() {
    crash("file", &Kept::in_files(), 1, Duration::ZERO);
}

fn crash_on(store: Store, seed: u64) {
    let server = Broker::start(store);
    crash(store.name(), &Kept::on(store, server.address()), seed, PATIENCE);
}

#[test]
fn events_on_a_nats_server_survive_kills_at_any_moment_in_the_order_of_their_keys() {
    crash_on(Store::Nats, 2);
}

#[test]
fn events_on_a_redis_server_survive_kills_at_any_moment_in_the_order_of_their_keys() {
    crash_on(Store::Redis, 3);
}

#[test]
fn events_on_a_rabbitmq_broker_survive_kills_at_any_moment_in_the_order_of_their_keys() {
    crash_on(Store::Amqp, 4);
}

#[test]
fn events_on_an_mqtt_broker_survive_kills_at_any_moment_in_the_order_of_their_keys() {
    crash_on(Store::Mqtt, 5);
}
