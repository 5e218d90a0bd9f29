//! Reloads filters of the proxy that was built while requests go on, and prints what comes of it.
//!
//! `reloads PROGRAM NUMBER [COMPONENT]`. Ends with 1 when an aim is missed that does not depend on how busy the machine is.
#![allow(clippy::expect_used, reason = "a measurement that cannot go on panics")]

use sluicegate_tests::attack::descriptors;
use sluicegate_tests::{
    Behaviour, Directory, Load, Options, Proxy, Request, Times, Upstream, renumbered, stock_filter, test_filter,
    wait_until,
};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// For a change to be in force.
const PATIENCE: Duration = Duration::from_mins(2);
/// Versions of which all but the first find their code compiled.
const KNOWN: usize = 8;
/// Requests a second beside changes that are looked at one by one.
const LIGHT: u32 = 50;
/// Beside those that come one after the other.
const BUSY: u32 = 1500;
/// Beside a large component that is compiled.
const STEADY: u32 = 500;
/// How long it is calm before.
const CALM: Duration = Duration::from_secs(10);
/// Large components, each with other code.
const LARGE: usize = 3;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (program, number, large) = match arguments.as_slice() {
        [program, number] => (program, number, stock_filter("router")),
        [program, number, large] => (program, number, PathBuf::from(large)),
        _ => return usage(),
    };
    let Ok(number) = number.parse::<usize>() else { return usage() };
    let program = std::path::absolute(program).unwrap_or_else(|_| program.into());
    one_by_one(&program, number.min(150));
    let missed = one_after_the_other(&program, number);
    behind(&program, &large);
    ExitCode::from(u8::from(missed))
}

fn usage() -> ExitCode {
    eprintln!("usage: reloads PROGRAM NUMBER [COMPONENT]");
    ExitCode::from(2)
}

fn load(proxy: &Proxy, per_second: u32) -> Load {
    let load = Load::start(proxy.address(), per_second, &Request::get("http://shop/"), None);
    wait_until(PATIENCE, || load.report().sent >= u64::from(per_second));
    load
}

fn show(what: &str, times: &Times) {
    let [p50, p99, all] = [50, 99, 100].map(|percent| times.percentile(percent));
    println!("{what:<58} {:>5} {p50:>10.1?} {p99:>10.1?} {all:>10.1?}", times.count());
}

/// A filter of a proxy, and what its versions are made of.
struct Renewed<'a> {
    proxy: &'a Proxy,
    filter: &'a str,
    component: Vec<u8>,
}

impl Renewed<'_> {
    /// Puts a version in the place of the one that is there, and tells how long after its rename it is in force.
    fn in_force(&self, version: usize) -> Duration {
        let version = u16::try_from(version).expect("a few thousand at most");
        let before = self.proxy.digest_of(self.filter);
        self.proxy.filters().replace(&format!("{}.wasm", self.filter), renumbered(&self.component, version));
        wait_until(PATIENCE, || self.proxy.digest_of(self.filter) != before)
    }
}

/// A proxy with the filter `large`, which is this component.
fn proxy(program: &Path, cache: &Directory, component: &Path, shop: &Upstream) -> Proxy {
    let options = Options::new().program(program).environment("XDG_CACHE_HOME", &cache.path().to_string_lossy());
    let options = options.filter_as("large.wasm", component).upstream("shop", shop.address());
    Proxy::start(options.manifest("large.yaml", DOCUMENT).argument("--access-log").argument("off"))
}

/// How long after its rename a version is in force.
fn one_by_one(program: &Path, number: usize) {
    let (shop, cache) = (Upstream::with(Behaviour::text("ok")), Directory::new());
    let proxy = proxy(program, &cache, &test_filter("headers"), &shop);
    let load = load(&proxy, LIGHT);
    let renewed = of(&proxy, &test_filter("headers"));
    let size = renewed.component.len() >> 10;
    println!("{:<58} {:>5} {:>10} {:>10} {:>10}", "from rename to effect", "times", "p50", "p99", "all");
    let new = (0..number).map(|version| renewed.in_force(version)).collect();
    show(&format!("a Rust filter of {size} KiB that was never compiled"), &new);
    let known = (0..number).map(|version| renewed.in_force(version % KNOWN)).collect();
    show("the same with its code on disk", &known);
    println!("lost: {} of {} requests", load.report().not(200), load.report().sent);
}

