//! Events on a NATS server: whatever happens to it or on the way to it, what was acknowledged is delivered.
#![allow(clippy::expect_used, reason = "a test may fail where it stands")]

mod durable;

use durable::{Kept, event, firsts, ids};
use sluicegate_tests::{Broker, Client, Proxy, Store, Upstream, wait_until};
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const LONG: Duration = Duration::from_mins(1);

fn accepted(proxy: &Proxy, id: &str) {
    durable::accepted(&mut proxy.connect(), id, "");
}

#[test]
fn events_go_through_the_server_and_a_duplicate_is_delivered_once() {
    let (server, subscriber) = (Broker::start(Store::Nats), Upstream::start());
    let proxy = Proxy::start(Kept::on(Store::Nats, server.address()).options(subscriber.address()));
    for id in ["1", "2", "1", "3"] {
        accepted(&proxy, id);
    }
    wait_until(LONG, || subscriber.arrived() >= 3);
    assert_eq!(proxy.ask_admin("/events").json()[0]["store"], "nats");
    assert_eq!((ids(&subscriber).len(), subscriber.arrived()), (3, 3));
    let first = &subscriber.requests()[0];
    assert_eq!((first.header("ce-type").as_deref(), &first.body[..]), (Some("test"), b"data".as_slice()));
}

#[test]
fn a_server_that_hangs_is_not_waited_for_and_events_sent_again_are_delivered_once() {
    let (server, subscriber) = (Broker::start(Store::Nats), Upstream::start());
    let proxy = Proxy::start(Kept::on(Store::Nats, server.address()).options(subscriber.address()));
    accepted(&proxy, "before");
    server.hang();
    let begin = Instant::now();
    let answer = proxy.send(event("during", ""));
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("1")), "{}", answer.text());
    assert!(begin.elapsed() < Duration::from_secs(10), "{:?}", begin.elapsed());
    server.go_on();
    accepted(&proxy, "during");
    accepted(&proxy, "after");
    wait_until(LONG, || ids(&subscriber).contains("after"));
    assert_eq!((ids(&subscriber).len(), subscriber.arrived()), (3, 3));
}

/// Publishes numbers as events of one key until it is told to end; those that were refused are left out.
fn publish(address: SocketAddr, acknowledged: &Mutex<Vec<usize>>, ended: &AtomicBool) {
    let mut client = Client::connect(address);
    for number in 0.. {
        if ended.load(Ordering::Relaxed) {
            return;
        }
        if client.send(event(&number.to_string(), "key")).expect("the proxy answers").status == 202 {
            acknowledged.lock().expect("a lock").push(number);
        }
    }
}

#[test]
fn kills_of_the_server_under_load_lose_nothing_acknowledged_and_keep_the_order_of_a_key() {
    let (mut server, subscriber) = (Broker::start(Store::Nats), Upstream::start());
    let proxy = Proxy::start(Kept::on(Store::Nats, server.address()).options(subscriber.address()));
    accepted(&proxy, "first");
    let (acknowledged, ended) = (Mutex::new(Vec::new()), AtomicBool::new(false));
    let count = || acknowledged.lock().expect("a lock").len();
    std::thread::scope(|scope| {
        scope.spawn(|| publish(proxy.address(), &acknowledged, &ended));
        for _ in 0..4 {
            let so_far = count();
            wait_until(LONG, || count() >= so_far + 100);
            server.restart();
        }
        let so_far = count();
        wait_until(LONG, || count() > so_far);
        ended.store(true, Ordering::Relaxed);
    });
    let acknowledged: BTreeSet<String> =
        acknowledged.into_inner().expect("a lock").iter().map(ToString::to_string).collect();
    wait_until(LONG, || ids(&subscriber).is_superset(&acknowledged));
    let arrived =
        subscriber.requests().into_iter().filter_map(|request| request.header("ce-id")?.parse::<usize>().ok());
    let firsts = firsts(&arrived.collect::<Vec<_>>());
    assert!(firsts.is_sorted(), "delivered out of order: {firsts:?}");
}
