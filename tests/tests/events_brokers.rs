//! What every store on a server promises, whatever happens to the server, the way to it, the proxy or the subscriber: what
//! was acknowledged is delivered, in the order of its key. One table of cases, run over every store.
#![allow(clippy::expect_used, reason = "a test may fail where it stands")]

mod durable;

use durable::{Kept, accepted, batch, event, firsts, ids};
use sluicegate_tests::{Behaviour, Broker, Client, Eventing, Gap, Proxy, Store, Upstream, wait_until};
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const LONG: Duration = Duration::from_mins(1);
/// For which a server or the way to it is away.
const AWAY: Duration = Duration::from_secs(3);
/// In which an event is refused that cannot be stored, with what a busy machine adds.
const IN_TIME: Duration = Duration::from_secs(8);

#[test]
fn an_event_arrives_with_all_that_it_says_and_the_figures_count_it() {
    Store::each(arrival);
}

#[test]
fn a_subscriber_that_was_down_catches_up() {
    Store::each(catch_up);
}

#[test]
fn a_server_that_stops_and_starts_loses_nothing_acknowledged() {
    Store::each(restart);
}

#[test]
fn a_way_to_the_server_that_carries_nothing_for_a_while_loses_nothing_acknowledged() {
    Store::each(partition);
}

#[test]
fn what_waits_when_the_proxy_is_killed_or_ends_is_delivered_by_the_next_one() {
    Store::each(next_proxy);
}

#[test]
fn a_subscription_that_is_gone_takes_its_events_with_it() {
    Store::each(removal);
}

#[test]
fn of_many_subscriptions_that_came_at_once_each_is_removed_that_is_gone_at_the_next_start() {
    // An MQTT broker does not say which sessions it has.
    Store::each_of([Store::Amqp, Store::Nats, Store::Redis], many);
}

fn arrival(store: Store) {
    let (server, subscriber) = (Broker::start(store), Upstream::start());
    let proxy = Proxy::start(Kept::on(store, server.address()).options(subscriber.address()));
    wait_until(LONG, || proxy.send(event("1", "a%20key").header("ce-subject", "Euro%20%E2%82%AC")).status == 202);
    wait_until(LONG, || !subscriber.requests().is_empty());
    let first = &subscriber.requests()[0];
    let shown = ["ce-id", "ce-source", "ce-type", "ce-subject", "ce-partitionkey", "content-type"];
    let shown = shown.map(|name| first.header(name).unwrap_or_default());
    assert_eq!(shown, ["1", "/test", "test", "Euro%20%E2%82%AC", "a%20key", "text/plain"]);
    assert_eq!(&first.body[..], b"data");
    wait_until(LONG, || proxy.ask_admin("/events").json()[0]["subscriptions"][0]["delivered"] == 1);
    let figures = &proxy.ask_admin("/events").json()[0];
    assert_eq!((&figures["store"], &figures["received"]), (&store.name().into(), &1.into()), "{figures}");
}

fn catch_up(store: Store) {
    /// Tries that fail: five seconds of them, one after the other, as events without a key share one.
    const DOWN: usize = 50;
    const EVENTS: usize = 1_000;
    let subscriber = Upstream::statuses([vec![503; DOWN], vec![200]].concat());
    let server = Broker::start(store);
    let proxy = Proxy::start(Kept::on(store, server.address()).options(subscriber.address()));
    let mut client = proxy.connect();
    for from in (0..EVENTS).step_by(100) {
        wait_until(LONG, || client.send(batch(from..from + 100)).expect("the proxy answers").status == 202);
    }
    wait_until(LONG, || subscriber.arrived() >= DOWN);
    let missed = EVENTS - ids(&subscriber).len().min(EVENTS);
    let begin = Instant::now();
    wait_until(LONG, || proxy.ask_admin("/events").json()[0]["subscriptions"][0]["delivered"] == EVENTS);
    let took = begin.elapsed();
    println!("{}: {missed} of {EVENTS} events had not been tried; all are delivered {took:?} later", store.name());
    wait_until(LONG, || proxy.ask_admin("/events").json()[0]["subscriptions"][0]["queued"] == 0);
    assert_eq!(ids(&subscriber).len(), EVENTS);
}

/// Publishes numbers as events of one key until it is told to end; those that were refused are left out, and the longest
/// refusal is said.
fn publish(address: SocketAddr, acknowledged: &Mutex<Vec<usize>>, ended: &AtomicBool) -> Duration {
    let (mut client, mut longest) = (Client::connect(address), Duration::ZERO);
    for number in 0.. {
        if ended.load(Ordering::Relaxed) {
            break;
        }
        let begin = Instant::now();
        let answer = client.send(event(&number.to_string(), "key")).expect("the proxy answers");
        if answer.status == 202 {
            acknowledged.lock().expect("a lock").push(number);
        } else {
            assert_eq!((answer.status, answer.header("retry-after")), (503, Some("1")), "{}", answer.text());
            longest = longest.max(begin.elapsed());
        }
    }
    longest
}

