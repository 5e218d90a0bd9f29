//! Replacing filters and manifests under load loses nothing, and a bad change never takes effect.
#![allow(clippy::expect_used, reason = "a test may fail where it stands")]
#![allow(clippy::disallowed_methods, reason = "a test's own thread is no worker")]

use sluicegate_tests::{Load, Options, Proxy, Request, Upstream, test_filter, wait_until};
use std::time::{Duration, Instant};

/// How long to wait for a change; how long the slowest took is printed, as a busy machine is no reason to fail.
const IN_EFFECT: Duration = Duration::from_secs(10);
const REPLACEMENTS: usize = 100;

/// The component with another content and the same behaviour: one more custom section.
fn version(component: &[u8], number: u8) -> Vec<u8> {
    [component, &[0, 4, 2, b'v', b'n', number]].concat()
}

fn digest(proxy: &Proxy) -> String {
    let filters = proxy.ask_admin("/filters").json();
    let filters = filters.as_array().expect("a list").iter();
    let mine = filters.filter(|filter| filter["name"] == "headers").map(|filter| filter["digest"].to_string());
    mine.collect()
}

/// Waits until another version than `before` is in force and returns how long that took.
fn effective(proxy: &Proxy, before: &str, limit: Duration) -> Duration {
    wait_until(limit, || digest(proxy) != before)
}

#[test]
fn a_hundred_replacements_under_load_lose_no_request() {
    let component = std::fs::read(test_filter("headers")).expect("it was built");
    let upstream = Upstream::start();
    let proxy = Proxy::start(
        Options::new().filter("headers").upstream("shop", upstream.address()).argument("--access-log").argument("off"),
    );
    let load = Load::start(proxy.address(), 1000, &Request::get("http://shop/"), Some("x-filter-response"));
    let (filters, manifests) = (proxy.filters(), proxy.manifests());
    let mut slowest = Duration::ZERO;
    let mut memory = 0;
    for step in 0..REPLACEMENTS {
        // The first rounds fill caches and pools.
        if step == 18 {
            memory = proxy.resident_memory();
        }
        let before = digest(&proxy);
        // Six versions, so that each step's differs from the one before it.
        let next = version(&component, u8::try_from(step % 6).expect("small"));
        match step % 6 {
            0 => filters.replace("headers.wasm", &next),
            1 => filters.write("headers.wasm", &next),
            2 => {
                filters.write_half("headers.wasm", &next);
                std::thread::sleep(Duration::from_millis(120));
                filters.write("headers.wasm", &next);
            }
            3 => {
                filters.replace("headers.wasm", b"\0asm this is no component");
                wait_until(Duration::from_secs(10), || proxy.ask_admin("/filters").text().contains("outdated"));
                assert_eq!(digest(&proxy), before, "a bad component took effect");
                filters.replace("headers.wasm", &next);
            }
            4 => {
                filters.remove("headers.wasm");
                std::thread::sleep(Duration::from_millis(200));
                filters.write("headers.wasm", &next);
            }
            _ => {
                filters.swap(&step.to_string(), &[("headers.wasm", &next)]);
                filters.rename("headers.wasm", "renamed.wasm");
                manifests.write("note.txt", "no manifest");
                filters.rename("renamed.wasm", "headers.wasm");
                filters.replace("headers.wasm", &next);
            }
        }
        let started = Instant::now();
        effective(&proxy, &before, IN_EFFECT);
        slowest = slowest.max(started.elapsed());
    }
    let report = load.stop();
    // What old versions held is given back as their last requests end.
    let most = memory + memory / 10;
    let settled = Instant::now();
    while proxy.resident_memory() > most && settled.elapsed() < IN_EFFECT {
        std::thread::sleep(Duration::from_millis(100));
    }
    let after = proxy.resident_memory();
    println!(
        "{REPLACEMENTS} replacements, {} requests, slowest change in force after {slowest:?}, memory {memory} -> {after}",
        report.sent
    );
    assert!(report.all_were(200), "{report:?}");
    assert_eq!(report.values.values().sum::<u64>(), report.sent, "a request went past the filter: {report:?}");
    assert!(after <= most, "memory grew from {memory} to {after}");
}

#[test]
fn a_bad_manifest_changes_nothing_and_says_why() {
    let upstream = Upstream::start();
    let gate = |answer: &str| {
        format!("apiVersion: test.sluicegate.dev/v1\nkind: Gate\nmetadata:\n  name: gate\nspec:\n  answer: {answer}\n")
    };
    let options = Options::new().filter("gate").manifest("gate.yaml", gate("one"));
    let proxy = Proxy::start(options.upstream("shop", upstream.address()));
    let shown = || proxy.get("http://shop/").header("x-gate").map(str::to_owned);
    assert_eq!(shown().as_deref(), Some("one"));

    proxy.manifests().replace("gate.yaml", gate("two"));
    wait_until(Duration::from_secs(10), || shown().as_deref() == Some("two"));

    for bad in ["spec: [", &gate("refuse"), &gate("[3]")] {
        proxy.manifests().replace("gate.yaml", bad);
        wait_until(Duration::from_secs(10), || {
            proxy.ask_admin("/config").json()["last_reload_failure"]["diagnostics"][0]["origin"].is_string()
        });
        assert_eq!(shown().as_deref(), Some("two"), "{bad:?} took effect");
        proxy.manifests().replace("gate.yaml", gate("two"));
        wait_until(Duration::from_secs(10), || proxy.ask_admin("/config").json()["last_reload_failure"].is_null());
    }
}

#[test]
fn a_request_in_flight_ends_on_the_snapshot_it_began_with() {
    use sluicegate_tests::Behaviour;
    let slow = Upstream::with(Behaviour::text("slow").after(Duration::from_millis(1500)));
    let proxy = Proxy::start(Options::new().filter("headers").upstream("shop", slow.address()));
    let before = digest(&proxy);
    let mut connection = proxy.connect();
    let answer = std::thread::scope(|scope| {
        let waiting = scope.spawn(move || connection.send(Request::get("http://shop/")).expect("an answer"));
        wait_until(Duration::from_secs(5), || slow.arrived() == 1);
        let component = std::fs::read(test_filter("headers")).expect("it was built");
        proxy.filters().replace("headers.wasm", version(&component, 7));
        effective(&proxy, &before, Duration::from_secs(10));
        waiting.join().expect("it does not panic")
    });
    assert_eq!((answer.status, answer.text().as_str()), (200, "slow"));
    assert!(answer.header("x-filter-response").is_some());
}
