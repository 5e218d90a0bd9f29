//! Filters made to do harm, one after the other in the place of the same file: each runs against a bound or tries a way out.
//! Whatever it is, every request gets one answer, the next is fine, a counter or the log says so, and in the end the proxy is
//! as it was.
#![allow(clippy::expect_used, reason = "a test may fail where it stands")]

mod cases;
mod component;

use cases::{Case, Outcome};
use sluicegate_tests::{Options, Proxy, Upstream, wait_until};
use std::time::{Duration, Instant};

/// For a change of a file to be in force, on a busy machine.
const SOON: Duration = Duration::from_secs(20);
/// Requests that a percentile is of.
const SAMPLES: usize = 400;
/// Rounds of them.
const ROUNDS: usize = 5;
/// What a proxy may have more after all of them, in bytes: caches that fill up once, and pages that the allocator keeps.
const MORE_MEMORY: u64 = 64 << 20;
/// What it may have more after all of them once more: nothing that would go on and on.
const MORE_AGAIN: u64 = 8 << 20;

const POLICY: &str = "\
apiVersion: sluicegate.dev/v1alpha1
kind: Filter
metadata:
  name: hostile
spec:
  capabilities: [random, metrics, store]
  limits: {storeKeys: 100}
  quarantine: {enabled: false}
  rollout: {watch: {enabled: false}}
";

#[test]
fn no_hostile_filter_leaves_a_trace() {
    let upstream = Upstream::start();
    let secret = Upstream::start();
    let options = Options::new().filter("headers").manifest("hostile.yaml", POLICY);
    let options = options.upstream("shop", upstream.address()).upstream("secret", secret.address());
    let proxy = Proxy::start(options.argument("--access-log").argument("off"));
    let cases = cases::all();
    assert!(cases.len() >= 40, "{} cases", cases.len());
    proxy.filters().replace("hostile.wasm", cases::loading::harmless().bytes);
    wait_until(SOON, || !digest(&proxy).is_empty());
    let harmless = digest(&proxy);
    let (before, resources) = (percentile(&proxy), Resources::of(&proxy));
    let try_all = || {
        let failures: Vec<String> = cases.iter().filter_map(|case| try_out(&proxy, case).err()).collect();
        proxy.filters().replace("hostile.wasm", cases::loading::harmless().bytes);
        wait_until(SOON, || digest(&proxy) == harmless);
        assert!(failures.is_empty(), "{}", failures.join("\n\n"));
        Resources::of(&proxy)
    };
    let (once, left) = (try_all(), try_all());
    println!(
        "{} hostile filters, twice: p99 of the other {before:?} before, {:?} after; {resources:?} -> {once:?} -> {left:?}",
        cases.len(),
        percentile(&proxy)
    );
    assert_eq!(secret.arrived(), 0, "something reached a service that nobody was granted");
    // A connection of the keeper of the admin endpoint may be on its way out.
    assert!(left.files <= resources.files + 2, "{resources:?} -> {left:?}");
    assert!(once.memory <= resources.memory + MORE_MEMORY, "{resources:?} -> {once:?}");
    assert!(left.memory <= once.memory + MORE_AGAIN, "{once:?} -> {left:?}");
}

#[test]
fn an_instance_that_is_made_for_a_request_holds_its_worker_up_no_longer_than_a_call() {
    let upstream = Upstream::start();
    let options = Options::new().workers(1).manifest("hostile.yaml", POLICY);
    let proxy = Proxy::start(options.upstream("shop", upstream.address()));
    let Case { bytes, outcome, .. } = cases::making::late();
    proxy.filters().replace("hostile.wasm", bytes);
    wait_until(SOON, || !digest(&proxy).is_empty());
    assert_eq!(proxy.get("http://shop/ok").status, 200);
    assert_eq!(proxy.get("http://shop/hostile").status, 503);
    let (before, began) = (Counts::of(&proxy, outcome), Instant::now());
    for _ in 0..10 {
        assert_eq!(proxy.get("http://shop/ok").status, 503);
    }
    let (after, took) = (Counts::of(&proxy, outcome), began.elapsed());
    println!("ten instances that loop when they are configured: {took:?}");
    assert!(took < Duration::from_secs(4), "{took:?}");
    assert!(after.result >= before.result + 10 && after.bound >= before.bound + 10);
}