/// Publishes under way while something happens: what was acknowledged before, between and after is delivered in order.
fn through(store: Store, proxy: &Proxy, subscriber: &Upstream, happens: impl FnOnce()) {
    accepted(&mut proxy.connect(), "first", "");
    let (acknowledged, ended) = (Mutex::new(Vec::new()), AtomicBool::new(false));
    let more = |by: usize| {
        let count = || acknowledged.lock().expect("a lock").len();
        let so_far = count();
        wait_until(LONG, || count() >= so_far + by);
    };
    let (refused, recovered) = std::thread::scope(|scope| {
        let publisher = scope.spawn(|| publish(proxy.address(), &acknowledged, &ended));
        more(100);
        happens();
        let begin = Instant::now();
        more(100);
        let recovered = begin.elapsed();
        ended.store(true, Ordering::Relaxed);
        (publisher.join().expect("it publishes"), recovered)
    });
    let acknowledged: BTreeSet<String> =
        acknowledged.into_inner().expect("a lock").iter().map(ToString::to_string).collect();
    wait_until(LONG, || ids(subscriber).is_superset(&acknowledged));
    let arrived = subscriber.requests().into_iter().filter_map(|request| request.header("ce-id")?.parse().ok());
    let arrived: Vec<usize> = arrived.collect();
    let firsts = firsts(&arrived);
    assert!(firsts.is_sorted(), "delivered out of order: {firsts:?}");
    let (name, twice) = (store.name(), arrived.len() - firsts.len());
    println!("{name}: refused within {refused:?}, 100 more taken within {recovered:?}, {twice} events delivered twice");
    assert!(!refused.is_zero() && refused < IN_TIME, "the longest refusal took {refused:?}");
}

/// Ends a server as it has to be able to end without losing anything: Mosquitto in order, all others at once.
fn end(store: Store, server: &mut Broker) {
    if store == Store::Mqtt { server.terminate() } else { server.stop() }
}

fn restart(store: Store) {
    let (mut server, subscriber) = (Broker::start(store), Upstream::start());
    let proxy = Proxy::start(Kept::on(store, server.address()).options(subscriber.address()));
    through(store, &proxy, &subscriber, || {
        end(store, &mut server);
        pause(AWAY);
        server.restart();
    });
}

fn partition(store: Store) {
    let (server, subscriber) = (Broker::start(store), Upstream::start());
    let gap = Gap::before(server.address());
    let proxy = Proxy::start(Kept::on(store, gap.address()).options(subscriber.address()));
    through(store, &proxy, &subscriber, || {
        gap.cut();
        pause(AWAY * 3);
        gap.heal();
    });
}

fn pause(time: Duration) {
    let begin = Instant::now();
    wait_until(time * 2, || begin.elapsed() >= time);
}

fn next_proxy(store: Store) {
    const EVENTS: usize = 300;
    let (mut server, down) = (Broker::start(store), Upstream::with(Behaviour::status(503)));
    let kept = Kept::on(store, server.address());
    let mut proxy = Proxy::start(kept.options(down.address()));
    let mut client = proxy.connect();
    for number in 0..EVENTS {
        accepted(&mut client, &number.to_string(), "");
    }
    end(store, &mut server);
    server.restart();
    proxy.terminate();
    assert!(proxy.wait_for_end(LONG).success());
    // SIGKILL, while the second one has some of them.
    let (tried, second) = (down.arrived(), Proxy::start(kept.options(down.address())));
    wait_until(LONG, || down.arrived() > tried + 20);
    drop(second);
    let (up, begin) = (Upstream::start(), Instant::now());
    let _third = Proxy::start(kept.options(up.address()));
    wait_until(LONG, || up.arrived() > 0);
    let first = begin.elapsed();
    wait_until(LONG, || ids(&up).len() == EVENTS);
    println!("{}: first event {first:?} after the start, all {EVENTS} after {:?}", store.name(), begin.elapsed());
    assert_eq!(up.arrived(), EVENTS, "none twice");
}

fn many(store: Store) {
    const SUBSCRIPTIONS: usize = 20;
    let (server, subscriber) = (Broker::start(store), Upstream::start());
    let kept = Kept::on(store, server.address());
    let more = (1..SUBSCRIPTIONS).map(|number| format!("one-of-many-{number}"));
    let more =
        more.fold(Eventing::new(), |documents, name| documents.subscription(&name, "orders-channel", "inventory"));
    let options = kept.options(subscriber.address()).manifest("more.yaml", more.to_string());
    let mut proxy = Proxy::start(options);
    // All of them are known by then.
    accepted(&mut proxy.connect(), "1", "");
    wait_until(LONG, || subscriber.arrived() == SUBSCRIPTIONS);
    proxy.terminate();
    proxy.wait_for_end(LONG);
    let proxy = Proxy::start(kept.options(subscriber.address()));
    let gone = || proxy.log().matches("the subscription is gone, and so are its stored events").count();
    wait_until(LONG, || gone() == SUBSCRIPTIONS - 1);
}

fn removal(store: Store) {
    let (server, down) = (Broker::start(store), Upstream::with(Behaviour::status(503)));
    let kept = Kept::on(store, server.address());
    let mut proxy = Proxy::start(kept.options(down.address()));
    accepted(&mut proxy.connect(), "before", "");
    wait_until(LONG, || down.arrived() > 0);
    let channel = durable::manifests().split("---").next().expect("a channel").to_owned();
    proxy.manifests().replace("events.yaml", channel);
    wait_until(LONG, || proxy.ask_admin("/events").json()[0]["subscriptions"].as_array().is_some_and(Vec::is_empty));
    proxy.terminate();
    proxy.wait_for_end(LONG);
    let up = Upstream::start();
    let proxy = Proxy::start(kept.options(up.address()));
    accepted(&mut proxy.connect(), "after", "");
    wait_until(LONG, || !ids(&up).is_empty());
    assert_eq!(ids(&up), BTreeSet::from(["after".to_owned()]));
}
