//! `sluice tap` shows requests of a running proxy as they end.
#![allow(clippy::expect_used, reason = "a test may fail where it stands")]

use serde_json::Value;
use sluicegate_tests::{Options, Proxy, Upstream, sluice, wait_until};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

const SOON: Duration = Duration::from_secs(20);

fn tap(proxy: &Proxy, arguments: &[&str]) -> Child {
    let mut command = Command::new(sluice());
    command.arg("tap").args(["--admin", &proxy.admin().to_string()]).args(arguments);
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it runs")
}

/// Sends requests until the tap has seen what it waits for: it does not say when it begins to look.
fn shown(proxy: &Proxy, mut tap: Child, paths: &[&str]) -> String {
    let sent = AtomicUsize::new(0);
    wait_until(SOON, || {
        let path = paths[sent.fetch_add(1, Ordering::Relaxed) % paths.len()];
        proxy.get(&format!("http://shop{path}"));
        tap.try_wait().expect("it is a child").is_some()
    });
    let output = tap.wait_with_output().expect("it has ended");
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).expect("it prints text")
}

#[test]
fn requests_are_shown_as_the_access_log_has_them() {
    let shop = Upstream::start();
    let proxy = Proxy::start(Options::new().upstream("shop", shop.address()));
    let text = shown(&proxy, tap(&proxy, &["-n", "3", "-o", "json", "--path", "/wanted"]), &["/wanted", "/other"]);
    let records: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect("a line is JSON")).collect();
    assert_eq!(records.len(), 3);
    assert!(records.iter().all(|record| record["url.path"] == "/wanted" && record["http.response.status_code"] == 200));
    wait_until(SOON, || text.lines().all(|line| proxy.log().contains(&id(line))));
}

fn id(line: &str) -> String {
    let record: Value = serde_json::from_str(line).expect("a line is JSON");
    record["sluicegate.request.id"].as_str().expect("a record has an id").to_owned()
}

#[test]
fn those_that_failed_are_a_table_of_their_own() {
    let shop = Upstream::statuses((0..1_000).map(|number| if number % 2 == 0 { 200 } else { 503 }));
    let proxy = Proxy::start(Options::new().upstream("shop", shop.address()));
    let text = shown(&proxy, tap(&proxy, &["-n", "2", "--status", "5xx"]), &["/stock"]);
    let mut lines = text.lines();
    assert!(lines.next().expect("there is a heading").starts_with("TIME"), "{text}");
    assert_eq!(lines.clone().count(), 2, "{text}");
    assert!(lines.all(|line| line.contains("  503  ") && line.contains("shop/stock")), "{text}");
}

#[test]
fn it_ends_once_nobody_reads_what_it_shows() {
    let shop = Upstream::start();
    let proxy = Proxy::start(Options::new().upstream("shop", shop.address()));
    for arguments in [[].as_slice(), &["-o", "json"]] {
        let mut tap = tap(&proxy, arguments);
        drop(tap.stdout.take());
        wait_until(SOON, || {
            proxy.get("http://shop/stock");
            tap.try_wait().expect("it is a child").is_some()
        });
        assert!(tap.wait().expect("it has ended").success(), "{arguments:?}");
    }
}

#[test]
fn without_an_instance_it_says_so() {
    let tapped = Command::new(sluice()).args(["tap", "--admin", "127.0.0.1:1"]).output().expect("it runs");
    assert_eq!(tapped.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&tapped.stderr).contains("127.0.0.1:1"));
    let wrong = Command::new(sluice()).args(["tap", "--status", "bad"]).output().expect("it runs");
    assert_eq!(wrong.status.code(), Some(2));
}