/// Puts it in force, has it do its worst, and says what has not come of it that should have.
fn try_out(proxy: &Proxy, case: &Case) -> Result<(), String> {
    let Case { tries, bytes, outcome } = case;
    let wrong = |what: &str| Err(format!("{tries}: {what}\n{}", last_words(proxy)));
    let (digest, said) = (digest(proxy), proxy.log().len());
    proxy.filters().replace("hostile.wasm", bytes);
    if let Outcome::Refused(says) = outcome {
        if !within(SOON, || proxy.log().get(said..).is_some_and(|log| log.contains(says))) {
            return wrong("it is not refused as it should be");
        }
        if self::digest(proxy) != digest {
            return wrong("another version is in force");
        }
    } else if !within(SOON, || self::digest(proxy) != digest) {
        return wrong("it is not in force");
    } else {
        let before = Counts::of(proxy, *outcome);
        let expected = if matches!(outcome, Outcome::Goes(_)) { 200 } else { 503 };
        let status = proxy.get("http://shop/hostile").status;
        let after = Counts::of(proxy, *outcome);
        if status != expected {
            return wrong(&format!("its request is answered {status}"));
        }
        if after.result <= before.result {
            return wrong("no call counts with its result");
        }
        if after.bound <= before.bound {
            return wrong("nothing counts for its bound");
        }
    }
    let next = proxy.get("http://shop/ok");
    if next.status != 200 || next.header("x-filter-response").is_none() {
        return wrong(&format!("the next request is answered {}", next.status));
    }
    Ok(())
}

/// What the metrics have counted for the hostile filter; what is not expected counts up by itself.
struct Counts {
    result: u64,
    bound: u64,
}

impl Counts {
    fn of(proxy: &Proxy, outcome: Outcome) -> Self {
        let metrics = proxy.ask_admin("/metrics").text();
        let total = |name: &str, label: String| -> u64 {
            let mine = metrics
                .lines()
                .filter(|line| line.starts_with(name) && line.contains(r#"filter="hostile""#) && line.contains(&label));
            mine.filter_map(|line| line.rsplit_once(' ')?.1.parse::<u64>().ok()).sum()
        };
        let bound = |name: Option<&str>| {
            name.map(|name| total("sluicegate_filter_refusals_total", format!(r#"limit="{name}""#)))
        };
        let result = |name: &str| total("sluicegate_filter_calls_total", format!(r#"result="{name}""#));
        match outcome {
            Outcome::Fails(name, limit) => {
                Self { result: result(name), bound: bound(limit).unwrap_or_else(|| result(name)) }
            }
            Outcome::Goes(limit) => Self { result: result("next"), bound: bound(Some(limit)).unwrap_or_default() },
            Outcome::Refused(_) => Self { result: 0, bound: 0 },
        }
    }
}

/// What a proxy holds of the system's.
#[derive(Debug)]
struct Resources {
    files: usize,
    memory: u64,
}

impl Resources {
    fn of(proxy: &Proxy) -> Self {
        let files = || std::fs::read_dir(format!("/proc/{}/fd", proxy.process())).expect("it is running").count();
        // Connections that are just being closed are still there for a moment.
        let mut least = files();
        for _ in 0..50 {
            #[allow(clippy::disallowed_methods, reason = "waiting for connections to be gone")]
            std::thread::sleep(Duration::from_millis(20));
            least = least.min(files());
        }
        Self { files: least, memory: proxy.resident_memory() }
    }
}

fn digest(proxy: &Proxy) -> String {
    let filters = proxy.ask_admin("/filters").json();
    let mine = filters
        .as_array()
        .into_iter()
        .flatten()
        .find(|filter| filter["origin"].as_str().is_some_and(|origin| origin.ends_with("hostile.wasm")));
    mine.map(|filter| filter["digest"].as_str().unwrap_or_default().to_owned()).unwrap_or_default()
}

/// Whether it comes true in time.
fn within(limit: Duration, mut condition: impl FnMut() -> bool) -> bool {
    let began = Instant::now();
    loop {
        if condition() {
            return true;
        }
        if began.elapsed() > limit {
            return false;
        }
        #[allow(clippy::disallowed_methods, reason = "waiting for a change")]
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The 99th percentile of requests that pass the other filter: the best of a few rounds, since others use this machine too.
fn percentile(proxy: &Proxy) -> Duration {
    (0..ROUNDS).map(|_| round(proxy)).min().unwrap_or_default()
}

fn round(proxy: &Proxy) -> Duration {
    let mut connection = proxy.connect();
    let mut times: Vec<Duration> = (0..SAMPLES)
        .map(|_| {
            let began = Instant::now();
            let answer = connection.send(sluicegate_tests::Request::get("http://shop/ok")).expect("it answers");
            assert_eq!(answer.status, 200);
            began.elapsed()
        })
        .collect();
    times.sort_unstable();
    times[SAMPLES * 99 / 100]
}

fn last_words(proxy: &Proxy) -> String {
    let log = proxy.log();
    let lines: Vec<&str> = log.lines().rev().take(5).collect();
    lines.into_iter().rev().collect::<Vec<_>>().join("\n")
}
