//! What a large configuration costs beside its requests, which are in the scenario `routes`: how long a proxy with 10 and
//! with 10,000 VirtualServices takes to be up with its defaults, and what a change of one file costs until a request sees it.

use super::Shown;
use super::processor;
use super::program::virtual_service;
use super::report::{figure, median, rounded};
use crate::build::{self, Components, Profile};
use crate::child::RunningChild;
use crate::command::step;
use crate::port;
use crate::wait::Interrupt;
use crate::workspace::Workspace;
use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};
use std::fmt;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// How many VirtualServices, few and many.
const COUNTS: [u32; 2] = [10, 10_000];
/// Changes of one file whose cost is averaged: the kernel counts CPU time in hundredths of a second.
const CHANGES: u32 = 20;
/// Between two requests that look for the change, whose own cost counts with it.
const BETWEEN_LOOKS: Duration = Duration::from_millis(5);
/// After a change, until the next: what is done behind it counts, too.
const REST: Duration = Duration::from_millis(400);
/// Until a change must have taken effect.
const EFFECT: Duration = Duration::from_secs(10);
/// Until a proxy must be up.
const START: Duration = Duration::from_secs(30);
/// Seconds until a proxy with many is up.
const LOAD_AIM: f64 = 3.0;
/// Milliseconds from a change to its effect, of which most is waiting for files to come to rest.
const EFFECT_AIM: f64 = 300.0;

/// Everything measured, first with few, then with many.
#[derive(Debug)]
pub(crate) struct Figures {
    /// Seconds until the proxy was up.
    up: [f64; 2],
    /// Milliseconds from a change to its effect.
    effect: [Vec<f64>; 2],
    /// Milliseconds of CPU time of a change.
    change: [f64; 2],
    /// Bytes of memory in use after the changes.
    memory: [u64; 2],
}

/// A proxy and its documents.
struct Configured {
    child: RunningChild,
    address: SocketAddr,
    manifests: PathBuf,
}

/// Builds what it takes, and measures with few and with many.
pub(super) fn run(workspace: &Workspace, directory: &Path, interrupt: &Interrupt) -> Result<Figures> {
    build::components(workspace, Profile::Release, Components::All)?;
    build::programs(Profile::Release, &["sluicegate"])?;
    let mut figures = Figures { up: [0.0; 2], effect: Default::default(), change: [0.0; 2], memory: [0; 2] };
    for (place, count) in COUNTS.into_iter().enumerate() {
        step(&format!("{count} VirtualServices: start and changes"));
        let manifests = manifests(directory, count)?;
        let (mut proxy, up) = start(workspace, directory, manifests, count)?;
        let (effects, change) = changes(&mut proxy, interrupt)?;
        set(&mut figures.up, place, up.as_secs_f64());
        set(&mut figures.effect, place, effects);
        set(&mut figures.change, place, change);
        set(&mut figures.memory, place, processor::memory_of(proxy.child.id())?);
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

/// So many VirtualServices, each in a file of its own, and the one that is changed.
fn manifests(directory: &Path, count: u32) -> Result<PathBuf> {
    let manifests = directory.join(format!("manifests-{count}"));
    fs::create_dir_all(&manifests)?;
    for number in 1..count {
        fs::write(manifests.join(format!("service-{number:05}.yaml")), virtual_service(number))?;
    }
    fs::write(manifests.join("probe.yaml"), probe(0))?;
    Ok(manifests)
}

/// Starts a proxy with its defaults, and says how long it took to answer.
fn start(workspace: &Workspace, directory: &Path, manifests: PathBuf, count: u32) -> Result<(Configured, Duration)> {
    let filters = directory.join("filters");
    fs::create_dir_all(&filters)?;
    let address = port::free()?;
    let mut command = Command::new(workspace.program(Profile::Release, "sluice"));
    command.arg("run").arg("--filters").arg(filters).arg("--manifests").arg(&manifests);
    command.arg("--listen").arg(address.to_string()).arg("--admin").arg(port::free()?.to_string());
    let log = directory.join(format!("{count}.log"));
    let started = Instant::now();
    let mut child = RunningChild::start(&format!("sluice with {count}"), &mut command, &log)?;
    while !port::answers(address) {
        if let Some(end) = child.ended() {
            bail!(end);
        }
        ensure!(started.elapsed() < START, "the proxy was not up in time; its log is {}", log.display());
        pause(BETWEEN_LOOKS);
    }
    let up = started.elapsed();
    ensure!(body(address)? == "version 0", "the proxy does not answer by its VirtualServices");
    Ok((Configured { child, address, manifests }, up))
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

impl Shown for Figures {
    fn json(&self) -> Value {
        let times = |times: &Vec<f64>| times.iter().copied().map(rounded).collect::<Vec<_>>();
        json!({
            "scenario": "large",
            "virtual_services": COUNTS,
            "seconds_until_up": self.up.map(rounded),
            "change_milliseconds_to_effect": self.effect.each_ref().map(times),
            "change_cpu_milliseconds": self.change.map(rounded),
            "resident_bytes": self.memory,
        })
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [few, many] = COUNTS;
        writeln!(out, "\nlarge: what many documents cost beside their requests\n")?;
        writeln!(out, "{:<36} {few:>9} {many:>9}", "VirtualServices, two rules each")?;
        let mut row = |what: &str, values: [Option<f64>; 2], digits: usize| {
            let [few, many] = values.map(|value| figure(value, digits));
            writeln!(out, "{what:<36} {few:>9} {many:>9}")
        };
        // Far below 2^52, so nothing is lost.
        #[allow(clippy::cast_precision_loss)]
        let mebibytes = |bytes: u64| Some(bytes as f64 / f64::from(1 << 20));
        let effects = self.effect.clone().map(median);
        row("until it is up, s", self.up.map(Some), 2)?;
        row("one changed file, until its effect, ms", effects, 0)?;
        row("one changed file, CPU ms", self.change.map(Some), 0)?;
        row("memory, MiB", self.memory.map(mebibytes), 0)?;
        writeln!(out)?;
        let [_, up] = self.up;
        let [_, effect] = effects;
        let aims =
            [("with many, until it is up, s", Some(up), LOAD_AIM), ("with many, a change, ms", effect, EFFECT_AIM)];
        for (what, value, aim) in aims {
            let Some(value) = value else { continue };
            let verdict = if value <= aim { "kept" } else { "MISSED" };
            writeln!(out, "{what:<36} {value:>9.2}  aim at most {aim:.2}: {verdict}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures(up: f64, effect: f64) -> Figures {
        Figures {
            up: [0.2, up],
            effect: [vec![80.0], vec![effect, 1000.0, effect]],
            change: [10.0, 60.0],
            memory: [1 << 20; 2],
        }
    }

    #[test]
    fn what_is_claimed_is_told_with_whether_it_is_kept() {
        let text = figures(1.5, 120.0).to_string();
        assert!(text.contains("1.50") && text.contains("120.00") && !text.contains("MISSED"), "{text}");
        let text = figures(3.5, 120.0).to_string();
        assert_eq!(text.matches("MISSED").count(), 1, "{text}");
        let text = figures(3.5, 420.0).to_string();
        assert_eq!(text.matches("MISSED").count(), 2, "{text}");
        assert_eq!(figures(1.5, 120.0).json()["seconds_until_up"][1], 1.5);
    }

    #[test]
    fn a_change_is_another_text() {
        assert_ne!(probe(1), probe(2));
    }
}
