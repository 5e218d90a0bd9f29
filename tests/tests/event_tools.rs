//! `sluice event`: events are sent, shown as they come, and published again.
#![allow(clippy::expect_used, reason = "a test may fail where it stands")]

mod durable;

use durable::{Kept, event, ids};
use serde_json::Value;
use sluicegate_tests::{Options, Proxy, Upstream, sluice, wait_until};
use std::io::Write;
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

const LONG: Duration = Duration::from_mins(1);

fn command(proxy: &Proxy, arguments: &[&str]) -> Command {
    let mut command = Command::new(sluice());
    command.arg("event").args(arguments).args(["--admin", &proxy.admin().to_string()]);
    command
}

fn run(proxy: &Proxy, arguments: &[&str]) -> Output {
    command(proxy, arguments).output().expect("it runs")
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn in_memory(subscriber: &Upstream) -> Proxy {
    let options = Options::new().manifest("events.yaml", durable::manifests());
    Proxy::start(options.upstream("inventory:80", subscriber.address()))
}

fn delivered(proxy: &Proxy) -> u64 {
    proxy.ask_admin("/events").json()[0]["subscriptions"][0]["delivered"].as_u64().expect("a number")
}

#[test]
fn an_event_is_sent_to_a_channel_through_the_admin_endpoint_and_by_http() {
    let subscriber = Upstream::start();
    let proxy = in_memory(&subscriber);
    let arguments =
        ["send", "orders-channel", "--type", "t", "--source", "/desk", "--id", "1", "--extension", "region=eu"];
    let sent = run(&proxy, &[&arguments[..], &["--data", r#"{"a": 1}"#]].concat());
    assert_eq!((sent.status.code(), text(&sent)), (Some(0), "1\n".to_owned()));
    let (listening, url) = (proxy.address(), format!("http://{}/", proxy.address()));
    let arguments =
        ["send", "--url", &url, "-H", "host: orders-channel", "--type", "t", "--source", "/desk", "--id", "2"];
    let mut piped = command(&proxy, &[&arguments[..], &["--data", "-", "--content-type", "text/plain"]].concat())
        .stdin(Stdio::piped())
        .spawn()
        .expect("it runs");
    piped.stdin.take().expect("it is piped").write_all(b"hello").expect("it reads");
    assert!(piped.wait().expect("it ends").success(), "{listening}");
    wait_until(LONG, || subscriber.arrived() == 2);
    let seen = subscriber.requests();
    let of = |id: &str| seen.iter().find(|request| request.header("ce-id").as_deref() == Some(id)).expect("it came");
    assert_eq!((of("1").header("ce-region").as_deref(), &of("1").body[..]), (Some("eu"), &b"{\"a\":1}"[..]));
    assert_eq!((of("2").header("content-type").as_deref(), &of("2").body[..]), (Some("text/plain"), &b"hello"[..]));
    for (arguments, code, reason) in [
        (["send", "nowhere", "--type", "t", "--source", "/s"].as_slice(), 1, "no channel is called default/nowhere"),
        (["send", "orders-channel", "--type", "", "--source", "/s"].as_slice(), 1, "empty"),
        (["send", "orders-channel", "--type", "t", "--source", "/s", "-d", "{"].as_slice(), 2, "--content-type"),
    ] {
        let refused = run(&proxy, arguments);
        assert_eq!(refused.status.code(), Some(code), "{refused:?}");
        assert!(String::from_utf8_lossy(&refused.stderr).contains(reason), "{refused:?}");
    }
}

#[test]
fn events_are_shown_as_they_come() {
    let subscriber = Upstream::start();
    let proxy = in_memory(&subscriber);
    let arguments = ["tail", "orders-channel", "-n", "3", "-o", "json", "--type", "te*"];
    let mut tail: Child = command(&proxy, &arguments).stdout(Stdio::piped()).spawn().expect("it runs");
    let sent = AtomicUsize::new(0);
    // It does not say when it begins to look.
    wait_until(LONG, || {
        let id = sent.fetch_add(1, Ordering::Relaxed).to_string();
        assert_eq!(proxy.send(event(&id, "")).status, 202);
        tail.try_wait().expect("it is a child").is_some()
    });
    let output = tail.wait_with_output().expect("it has ended");
    let lines: Vec<Value> =
        text(&output).lines().map(|line| serde_json::from_str(line).expect("a line is JSON")).collect();
    assert_eq!(lines.len(), 3);
    let number = |line: &Value| line["event"]["id"].as_str().and_then(|id| id.parse::<u64>().ok()).expect("a number");
    assert!(lines.windows(2).all(|two| number(&two[0]) + 1 == number(&two[1])), "none is left out: {lines:?}");
    assert_eq!(lines[0]["event"]["data"], "data");
}

#[test]
fn showing_events_ends_once_nobody_reads_them() {
    let subscriber = Upstream::start();
    let proxy = in_memory(&subscriber);
    for output in ["table", "json"] {
        let arguments = ["tail", "orders-channel", "-o", output];
        let mut tail = command(&proxy, &arguments).stdout(Stdio::piped()).spawn().expect("it runs");
        drop(tail.stdout.take());
        wait_until(LONG, || {
            assert_eq!(proxy.send(event("1", "")).status, 202);
            tail.try_wait().expect("it is a child").is_some()
        });
        assert!(tail.wait().expect("it has ended").success(), "{output}");
    }
}

#[test]
fn what_files_keep_is_shown_from_a_position_on_and_published_again() {
    let (subscriber, store) = (Upstream::start(), Kept::in_files());
    let proxy = Proxy::start(store.options(subscriber.address()));
    for id in 0..10 {
        assert_eq!(proxy.send(event(&id.to_string(), "")).status, 202);
    }
    wait_until(LONG, || delivered(&proxy) == 10);
    let shown = run(&proxy, &["tail", "orders-channel", "--from", "0", "-n", "10", "-o", "json"]);
    let lines: Vec<Value> =
        text(&shown).lines().map(|line| serde_json::from_str(line).expect("a line is JSON")).collect();
    let found: Vec<&str> = lines.iter().filter_map(|line| line["event"]["id"].as_str()).collect();
    assert_eq!(found, (0..10).map(|id| id.to_string()).collect::<Vec<_>>());
    let position = |index: usize| lines[index]["position"].to_string();
    let arguments = ["replay", "orders-channel", "--from", &position(3), "--to", &position(5)];
    let replayed = run(&proxy, &[&arguments[..], &["--subscription", "orders-to-inventory"]].concat());
    assert_eq!(text(&replayed), "3 events published again\n", "{replayed:?}");
    wait_until(LONG, || delivered(&proxy) == 13);
    assert_eq!(subscriber.arrived(), 13);
    assert_eq!(ids(&subscriber).len(), 10);
    let all = run(&proxy, &["replay", "orders-channel", "--since", "2020-01-01T00:00:00Z"]);
    assert_eq!(text(&all), "10 events published again\n", "what was replayed to one is not news");
    wait_until(LONG, || delivered(&proxy) == 23);
}

#[test]
fn only_events_that_an_expression_is_true_for_are_shown_and_published_again() {
    let (subscriber, store) = (Upstream::start(), Kept::in_files());
    let proxy = Proxy::start(store.options(subscriber.address()));
    for id in 0..10 {
        assert_eq!(proxy.send(event(&id.to_string(), "")).status, 202);
    }
    wait_until(LONG, || delivered(&proxy) == 10);
    let wanted = "type LIKE 'te%' AND INT(partitionkey) % 3 = 1";
    let shown = run(&proxy, &["tail", "orders-channel", "--from", "0", "-n", "3", "-o", "json", "--filter", wanted]);
    let ids: Vec<String> = text(&shown)
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("a line is JSON")["event"]["id"].to_string())
        .collect();
    assert_eq!(ids, ["\"1\"", "\"4\"", "\"7\""]);
    let replayed = run(&proxy, &["replay", "orders-channel", "--from", "0", "--filter", "id IN ('2', '5')"]);
    assert_eq!(text(&replayed), "2 events published again\n", "{replayed:?}");
    wait_until(LONG, || delivered(&proxy) == 12);
    let refused = run(&proxy, &["tail", "orders-channel", "--filter", "type LIKE 'te%' AND OR id = '1'"]);
    assert_eq!(refused.status.code(), Some(2));
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(said.contains("at character 21: "), "{said}");
    let answer = proxy.ask_admin("/events/read?channel=default/orders-channel&from=0&filter=type%20%3D");
    assert_eq!((answer.status, answer.text().contains("`filter`: at character 7: ")), (400, true), "{}", answer.text());
}

#[test]
fn a_store_without_a_history_says_so() {
    let subscriber = Upstream::start();
    let proxy = in_memory(&subscriber);
    let refused = run(&proxy, &["replay", "orders-channel", "--from", "0"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("keeps no history"), "{refused:?}");
}

#[test]
fn the_list_says_how_far_subscriptions_are_behind() {
    let subscriber = Upstream::statuses([vec![503; 40], vec![200]].concat());
    let proxy = in_memory(&subscriber);
    for id in 0..5 {
        assert_eq!(proxy.send(event(&id.to_string(), "")).status, 202);
    }
    let list = || text(&run(&proxy, &["list"]));
    let row =
        |text: &str| text.lines().nth(1).map(|line| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>());
    let behind = row(&list()).expect("a row");
    assert_eq!(behind[..3], ["default/orders-channel", "memory", "default/orders-to-inventory"]);
    wait_until(LONG, || row(&list()).is_some_and(|row| row[3] == "0" && row[4] == "-" && row[5] == "5"));
}
