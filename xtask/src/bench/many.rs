//! What a large configuration costs: 10,000 VirtualServices beside 10, each in a file of its own.
//!
//! Three figures: how long the proxy takes to be up with its defaults; the CPU time of a request, as a ratio of both; and
//! what a change of one file costs until a request sees it.

use super::load::Load;
use super::report::{figure, median, rounded};
use super::subject::Bench;
use super::{PROXY_CORE, START, WARM_UP, processor};
use crate::build::Profile;
use crate::child::RunningChild;
use crate::command::step;
use crate::port;
use crate::wait::Interrupt;
use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};
use std::fmt;
use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

/// How many VirtualServices, few and many.
const COUNTS: [u32; 2] = [10, 10_000];
/// Changes of one file whose cost is averaged: the kernel counts CPU time in hundredths of a second.
const CHANGES: u32 = 20;
/// Between two requests that look for the change: a twentieth of what it takes, so that looking does not count.
const BETWEEN_LOOKS: Duration = Duration::from_millis(5);
/// After a change, until the next: what is done behind it counts, too.
const REST: Duration = Duration::from_millis(400);
/// Until a change must have taken effect.
const EFFECT: Duration = Duration::from_secs(10);
/// What a request of the load may cost with many, over what it costs with few.
const RATIO_AIM: f64 = 3.0;
/// Seconds until a proxy with many is up.
const LOAD_AIM: f64 = 3.0;

/// Everything measured, first with few, then with many.
#[derive(Debug)]
pub(crate) struct Figures {
    /// Seconds until the proxy was up.
    up: [f64; 2],
    /// Microseconds of CPU time of a request, by round.
    requests: [Vec<f64>; 2],
    /// Milliseconds from a change to its effect.
    effect: [Vec<f64>; 2],
    /// Milliseconds of CPU time of a change.
    change: [f64; 2],
}

/// A proxy and its documents.
struct Configured {
    child: RunningChild,
    address: SocketAddr,
    manifests: PathBuf,
}

/// Measures with few and with many; rounds of requests are interleaved.
pub(crate) fn measure(
    bench: &Bench<'_>,
    load: &Load<'_>,
    (rounds, duration): (u32, Duration),
    interrupt: &Interrupt,
) -> Result<Figures> {
    let mut figures =
        Figures { up: [0.0; 2], requests: Default::default(), effect: Default::default(), change: [0.0; 2] };
    for (place, count) in COUNTS.into_iter().enumerate() {
        step(&format!("{count} VirtualServices: start and changes"));
        let started = Instant::now();
        let mut proxy = start(bench, count, "defaults", false)?;
        set(&mut figures.up, place, started.elapsed().as_secs_f64());
        let (effects, change) = changes(&mut proxy, interrupt)?;
        set(&mut figures.effect, place, effects);
        set(&mut figures.change, place, change);
    }
    let mut pinned = [start(bench, COUNTS[0], "pinned", true)?, start(bench, COUNTS[1], "pinned", true)?];
    for proxy in &pinned {
        load.run(proxy.address, WARM_UP, interrupt)?;
    }
    for round in 1..=rounds {
        step(&format!("round {round} of {rounds} with few and many VirtualServices"));
        for (proxy, costs) in pinned.iter_mut().zip(&mut figures.requests) {
            let before = processor::time_of(proxy.child.id())?;
            let answered = load.run(proxy.address, duration, interrupt)?;
            proxy.still_runs()?;
            let spent = processor::time_of(proxy.child.id())?.saturating_sub(before);
            // Both are far below 2^52, so nothing is lost.
            #[allow(clippy::cast_precision_loss)]
            costs.push(spent.as_secs_f64() * 1e6 / answered as f64);
        }
    }
    Ok(figures)
}

fn set<T>(pair: &mut [T; 2], place: usize, value: T) {
    if let Some(entry) = pair.get_mut(place) {
        *entry = value;
    }
}

impl Configured {
    fn still_runs(&mut self) -> Result<()> {
        match self.child.ended() {
            Some(end) => bail!(end),
            None => Ok(()),
        }
    }
}