/// Whether a request was lost, or memory or descriptors did not come back.
fn one_after_the_other(program: &Path, number: usize) -> bool {
    let (shop, cache) = (Upstream::with(Behaviour::text("ok")), Directory::new());
    let proxy = proxy(program, &cache, &test_filter("headers"), &shop);
    let (load, renewed) = (load(&proxy, BUSY), of(&proxy, &test_filter("headers")));
    let (mut early, before) = (0, descriptors(&proxy));
    println!("\n{number} reloads beside {BUSY} requests a second; memory in MB at each tenth of them:");
    for version in 0..number {
        renewed.in_force(version % KNOWN);
        if (version + 1) % (number / 10).max(1) == 0 {
            let memory = proxy.resident_memory();
            early = if early == 0 { memory } else { early };
            print!(" {}", memory / 1_000_000);
            // Nobody reads figures that do not come.
            let _ = std::io::Write::flush(&mut std::io::stdout());
        }
    }
    let last = proxy.resident_memory();
    let report = load.stop();
    wait_until(PATIENCE, || descriptors(&proxy) <= before);
    println!(
        "\nlost: {} of {} requests; memory {:.2} of what it was at the first tenth; {} descriptors before, {} after; \
         {:.1} MB of code on disk",
        report.not(200),
        report.sent,
        ratio(last, early),
        before,
        descriptors(&proxy),
        ratio(cache.size(), 1_000_000)
    );
    !report.all_were(200) || last > early + early / 20
}

#[allow(clippy::cast_precision_loss, reason = "it is only shown")]
fn ratio(one: u64, other: u64) -> f64 {
    one as f64 / (other as f64).max(1.0)
}

fn of<'a>(proxy: &'a Proxy, component: &Path) -> Renewed<'a> {
    Renewed { proxy, filter: "large", component: fs::read(component).expect("the component can be read") }
}

/// What others notice while a large component is compiled: by their own proxy, and by another on the same machine.
fn behind(program: &Path, large: &Path) {
    let (shop, caches) = (Upstream::with(Behaviour::text("ok")), [Directory::new(), Directory::new()]);
    let [asked, other] = caches.each_ref().map(|cache| proxy(program, cache, large, &shop));
    let load = load(&asked, STEADY);
    let [asked, other] = [of(&asked, large), of(&other, large)];
    println!(
        "\n{} KiB of component beside {STEADY} requests a second, which it decides on too",
        asked.component.len() >> 10
    );
    println!("{:<58} {:>5} {:>10} {:>10} {:>10}", "", "times", "p50", "p99", "all");
    for version in 0..LARGE {
        for (compiles, who) in [(&other, "another proxy compiles it"), (&asked, "it is compiled")] {
            let calm = load.report();
            let began = Instant::now();
            wait_until(PATIENCE, || began.elapsed() > CALM);
            let compiled = load.report();
            let took = compiles.in_force(version);
            let report = load.report();
            show("requests, calm", &compiled.since(&calm));
            show(&format!("requests in the {took:.1?} in which {who}"), &report.since(&compiled));
        }
    }
    let known = (0..3 * LARGE).map(|version| asked.in_force(version % LARGE)).collect();
    show("from rename to effect with its code on disk", &known);
    println!("lost: {} of {} requests", load.report().not(200), load.report().sent);
}

/// Time enough for an interpreter.
const DOCUMENT: &str =
    "apiVersion: sluicegate.dev/v1alpha1\nkind: Filter\nmetadata: {name: large}\nspec: {deadline: 500ms}\n";
