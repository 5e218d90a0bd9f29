//! All filters together have no more memory than the operator says, and no more instances than there may be: who wants more is
//! refused, and nobody else notices.
#![allow(clippy::expect_used, reason = "a test may fail where it stands")]

use sluicegate_tests::{Behaviour, Directory, Fickle, Options, Proxy, Upstream, rewritten, test_filter, wait_until};
use std::fs;
use std::io::Write as _;
use std::net::TcpStream;
use std::time::Duration;

/// What all filters may have together, in bytes: those of this test begin with some eleven mebibytes.
const MOST: f64 = 16.0 * 1024.0 * 1024.0;
/// Requests of which each leaves a mebibyte behind.
const REQUESTS: usize = 60;
/// Workers of a test that counts instances.
const WORKERS: usize = 2;
/// Instances of one version then.
const OF_A_VERSION: f64 = 3.0;
/// How long to wait for what happens by itself.
const BY_ITSELF: Duration = Duration::from_secs(40);

fn limited(directory: &Directory, size: &str, options: Options) -> Options {
    directory.write("sluicegate.yaml", format!("limits: {{filter-memory: {size}}}\n"));
    options.argument("--config").argument(directory.file("sluicegate.yaml"))
}

fn policy(name: &str, spec: &str) -> String {
    format!("apiVersion: sluicegate.dev/v1alpha1\nkind: Filter\nmetadata:\n  name: {name}\nspec: {spec}\n")
}

fn sum(proxy: &Proxy, name: &str, labels: &[&str]) -> f64 {
    let metrics = proxy.ask_admin("/metrics").text();
    let mine = |line: &&str| line.starts_with(name) && labels.iter().all(|label| line.contains(label));
    metrics.lines().filter(mine).filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok()).sum()
}