/// Starts a proxy with so many VirtualServices: with its defaults, or with one worker on the proxies' core.
fn start(bench: &Bench<'_>, count: u32, purpose: &str, pinned: bool) -> Result<Configured> {
    let name = format!("many-{count}-{purpose}");
    let manifests = bench.directory.join(&name);
    fs::create_dir_all(&manifests)?;
    for number in 0..count {
        fs::write(manifests.join(format!("service-{number:05}.yaml")), virtual_service(number))?;
    }
    fs::write(manifests.join("origin.yaml"), origin())?;
    fs::write(manifests.join("probe.yaml"), probe(0))?;
    let filters = bench.directory.join(format!("{name}-filters"));
    fs::create_dir_all(&filters)?;
    let address = port::free()?;
    let program = bench.workspace.program(Profile::Release, "sluice");
    let mut command = if pinned { processor::pinned(PROXY_CORE, &program) } else { Command::new(&program) };
    command.arg("run").arg("--filters").arg(filters).arg("--manifests").arg(&manifests);
    command.arg("--listen").arg(address.to_string()).arg("--admin").arg(port::free()?.to_string());
    command.arg("--upstream").arg(format!("origin={}", bench.origin)).args(["--access-log", "off"]);
    if pinned {
        command.args(["--workers", "1"]);
    }
    let log = bench.directory.join(&name).with_extension("log");
    let started = Instant::now();
    let mut child = RunningChild::start(&name, &mut command, &log)?;
    while !port::answers(address) {
        if let Some(end) = child.ended() {
            bail!(end);
        }
        ensure!(started.elapsed() < START, "{name} was not up in time; its log is {}", log.display());
        pause(BETWEEN_LOOKS);
    }
    ensure!(body(address)? == "version 0", "{name} does not answer by its VirtualServices");
    Ok(Configured { child, address, manifests })
}

#[allow(clippy::disallowed_methods, reason = "this program serves nobody; there is no worker to block")]
fn pause(time: Duration) {
    std::thread::sleep(time);
}

/// Changes one file again and again: milliseconds to each effect, and milliseconds of CPU time that a change costs.
fn changes(proxy: &mut Configured, interrupt: &Interrupt) -> Result<(Vec<f64>, f64)> {
    // What is readied behind the start for the first change.
    pause(REST * 8);
    let before = processor::time_of(proxy.child.id())?;
    let mut effects = Vec::new();
    for version in 1..=CHANGES {
        fs::write(proxy.manifests.join("probe.yaml"), probe(version)).context("a manifest cannot be written")?;
        let written = Instant::now();
        let expected = format!("version {version}");
        while body(proxy.address)? != expected {
            ensure!(!interrupt.came(), "interrupted");
            ensure!(written.elapsed() < EFFECT, "the change to {expected} has no effect");
            pause(BETWEEN_LOOKS);
        }
        effects.push(written.elapsed().as_secs_f64() * 1e3);
        pause(REST);
        proxy.still_runs()?;
    }
    let spent = processor::time_of(proxy.child.id())?.saturating_sub(before);
    Ok((effects, spent.as_secs_f64() * 1e3 / f64::from(CHANGES)))
}

fn body(address: SocketAddr) -> Result<String> {
    let answer = port::get(address, "/", &["Host: probe.example.com"])?;
    Ok(answer.split_once("\r\n\r\n").map_or("", |(_, body)| body).to_owned())
}

