//! Attacks the proxy that was built, and prints what comes of it.
//!
//! `attack PROGRAM CONNECTIONS`. Ends with 1 when an aim is missed that does not depend on how busy the machine is.

use sluicegate_tests::attack::{Attack, CASES, Crowd, ask_for, descriptors, raise_descriptors};
use sluicegate_tests::{Behaviour, Directory, Options, Proxy, Times, Upstream, wait_until};
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// An idle connection may take so much, in bytes.
const IDLE: u64 = 6 << 10;
/// How long a client looks at the clock.
const ASKED: Duration = Duration::from_secs(4);
/// For connections to be made, and to be gone.
const PATIENCE: Duration = Duration::from_mins(1);
/// Connections that are not the attacker's.
const SPARE: usize = 100;
/// What a slow reader asks for, in bytes.
const LARGE: usize = 4 << 20;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [program, connections] = arguments.as_slice() else { return usage() };
    let Ok(connections) = connections.parse::<usize>() else { return usage() };
    let program = std::path::absolute(program).unwrap_or_else(|_| program.into());
    let program = program.to_string_lossy();
    let descriptors = raise_descriptors();
    // The proxy keeps half of them for requests, and somebody else is to get in as well.
    let most = descriptors.and_then(|most| usize::try_from(most / 2).ok()).unwrap_or(usize::MAX);
    let connections = connections.min(most.saturating_sub(SPARE));
    println!(
        "{program}, {connections} connections at most, descriptors: {}",
        descriptors.map_or("any".into(), |most| most.to_string())
    );
    let missed = slow(&program, connections) + floods(&program);
    ExitCode::from(u8::from(missed > 0))
}

fn usage() -> ExitCode {
    eprintln!("usage: attack PROGRAM CONNECTIONS");
    ExitCode::from(2)
}

/// A proxy that takes all of an attacker's connections, since it is not their number that is to be looked at.
fn proxy(program: &str, settings: &Directory, shop: &Upstream, large: &Upstream) -> Proxy {
    settings.write("sluicegate.yaml", "limits: {connections: 50000, connections-per-client: 50000}\naccess-log: off\n");
    let options = Options::new().program(program).argument("--config").argument(settings.file("sluicegate.yaml"));
    Proxy::start(options.upstream("shop", shop.address()).upstream("large", large.address()))
}

/// Prints a table of slow clients, and gives how many aims were missed.
fn slow(program: &str, connections: usize) -> usize {
    let (shop, settings) = (Upstream::with(Behaviour::text("ok")), Directory::new());
    let large = Upstream::with(Behaviour::text(&"x".repeat(LARGE)));
    let (proxy, other) = (proxy(program, &settings, &shop, &large), proxy(program, &settings, &shop, &large));
    ask_for(proxy.address(), ASKED / 2);
    let calm = ask_for(proxy.address(), ASKED);
    println!("\n{:<38} {:>8} {:>14} {:>10} {:>10} {:>9}", "clients", "number", "memory each", "p50", "p99", "against");
    line("nobody else", 0, None, &calm, &calm);
    let cases = [
        ("heads, a byte every 500 ms", Attack::SlowHead, connections / 10, false),
        ("bodies, a byte every 500 ms", Attack::SlowBody, connections / 10, false),
        ("bodies, all at the same moments", Attack::SlowBodyInStep, connections / 10, false),
        ("4 MiB asked for and not read", Attack::SlowRead, connections / 50, false),
        ("silent from the start", Attack::Silent, connections, true),
        ("idle after a request", Attack::Idle, connections, true),
        ("idle after a request, HTTP/2", Attack::IdleHttp2, connections, false),
    ];
    let mut missed = 0;
    for (name, attack, number, is_held) in cases {
        let (each, times) = one(&proxy, &proxy, attack, number);
        line(name, number, Some(each), &times, &calm);
        missed += usize::from(is_held && each > IDLE);
        if attack == Attack::SlowBodyInStep {
            // What the machine needs for so many at the same moment, whoever they are sent to.
            let (each, times) = one(&other, &proxy, attack, number);
            line("  the same to a proxy that nobody asks", number, Some(each), &times, &calm);
        }
    }
    missed
}

/// Memory of each connection in bytes, and the times of a client meanwhile, perhaps of another proxy.
fn one(attacked: &Proxy, asked: &Proxy, attack: Attack, number: usize) -> (u64, Times) {
    let (open, before) = (descriptors(attacked), attacked.resident_memory());
    let crowd = Crowd::start(attacked.address(), number, attack);
    let began = Instant::now();
    wait_until(PATIENCE * 2, || crowd.ready() >= number || began.elapsed() > PATIENCE);
    // Long enough for what is idle to give back what it held, short enough for what is silent to be there still.
    let wait = if attack == Attack::Silent { 1 } else { 5 };
    let settled = Instant::now();
    wait_until(PATIENCE, || settled.elapsed() > Duration::from_secs(wait));
    let times = ask_for(asked.address(), ASKED);
    // What is free went back to the system while nobody asked.
    let grown = attacked.resident_memory().saturating_sub(before);
    drop(crowd);
    wait_until(PATIENCE, || descriptors(attacked) <= open + 8);
    (grown / u64::try_from(number.max(1)).unwrap_or(1), times)
}

fn line(name: &str, number: usize, memory: Option<u64>, times: &Times, calm: &Times) {
    let memory = memory.map_or_else(|| "-".to_owned(), |bytes| format!("{bytes} B"));
    let (p50, p99) = (times.percentile(50), times.percentile(99));
    let against = p99.as_secs_f64() / calm.percentile(99).as_secs_f64().max(1e-9);
    println!("{name:<38} {number:>8} {memory:>14} {p50:>10.2?} {p99:>10.2?} {against:>8.2}x");
}

/// Prints a table of floods, and gives how many were not stopped in time.
fn floods(program: &str) -> usize {
    let (shop, settings) = (Upstream::with(Behaviour::text("ok")), Directory::new());
    let proxy = proxy(program, &settings, &shop, &shop);
    println!(
        "\n{:<44} {:>8} {:>8} {:>8} {:>12}",
        "flood of one HTTP/2 connection", "frames", "aim", "reason", "memory"
    );
    let mut missed = 0;
    for case in &CASES {
        let flooded = case.send(&proxy);
        let frames = flooded.frames.map_or_else(|| "no end".to_owned(), |frames| frames.to_string());
        let reason = flooded.reason.map_or_else(|| "closed".to_owned(), |reason| reason.to_string());
        println!("{:<44} {frames:>8} {:>8} {reason:>8} {:>10} B", case.name, case.goal, flooded.memory);
        missed += usize::from(flooded.frames.is_none_or(|frames| frames > case.goal));
        let after = ask_for(proxy.address(), Duration::from_millis(50)).percentile(100);
        assert!(after < Duration::from_secs(5), "{after:?} after {}", case.name);
    }
    missed
}
