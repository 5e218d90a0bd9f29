//! Reloads that an operator asks for, by `sluice reload` and SIGHUP, where the directories are not watched.
#![allow(clippy::expect_used, reason = "a test may fail where it stands")]

use serde_json::Value;
use sluicegate_tests::{Authority, Directory, Options, Proxy, Tls, Upstream, sluice, wait_until};
use std::process::{Command, Output};
use std::time::Duration;

const LONG: Duration = Duration::from_secs(20);

fn gate(answer: &str) -> String {
    format!("apiVersion: test.sluicegate.dev/v1\nkind: Gate\nmetadata:\n  name: gate\nspec:\n  answer: {answer}\n")
}

/// Nothing is watched.
fn unwatched() -> Options {
    Options::new().argument("--watch").argument("off")
}

fn reload(proxy: &Proxy, more: &[&str]) -> Output {
    let admin = proxy.admin().to_string();
    Command::new(sluice()).args(["reload", "--admin", &admin]).args(more).output().expect("it runs")
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).expect("it prints JSON")
}

fn shown(proxy: &Proxy) -> Option<String> {
    proxy.get("http://shop/").header("x-gate").map(str::to_owned)
}

#[test]
fn a_reload_reads_what_is_not_watched_and_says_what_came_of_it() {
    let upstream = Upstream::start();
    let options = unwatched().filter("gate").manifest("gate.yaml", gate("one"));
    let proxy = Proxy::start(options.upstream("shop", upstream.address()));
    proxy.manifests().replace("gate.yaml", gate("two"));
    assert_eq!(shown(&proxy).as_deref(), Some("one"));

    let taken = reload(&proxy, &["-o", "json"]);
    assert_eq!((taken.status.code(), json(&taken)["result"].as_str()), (Some(0), Some("in-force")), "{taken:?}");
    assert_eq!(shown(&proxy).as_deref(), Some("two"));
    assert_eq!(json(&taken)["generation"], proxy.ask_admin("/config").json()["generation"]);

    proxy.manifests().replace("gate.yaml", "spec: [");
    let refused = reload(&proxy, &["-o", "json"]);
    let finding = &json(&refused)["diagnostics"][0];
    assert_eq!((refused.status.code(), json(&refused)["result"].as_str()), (Some(1), Some("refused")), "{refused:?}");
    assert!(finding["origin"].as_str().is_some_and(|origin| origin.contains("gate.yaml:")), "{finding}");
    let told = String::from_utf8_lossy(&reload(&proxy, &[]).stdout).into_owned();
    assert!(told.starts_with("refused: ") && told.contains("gate.yaml:"), "{told}");
    assert_eq!(shown(&proxy).as_deref(), Some("two"), "what was in force stays");
}

#[test]
fn sighup_does_the_same_and_the_log_says_what_came_of_it() {
    let upstream = Upstream::start();
    let options = unwatched().filter("gate").manifest("gate.yaml", gate("one"));
    let proxy = Proxy::start(options.upstream("shop", upstream.address()));
    proxy.manifests().replace("gate.yaml", gate("two"));
    proxy.hang_up();
    wait_until(LONG, || shown(&proxy).as_deref() == Some("two"));
    proxy.wait_for_log("the configuration is in force", LONG);
    proxy.manifests().replace("gate.yaml", "spec: [");
    proxy.hang_up();
    proxy.wait_for_log("gate.yaml:", LONG);
    proxy.wait_for_log("what was in force before stays", LONG);
    assert_eq!(shown(&proxy).as_deref(), Some("two"));
}

#[test]
fn certificates_are_read_anew() {
    let (directory, authority, upstream) = (Directory::new(), Authority::new(), Upstream::start());
    let pairs = [authority.issue(&["shop.example"]), authority.issue(&["shop.example"])];
    let write = |pair: &sluicegate_tests::Pair| {
        directory.replace("tls.crt", &pair.certificate);
        directory.replace("tls.key", &pair.key);
    };
    write(&pairs[0]);
    let options = ["--listen-tls", "127.0.0.1:0"].into_iter().fold(unwatched(), Options::argument);
    let options = options.argument("--tls-certificate").argument(directory.file("tls.crt"));
    let options = options.argument("--tls-key").argument(directory.file("tls.key"));
    let proxy = Proxy::start(options.upstream("shop.example", upstream.address()));
    let listeners = proxy.ask_admin("/config").json()["listeners"].clone();
    let address = listeners[0]["address"].as_str().expect("it listens").parse().expect("an address");
    let certificate = || Tls::to("shop.example", &authority).connect(address).expect("a handshake").certificate;
    assert_eq!(certificate(), pairs[0].der());
    write(&pairs[1]);
    assert_eq!(certificate(), pairs[0].der(), "nothing is watched");
    assert_eq!(reload(&proxy, &[]).status.code(), Some(0));
    assert_eq!(certificate(), pairs[1].der());
}

#[test]
fn without_an_instance_the_exit_code_is_3() {
    let nobody = Upstream::start().address().to_string();
    let output = Command::new(sluice()).args(["reload", "--admin", &nobody]).output().expect("it runs");
    assert_eq!(output.status.code(), Some(3), "{output:?}");
}

#[test]
fn sighup_opens_the_access_log_anew() {
    let (directory, upstream) = (Directory::new(), Upstream::start());
    let options = Options::new().argument("--access-log-file").argument(directory.file("access.log"));
    let proxy = Proxy::start(options.upstream("shop", upstream.address()));
    let read = |name: &str| std::fs::read_to_string(directory.file(name)).unwrap_or_default();
    proxy.get("http://shop/before");
    wait_until(LONG, || read("access.log").contains("/before"));
    directory.rename("access.log", "access.log.1");
    proxy.hang_up();
    proxy.wait_for_log("the configuration is in force", LONG);
    proxy.get("http://shop/after");
    wait_until(LONG, || read("access.log").contains("/after"));
    assert!(!read("access.log").contains("/before") && !read("access.log.1").contains("/after"));
}
