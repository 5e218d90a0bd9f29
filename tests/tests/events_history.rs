//! What servers keep of a channel is shown and published again: by position, by time, to one subscription, for as long as the
//! configuration says.
#![allow(clippy::expect_used, reason = "a test may fail where it stands")]

mod durable;

use durable::{Kept, accepted, ids};
use serde_json::Value;
use sluicegate_tests::{Broker, Directory, Proxy, Store, Upstream, sluice, wait_until};
use std::process::{Command, Output};
use std::time::Duration;

const LONG: Duration = Duration::from_mins(1);
const EVENTS: usize = 150;

fn run(proxy: &Proxy, arguments: &[&str]) -> Output {
    let mut command = Command::new(sluice());
    command.arg("event").args(arguments).args(["--admin", &proxy.admin().to_string()]);
    command.output().expect("it runs")
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn of_subscription(proxy: &Proxy, name: &str) -> u64 {
    proxy.ask_admin("/events").json()[0]["subscriptions"][0][name].as_u64().expect("a number")
}

/// A proxy that keeps what was delivered for so long, and has published numbered events, which were delivered.
fn started(store: Store, server: &Broker, subscriber: &Upstream, history: &str, directory: &Directory) -> Proxy {
    directory.write("sluicegate.yaml", format!("events: {{history: {history}}}\n"));
    let options = Kept::on(store, server.address()).options(subscriber.address());
    let file = directory.file("sluicegate.yaml").display().to_string();
    let proxy = Proxy::start(options.argument("--config").argument(file));
    let mut client = proxy.connect();
    for number in 0..EVENTS {
        accepted(&mut client, &number.to_string(), "");
    }
    wait_until(LONG, || of_subscription(&proxy, "delivered") == EVENTS as u64);
    wait_until(LONG, || of_subscription(&proxy, "queued") == 0);
    proxy
}

#[test]
fn what_a_server_keeps_is_shown_and_published_again_by_position_and_by_time() {
    Store::each_of([Store::Nats, Store::Redis], shown_and_published_again);
}

fn shown_and_published_again(store: Store) {
    let (server, subscriber, directory) = (Broker::start(store), Upstream::start(), Directory::new());
    let proxy = started(store, &server, &subscriber, "1h", &directory);
    let shown = run(&proxy, &["tail", "orders-channel", "--from", "0", "-n", &EVENTS.to_string(), "-o", "json"]);
    let lines: Vec<Value> =
        text(&shown).lines().map(|line| serde_json::from_str(line).expect("a line is JSON")).collect();
    let found: Vec<&str> = lines.iter().filter_map(|line| line["event"]["id"].as_str()).collect();
    assert_eq!(found, (0..EVENTS).map(|id| id.to_string()).collect::<Vec<_>>());
    assert_eq!(lines[0]["event"]["data"], "data");
    let published_again = |arguments: &[&str], count: usize| {
        let before = of_subscription(&proxy, "delivered");
        let replayed = run(&proxy, &[&["replay", "orders-channel"], arguments].concat());
        assert_eq!(text(&replayed), format!("{count} events published again\n"), "{arguments:?}: {replayed:?}");
        wait_until(LONG, || of_subscription(&proxy, "delivered") == before + count as u64);
    };
    let (position, taken) = (
        |index: usize| lines[index]["position"].to_string(),
        |index: usize| lines[index]["taken"].as_str().expect("a time").to_owned(),
    );
    let one = ["--subscription", "orders-to-inventory"];
    published_again(&[&["--from", &position(70), "--to", &position(72)], &one[..]].concat(), 3);
    let at_or_after = lines.iter().filter(|line| line["taken"].as_str() >= Some(&*taken(100))).count();
    published_again(&[&["--since", &taken(100)], &one[..]].concat(), at_or_after);
    published_again(&["--from", "0", "--filter", "INT(id) < 5"], 5);
    published_again(&["--from", "0", "--to", &position(EVENTS - 1)], EVENTS);
    assert!(subscriber.requests().iter().all(|request| request.header("ce-sluicegateto").is_none()));
    assert_eq!(ids(&subscriber).len(), EVENTS);
}

#[test]
fn what_everybody_is_done_with_goes_after_the_time_that_the_configuration_says() {
    Store::each_of([Store::Nats, Store::Redis], gone_after_a_while);
}

fn gone_after_a_while(store: Store) {
    let (server, subscriber, directory) = (Broker::start(store), Upstream::start(), Directory::new());
    let proxy = started(store, &server, &subscriber, "3s", &directory);
    let there = || {
        let answer = proxy.ask_admin("/events/read?channel=default/orders-channel&from=0");
        answer.json()["events"].as_array().expect("a list").len()
    };
    assert!(there() > 0, "{} keeps some at first", store.name());
    wait_until(LONG, || there() == 0);
    let nothing = run(&proxy, &["replay", "orders-channel", "--from", "0"]);
    assert_eq!((nothing.status.code(), text(&nothing)), (Some(1), "0 events published again\n".to_owned()));
}

#[test]
fn a_server_that_keeps_nothing_is_said_to_with_advice() {
    Store::each_of([Store::Amqp, Store::Mqtt], refused_with_advice);
}

fn refused_with_advice(store: Store) {
    let (server, subscriber) = (Broker::start(store), Upstream::start());
    let proxy = Proxy::start(Kept::on(store, server.address()).options(subscriber.address()));
    for arguments in
        [["replay", "orders-channel", "--from", "0"], ["tail", "orders-channel", "--since", "2026-01-01T00:00:00Z"]]
    {
        let refused = run(&proxy, &arguments);
        let said = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert_eq!(refused.status.code(), Some(1), "{said}");
        assert!(said.contains("keeps no history, as ") && said.contains("`events: {history: 1d}`"), "{said}");
    }
}