#[test]
fn filters_together_have_no_more_memory_than_they_may_and_what_goes_makes_room() {
    let (directory, upstream) = (Directory::new(), Upstream::start());
    let component = fs::read(test_filter("fickle")).expect("it is built");
    directory.write("leaks.wasm", rewritten(&component, "FICKLE:=", "leaks"));
    let options = Options::new().filter("headers").filter_as("leaks.wasm", directory.file("leaks.wasm"));
    let options = options.manifest("headers.yaml", policy("headers", "{isolation: request, failure: open}"));
    let proxy = Proxy::start(limited(&directory, "16MiB", options).upstream("shop", upstream.address()));
    let began = sum(&proxy, "sluicegate_filter_memory_bytes", &[]);
    let mut connection = proxy.connect();
    let (mut refused, mut most) = (0, 0.0_f64);
    for _ in 0..REQUESTS {
        let answer = connection.send(sluicegate_tests::Request::get("http://shop/")).expect("an answer");
        assert!(answer.status == 200 || answer.status == 503, "{}", answer.status);
        refused += usize::from(answer.status == 503);
        most = most.max(sum(&proxy, "sluicegate_filter_memory_bytes", &[]));
    }
    // An instance that is refused goes, so it takes a few requests each time until there is no room again.
    assert!((1..=REQUESTS / 3).contains(&refused), "{refused} of {REQUESTS} requests were refused");
    assert!(most <= MOST && most > MOST * 0.8, "{most}");
    assert!((sum(&proxy, "sluicegate_filter_memory_limit_bytes", &[]) - MOST).abs() < 1.0);
    for filter in ["leaks", "headers"] {
        let name = format!(r#"filter="{filter}""#);
        let crowded = sum(&proxy, "sluicegate_filter_calls_total", &[&name, r#"result="crowded""#]);
        assert!(crowded >= 1.0, "{filter}");
        assert!(sum(&proxy, "sluicegate_filter_refusals_total", &[&name, r#"limit="filter-memory""#]) >= crowded);
    }
    assert!(sum(&proxy, "sluicegate_filter_quarantines_total", &[]) < 0.5, "nobody is to blame");
    proxy.filters().remove("leaks.wasm");
    let less = || sum(&proxy, "sluicegate_filter_memory_bytes", &[]) < began;
    wait_until(Duration::from_mins(1), less);
    assert!(proxy.get("http://shop/").header("x-filter-response").is_some());
}

#[test]
fn without_room_for_its_filters_the_proxy_does_not_start_and_says_why() {
    let directory = Directory::new();
    let options = limited(&directory, "1MiB", Options::new().filter("headers"));
    let said = Proxy::try_start(options).expect_err("it does not start");
    assert!(said.contains("`limits: {filter-memory: SIZE}` in the proxy's configuration grants more"), "{said}");
}

#[test]
fn without_room_for_all_instances_the_proxy_does_not_start_and_blames_no_filter() {
    let components = (0..10).map(|number| format!("headers-{number}.wasm"));
    let options =
        components.fold(Options::new().workers(100), |options, file| options.filter_as(&file, test_filter("headers")));
    let said = Proxy::try_start(options).expect_err("it does not start");
    assert!(said.contains("crowded: filters together have all the instances that they may, 1000"), "{said}");
    assert!(!said.contains("too many parts"), "{said}");
}

#[test]
fn the_instances_that_there_are_of_a_filter_are_shown() {
    let upstream = Upstream::start();
    let options = Options::new().workers(WORKERS).filter("headers").filter_as("fresh.wasm", test_filter("headers"));
    let options = options.manifest("fresh.yaml", policy("fresh", "{isolation: request}"));
    let proxy = Proxy::start(options.upstream("shop", upstream.address()));
    for _ in 0..5 {
        assert_eq!(proxy.get("http://shop/").status, 200);
    }
    assert!((instances(&proxy, "headers") - OF_A_VERSION).abs() < 0.5, "{}", instances(&proxy, "headers"));
    assert!(instances(&proxy, "fresh") < 0.5, "one of a single call goes with it");
}

#[test]
fn a_filter_whose_calls_get_fresh_instances_has_none_at_rest() {
    let upstream = Upstream::start();
    let options = Options::new().filter("headers").upstream("shop", upstream.address());
    let proxy = Proxy::start(options.manifest("headers.yaml", policy("headers", "{isolation: request}")));
    assert!(proxy.get("http://shop/").header("x-filter-response").is_some());
    assert!(instances(&proxy, "headers") < 0.5);
}

#[test]
fn versions_that_decide_no_more_give_their_instances_back_however_long_a_request_holds_them() {
    // Its responses begin and do not end.
    let chunks = vec!["x".into(); 3600];
    let endless = Behaviour::Chunks { chunks, pause: Duration::from_secs(1), trailers: Vec::new() };
    let (upstream, late) = (Upstream::start(), Upstream::with(endless));
    let canary = "{rollout: {canary: {share: 10%, requests: 100000}}}";
    let options = Options::new().workers(WORKERS).upstream("late", late.address());
    let fickle = Fickle::with(options.manifest("fickle.yaml", policy("fickle", "{}")), &upstream);
    let proxy = &fickle.proxy;
    let mut held = Vec::new();
    let mut begin = || {
        let mut client = TcpStream::connect(proxy.address()).expect("the proxy accepts");
        client.write_all(b"GET / HTTP/1.1\r\nhost: late\r\n\r\n").expect("it is sent");
        held.push(client);
        wait_until(BY_ITSELF, || late.arrived() == held.len());
    };
    // Each is superseded while it is watched.
    for word in ["v1", "v2", "v3", "v4"] {
        begin();
        fickle.in_force(word, BY_ITSELF);
    }
    let of_versions = |most: f64| wait_until(BY_ITSELF, || instances(proxy, "fickle") <= most * OF_A_VERSION);
    // The newest, and the one that it is measured by.
    of_versions(2.0);
    // Each is superseded while it is tried.
    proxy.manifests().replace("fickle.yaml", policy("fickle", canary));
    for (number, word) in ["v5", "v6", "v7"].iter().enumerate() {
        fickle.replace(word);
        wait_until(BY_ITSELF, || fickle.events().iter().filter(|event| *event == "canary").count() > number);
        begin();
    }
    of_versions(3.0);
    proxy.filters().remove("fickle.wasm");
    wait_until(BY_ITSELF, || instances(proxy, "fickle") < 0.5);
    assert_eq!(late.abandoned(), 0, "the requests are still held");
}

fn instances(proxy: &Proxy, filter: &str) -> f64 {
    sum(proxy, "sluicegate_filter_instances", &[&format!(r#"filter="{filter}""#)])
}
