//! Events in files outlive the proxy: whatever ends it, what it has acknowledged is delivered.
#![allow(clippy::expect_used, reason = "a test may fail where it stands")]

mod durable;

use durable::{Kept, acknowledged, batch, event, ids, large};
use rustix::process::{Pid, Resource, Rlimit, prlimit};
use sluicegate_tests::{Behaviour, Directory, Proxy, Upstream, wait_until};
use std::io::Write;
use std::time::Duration;

const LONG: Duration = Duration::from_mins(1);

#[test]
fn what_waits_when_the_proxy_is_asked_to_end_is_delivered_once_by_the_next_one() {
    let (down, store) = (Upstream::with(Behaviour::status(503)), Kept::in_files());
    let mut proxy = Proxy::start(store.options(down.address()));
    for number in 0..50 {
        assert_eq!(proxy.send(event(&number.to_string(), "")).status, 202);
    }
    proxy.terminate();
    assert!(proxy.wait_for_end(Duration::from_secs(20)).success());
    drop(proxy);
    let up = Upstream::start();
    let proxy = Proxy::start(store.options(up.address()));
    wait_until(LONG, || up.arrived() >= 50);
    proxy.get("http://nobody/");
    assert_eq!((ids(&up).len(), up.arrived()), (50, 50), "none twice");
}

#[test]
fn a_subscriber_that_was_down_gets_everything_once_it_is_back_and_the_figures_say_how_far_it_is() {
    let (subscriber, store) = (Upstream::statuses([vec![503; 40], vec![200]].concat()), Kept::in_files());
    let proxy = Proxy::start(store.options(subscriber.address()));
    for number in 0..30 {
        assert_eq!(proxy.send(event(&number.to_string(), "")).status, 202);
    }
    let figures = proxy.ask_admin("/events").json();
    assert_eq!((figures[0]["store"].as_str(), figures[0]["received"].as_u64()), (Some("file"), Some(30)));
    wait_until(LONG, || proxy.ask_admin("/events").json()[0]["subscriptions"][0]["delivered"] == 30);
    let subscription = &proxy.ask_admin("/events").json()[0]["subscriptions"][0];
    assert_eq!((subscription["queued"].as_u64(), subscription["in_flight"].as_u64()), (Some(0), Some(0)));
    assert!(subscription["oldest_milliseconds"].is_null(), "{subscription}");
    let metrics = proxy.ask_admin("/metrics").text();
    assert!(metrics.contains("sluicegate_events_queued{channel=\"default/orders-channel\""), "{metrics}");
}

#[test]
fn a_torn_end_of_a_file_is_dropped_with_one_line_that_says_what_it_cost() {
    let (down, store) = (Upstream::with(Behaviour::status(503)), Kept::in_files());
    let proxy = Proxy::start(store.options(down.address()));
    for number in 0..20 {
        assert_eq!(proxy.send(event(&number.to_string(), "")).status, 202);
    }
    drop(proxy);
    let file = store.last_file();
    std::fs::OpenOptions::new().append(true).open(&file).expect("it is there").write_all(&[7; 77]).expect("space");
    let up = Upstream::start();
    let proxy = Proxy::start(store.options(up.address()));
    let line = proxy.wait_for_log("its bytes were dropped", LONG);
    assert!(
        line.contains("\"bytes\":77")
            && line.contains(file.file_name().and_then(|name| name.to_str()).expect("a name")),
        "{line}"
    );
    wait_until(LONG, || ids(&up).len() == 20);
}

#[test]
fn a_full_disk_refuses_events_with_507_loses_none_and_takes_them_again_when_there_is_space() {
    let (subscriber, store) = (Upstream::with(Behaviour::status(503)), Kept::in_files());
    let proxy = Proxy::start(store.options(subscriber.address()).argument("--access-log").argument("off"));
    // The size that a file may have ends as a full disk does, needs no privilege and no disk.
    let limit = |bytes| {
        let pid = i32::try_from(proxy.process()).ok().and_then(Pid::from_raw).expect("a process has a number");
        prlimit(Some(pid), Resource::Fsize, Rlimit { current: bytes, maximum: None }).expect("it is this user's");
    };
    limit(Some(256 << 10));
    let mut taken = Vec::new();
    let refusal = (0..200).find_map(|number: u32| {
        let answer = proxy.send(large(&number.to_string()));
        if answer.status == 202 {
            taken.push(number.to_string());
            return None;
        }
        Some(answer)
    });
    let refusal = refusal.expect("256 KiB do not hold 200 events of 8 KiB");
    assert_eq!((refusal.status, refusal.header("retry-after")), (507, Some("1")), "{}", refusal.text());
    assert!((20..=32).contains(&taken.len()), "{} events of 8 KiB", taken.len());
    limit(None);
    assert_eq!(proxy.send(large("after")).status, 202);
    taken.push("after".into());
    drop(proxy);
    let up = Upstream::start();
    let _proxy = Proxy::start(store.options(up.address()));
    wait_until(LONG, || taken.iter().all(|id| ids(&up).contains(id)));
}

#[test]
fn a_channel_without_a_directory_for_its_files_is_warned_of_and_refuses() {
    let upstream = Upstream::start();
    let manifests = durable::manifests().replace(
        "metadata: {name: orders-channel}",
        "metadata: {name: orders-channel, annotations: {sluicegate.dev/store: file}}",
    );
    let options = sluicegate_tests::Options::new().manifest("events.yaml", manifests);
    let proxy = Proxy::start(options.upstream("inventory:80", upstream.address()));
    assert!(proxy.log().contains("set --event-directory"), "{}", proxy.log());
    let answer = proxy.send(event("1", ""));
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("1")));
}

/// As many as `SLUICEGATE_BACKLOG` says.
#[test]
fn a_backlog_lies_in_files_and_not_in_memory() {
    let backlog: usize =
        std::env::var("SLUICEGATE_BACKLOG").ok().and_then(|count| count.parse().ok()).unwrap_or(50_000);
    let (down, store) = (Upstream::with(Behaviour::status(503)), Kept::in_files());
    let proxy = Proxy::start(store.options(down.address()).argument("--access-log").argument("off"));
    let mut client = proxy.connect();
    // The first ones warm everything up.
    for from in (0..5_000).step_by(200) {
        assert_eq!(client.send(batch(from..from + 200)).expect("an answer").status, 202);
    }
    let before = proxy.resident_memory();
    for from in (5_000..backlog).step_by(200) {
        assert_eq!(client.send(batch(from..from + 200)).expect("an answer").status, 202);
    }
    let more = proxy.resident_memory().saturating_sub(before);
    println!("{backlog} events wait, and {} KiB more are in memory than with 5000", more >> 10);
    assert!(more < 48 << 20, "{more} bytes");
    assert_eq!(acknowledged(&proxy), backlog as u64);
}

#[test]
fn a_directory_is_one_proxys() {
    let (upstream, directory) = (Upstream::start(), Directory::new());
    let store = Kept::at(directory);
    let _first = Proxy::start(store.options(upstream.address()));
    let said = Proxy::try_start(store.options(upstream.address())).expect_err("the directory is taken");
    assert!(said.contains("another process has it"), "{said}");
}