/// A realistic document: two rules, of which one splits and one rewrites and has limits.
fn virtual_service(number: u32) -> String {
    format!(
        "\
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata:
  name: service-{number}
  namespace: shop
  labels: {{app: service-{number}, team: team-{team}}}
spec:
  hosts: [service-{number}.example.com]
  http:
    - name: api
      match:
        - uri: {{prefix: /api/}}
          method: {{exact: GET}}
        - uri: {{prefix: /v2/api/}}
      rewrite: {{uri: /}}
      timeout: 3s
      retries: {{attempts: 2, perTryTimeout: 1s, retryOn: \"5xx,reset\"}}
      route:
        - destination: {{host: service-{number}, subset: v1, port: {{number: 8080}}}}
          weight: 90
        - destination: {{host: service-{number}, subset: v2, port: {{number: 8080}}}}
          weight: 10
    - name: pages
      headers: {{response: {{set: {{x-service: service-{number}}}}}}}
      route:
        - destination: {{host: service-{number}-pages, port: {{number: 8080}}}}
",
        team = number % 40,
    )
}

/// What the load asks for.
fn origin() -> String {
    "\
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: origin}
spec:
  hosts: [origin]
  http: [{match: [{uri: {prefix: /}}], route: [{destination: {host: origin}}]}]
"
    .to_owned()
}

/// What is changed.
fn probe(version: u32) -> String {
    format!(
        "\
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: probe}}
spec:
  hosts: [probe.example.com]
  http: [{{directResponse: {{status: 200, body: {{string: version {version}}}}}}}]
"
    )
}

impl Figures {
    fn ratio(&self) -> Option<f64> {
        let [few, many] = &self.requests;
        median(many.iter().zip(few).map(|(many, few)| many / few).collect())
    }

    /// Everything, every round included.
    pub(crate) fn json(&self) -> Value {
        json!({
            "virtual_services": COUNTS,
            "seconds_until_up": self.up.map(rounded),
            "request_microseconds": self.requests.clone().map(|costs| costs.into_iter().map(rounded).collect::<Vec<_>>()),
            "request_ratio": self.ratio().map(rounded),
            "change_milliseconds_to_effect": self.effect.clone().map(|times| times.into_iter().map(rounded).collect::<Vec<_>>()),
            "change_cpu_milliseconds": self.change.map(rounded),
        })
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [few, many] = COUNTS;
        writeln!(out, "\n{:<44} {few:>9} {many:>9}", "VirtualServices, two rules each")?;
        let mut row = |what: &str, values: [Option<f64>; 2], digits: usize| {
            let [few, many] = values.map(|value| figure(value, digits));
            writeln!(out, "{what:<44} {few:>9} {many:>9}")
        };
        row("until it is up, with its defaults, s", self.up.map(Some), 2)?;
        row("CPU µs per request", self.requests.clone().map(median), 1)?;
        row("one changed file, until its effect, ms", self.effect.clone().map(median), 0)?;
        row("one changed file, CPU ms", self.change.map(Some), 0)?;
        let verdict = |value: f64, aim: f64| if value <= aim { "kept" } else { "MISSED" };
        if let Some(ratio) = self.ratio() {
            writeln!(
                out,
                "{:<44} {ratio:>9.2}  aim at most {RATIO_AIM:.2}: {}",
                "a request with many, over few",
                verdict(ratio, RATIO_AIM)
            )?;
        }
        let [_, up] = self.up;
        writeln!(
            out,
            "{:<44} {up:>9.2}  aim at most {LOAD_AIM:.2}: {}",
            "until it is up with many, s",
            verdict(up, LOAD_AIM)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures(few: f64, many: f64) -> Figures {
        Figures {
            up: [0.2, 1.5],
            requests: [vec![few, few * 2.0, few], vec![many, many * 2.0, many]],
            effect: [vec![80.0], vec![120.0]],
            change: [10.0, 60.0],
        }
    }

    #[test]
    fn the_cost_of_a_request_is_a_ratio_of_few_and_many() {
        let text = figures(20.0, 30.0).to_string();
        assert!(text.contains("1.50") && text.contains("kept") && !text.contains("MISSED"), "{text}");
        assert_eq!(figures(20.0, 30.0).json()["request_ratio"], 1.5);
        let text = figures(20.0, 80.0).to_string();
        assert!(text.contains("4.00") && text.contains("MISSED"), "{text}");
    }

    #[test]
    fn a_change_is_another_text() {
        assert_ne!(probe(1), probe(2));
        assert!(virtual_service(7).contains("service-7.example.com"));
    }
}
