//! What a subscription gives up is a dead letter: shown, put back and dropped by `sluice dead-letter`.
#![allow(clippy::expect_used, reason = "a test may fail where it stands")]

use serde_json::Value;
use sluicegate_tests::{
    Behaviour, Broker, Directory, Eventing, Options, Proxy, Request, Store, Upstream, sluice, wait_until,
};
use std::process::{Command, Output};
use std::time::Duration;

const LONG: Duration = Duration::from_mins(1);

/// A channel with two subscriptions that do not try again.
fn manifests() -> Eventing {
    Eventing::new().channel("orders").subscription("stock", "orders", "stock").subscription("audit", "orders", "audit")
}

fn options(stock: &Upstream, audit: &Upstream) -> Options {
    let options = Options::new().manifest("events.yaml", manifests().to_string());
    options.upstream("stock:80", stock.address()).upstream("audit:80", audit.address())
}

fn order(id: &str) -> Request {
    let request = Request::post("http://orders/", r#"{"item": "lamp"}"#).header("content-type", "application/json");
    let request = request.header("ce-specversion", "1.0").header("ce-id", id).header("ce-source", "/shop");
    request.header("ce-type", "order.placed").header("ce-region", "eu")
}

fn place(proxy: &Proxy, id: &str) {
    assert_eq!(proxy.send(order(id)).status, 202);
}

fn run(proxy: &Proxy, arguments: &[&str]) -> Output {
    let mut command = Command::new(sluice());
    command.arg("dead-letter").args(arguments).args(["--admin", &proxy.admin().to_string()]);
    command.output().expect("it runs")
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn kept(proxy: &Proxy) -> u64 {
    proxy.ask_admin("/events").json()[0]["dead_letters"].as_u64().expect("a number")
}

/// Refuses so many events, then takes them.
fn refusing(count: usize) -> Upstream {
    Upstream::statuses([vec![422; count], vec![200]].concat())
}

#[test]
fn a_dead_letter_is_listed_shown_and_put_back_to_its_subscription_alone() {
    let (stock, audit) = (refusing(1), Upstream::start());
    let proxy = Proxy::start(options(&stock, &audit));
    assert_eq!(text(&run(&proxy, &["list"])), "no dead letters\n");
    place(&proxy, "1");
    wait_until(LONG, || kept(&proxy) == 1);
    let listed = run(&proxy, &["list", "--channel", "orders", "--reason", "422", "-o", "json"]);
    assert_eq!(listed.status.code(), Some(1), "there are some");
    let letter = &json(&listed)[0];
    assert_eq!((letter["subscription"].as_str(), letter["status"].as_u64()), (Some("default/stock"), Some(422)));
    assert_eq!((letter["tries"].as_u64(), letter["id"].as_str()), (Some(1), Some("1")));
    let number = letter["number"].to_string();
    let shown = json(&run(&proxy, &["show", "orders", &number, "-o", "json"]));
    assert_eq!((&shown["event"]["data"]["item"], &shown["event"]["region"]), (&"lamp".into(), &"eu".into()));
    let replayed = run(&proxy, &["replay", "orders", &number]);
    assert_eq!((replayed.status.code(), text(&replayed)), (Some(0), "1 put back\n".to_owned()));
    wait_until(LONG, || stock.arrived() == 2);
    let (first, second) = (&stock.requests()[0], &stock.requests()[1]);
    for name in ["ce-id", "ce-source", "ce-type", "ce-region", "ce-time", "content-type"] {
        assert_eq!(first.header(name), second.header(name), "{name} is as it was");
    }
    assert_eq!((first.body.clone(), second.header("ce-sluicegateto")), (second.body.clone(), None));
    wait_until(LONG, || proxy.ask_admin("/events").json()[0]["subscriptions"][0]["delivered"] == 1);
    assert_eq!((kept(&proxy), audit.arrived()), (0, 1));
    assert_eq!(run(&proxy, &["show", "orders", &number]).status.code(), Some(1), "it is none any more");
}

#[test]
fn dead_letters_are_dropped_by_what_is_said_of_them_and_not_without() {
    let (stock, audit) = (refusing(1_000), Upstream::with(Behaviour::status(400)));
    let proxy = Proxy::start(options(&stock, &audit));
    for id in ["1", "2", "3"] {
        place(&proxy, id);
    }
    wait_until(LONG, || kept(&proxy) == 6);
    assert_eq!(run(&proxy, &["drop"]).status.code(), Some(2), "nothing is said");
    assert_eq!(text(&run(&proxy, &["drop", "orders", "--reason", "answered 400"])), "3 dropped\n");
    assert_eq!(text(&run(&proxy, &["drop", "--subscription", "audit"])), "0 dropped\n");
    assert_eq!(text(&run(&proxy, &["drop", "--all"])), "3 dropped\n");
    assert_eq!((kept(&proxy), run(&proxy, &["drop", "--all"]).status.code()), (0, Some(1)));
    let refused = proxy.ask_admin("/dead-letters?chanel=orders");
    assert_eq!((refused.status, refused.text().contains("`chanel`")), (400, true));
    let metrics = proxy.ask_admin("/metrics").text();
    assert!(metrics.contains("result=\"kept\"} 3\n"), "{metrics}");
}

#[test]
fn a_filter_that_gives_up_event_after_event_logs_no_more_lines_of_it_than_it_may() {
    const EVENTS: usize = 60;
    let policy = "
apiVersion: sluicegate.dev/v1alpha1
kind: Filter
metadata: {name: bridge}
spec: {limits: {logLines: 2}}
";
    let (stock, audit) = (refusing(1_000), Upstream::start());
    let proxy = Proxy::start(options(&stock, &audit).manifest("bridge.yaml", policy));
    for id in 0..EVENTS {
        place(&proxy, &id.to_string());
    }
    wait_until(LONG, || kept(&proxy) == EVENTS as u64);
    let refused = r#"sluicegate_filter_refusals_total{filter="bridge",version=""#;
    let metrics = proxy.ask_admin("/metrics").text();
    let refused = metrics.lines().find(|line| line.starts_with(refused) && line.contains(r#"limit="log-lines""#));
    assert!(refused.is_some(), "{metrics}");
    let log = proxy.log();
    let lines = log.matches("it is now a dead letter of its channel").count();
    assert!((1..EVENTS).contains(&lines), "{lines} lines:\n{log}");
}

#[test]
fn a_broker_says_what_its_triggers_filtered_and_gave_up() {
    let (stock, audit) = (refusing(1), Upstream::start());
    let manifests = "
apiVersion: eventing.knative.dev/v1
kind: Broker
metadata: {name: orders}
---
apiVersion: eventing.knative.dev/v1
kind: Trigger
metadata: {name: stock}
spec:
  broker: orders
  filter: {attributes: {type: order.placed}}
  subscriber: {ref: {apiVersion: v1, kind: Service, name: stock}}
---
apiVersion: eventing.knative.dev/v1
kind: Trigger
metadata: {name: audit}
spec:
  broker: orders
  filter: {attributes: {type: order.paid}}
  subscriber: {ref: {apiVersion: v1, kind: Service, name: audit}}
";
    let options = Options::new().manifest("events.yaml", manifests);
    let proxy = Proxy::start(options.upstream("stock:80", stock.address()).upstream("audit:80", audit.address()));
    let event = serde_json::json!({"specversion": "1.0", "id": "1", "source": "/s", "type": "order.placed"});
    let request = Request::post("http://orders-broker/", event.to_string());
    assert_eq!(proxy.send(request.header("content-type", "application/cloudevents+json")).status, 202);
    wait_until(LONG, || kept(&proxy) == 1);
    let of = |name: &str| {
        let events = proxy.ask_admin("/events").json();
        let all = events[0]["subscriptions"].as_array().expect("a list").clone();
        all.into_iter().find(|one| one["name"] == name).expect("it is there")
    };
    wait_until(LONG, || of("default/audit")["filtered"] == 1);
    assert_eq!((&of("default/audit")["delivered"], &of("default/stock")["kept"]), (&0.into(), &1.into()));
    let replayed = run(&proxy, &["replay", "orders", "-o", "json"]);
    assert_eq!(json(&replayed)["replayed"], 1);
    wait_until(LONG, || of("default/stock")["delivered"] == 1);
    assert_eq!(audit.arrived(), 0);
}

#[test]
fn dead_letters_in_files_survive_a_kill_and_are_put_back_under_load() {
    const LETTERS: usize = 60;
    let (stock, audit, directory) = (refusing(LETTERS), Upstream::start(), Directory::new());
    let path = directory.path().display().to_string();
    let in_files = |options: Options| {
        ["--event-store", "file", "--event-directory", &path]
            .iter()
            .fold(options, |options, word| options.argument(*word))
    };
    let proxy = Proxy::start(in_files(options(&stock, &audit)));
    for id in 0..LETTERS {
        place(&proxy, &id.to_string());
    }
    wait_until(LONG, || kept(&proxy) == LETTERS as u64);
    // SIGKILL.
    drop(proxy);
    let proxy = Proxy::start(in_files(options(&stock, &audit)));
    wait_until(LONG, || kept(&proxy) == LETTERS as u64);
    std::thread::scope(|scope| {
        scope.spawn(|| (0..200).for_each(|number| place(&proxy, &format!("load-{number}"))));
        assert_eq!(text(&run(&proxy, &["replay", "orders"])), format!("{LETTERS} put back\n"));
    });
    let ids = || stock.requests().iter().filter_map(|request| request.header("ce-id")).collect::<Vec<_>>();
    let delivered = |id: &str| ids().iter().filter(|known| *known == id).count();
    wait_until(LONG, || (0..LETTERS).all(|id| delivered(&id.to_string()) >= 2));
    wait_until(LONG, || (0..200).all(|number| delivered(&format!("load-{number}")) >= 1));
    assert_eq!(kept(&proxy), 0);
}

#[test]
fn dead_letters_on_servers_are_listed_and_shown_after_the_proxys_end_and_put_back_and_dropped() {
    Store::each(on_server);
}

fn on_server(store: Store) {
    let (server, stock, audit) = (Broker::start(store), refusing(3), Upstream::start());
    let start =
        || Proxy::start(store.arguments(server.address()).into_iter().fold(options(&stock, &audit), Options::argument));
    let mut proxy = start();
    for id in ["1", "2", "3"] {
        // The first one waits for the server.
        wait_until(LONG, || proxy.send(order(id)).status == 202);
    }
    wait_until(LONG, || kept(&proxy) == 3 && audit.arrived() == 3);
    proxy.terminate();
    assert!(proxy.wait_for_end(LONG).success());
    let proxy = start();
    wait_until(LONG, || kept(&proxy) == 3);
    let listed = run(&proxy, &["list", "--channel", "orders", "--subscription", "stock", "-o", "json"]);
    let letters = json(&listed);
    let letter =
        |id: &str| letters.as_array().expect("a list").iter().find(|one| one["id"] == id).expect("it is listed");
    assert_eq!((listed.status.code(), letters.as_array().map(Vec::len)), (Some(1), Some(3)), "{letters}");
    assert_eq!((&letter("2")["status"], &letter("2")["tries"]), (&422.into(), &1.into()));
    let number = |id: &str| letter(id)["number"].to_string();
    let shown = json(&run(&proxy, &["show", "orders", &number("2"), "-o", "json"]));
    assert_eq!((&shown["event"]["id"], &shown["event"]["data"]["item"]), (&"2".into(), &"lamp".into()));
    assert_eq!(text(&run(&proxy, &["drop", "orders", &number("1")])), "1 dropped\n");
    assert_eq!(text(&run(&proxy, &["replay", "orders", &number("2")])), "1 put back\n");
    wait_until(LONG, || stock.arrived() == 4);
    let again = &stock.requests()[3];
    assert_eq!((again.header("ce-id").as_deref(), again.header("ce-region").as_deref()), (Some("2"), Some("eu")));
    wait_until(LONG, || kept(&proxy) == 1);
    assert_eq!(run(&proxy, &["show", "orders", &number("2")]).status.code(), Some(1), "it is none any more");
    assert_eq!(text(&run(&proxy, &["drop", "--all"])), "1 dropped\n");
    assert_eq!((kept(&proxy), audit.arrived()), (0, 3), "{}: what was put back is for one alone", store.name());
}
