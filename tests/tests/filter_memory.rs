//! All filters together have no more memory than the operator says: who wants more is refused, and nobody else notices.
#![allow(clippy::expect_used, reason = "a test may fail where it stands")]

use sluicegate_tests::{Directory, Options, Proxy, Upstream, rewritten, test_filter};
use std::fs;

/// What all filters may have together, in bytes: those of this test begin with some eleven mebibytes.
const MOST: f64 = 16.0 * 1024.0 * 1024.0;
/// Requests of which each leaves a mebibyte behind.
const REQUESTS: usize = 60;

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
    sluicegate_tests::wait_until(std::time::Duration::from_mins(1), less);
    assert!(proxy.get("http://shop/").header("x-filter-response").is_some());
}

#[test]
fn without_room_for_its_filters_the_proxy_does_not_start_and_says_why() {
    let directory = Directory::new();
    let options = limited(&directory, "1MiB", Options::new().filter("headers"));
    let said = Proxy::try_start(options).expect_err("it does not start");
    assert!(said.contains("`limits: {filter-memory: SIZE}` in the proxy's configuration grants more"), "{said}");
}
