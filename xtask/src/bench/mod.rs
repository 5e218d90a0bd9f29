//! `cargo xtask bench`: the CPU time that a request costs in this proxy and in its peers.
//!
//! Every proxy has one worker and is pinned to one core; the origin and the load generator share another. All run
//! interleaved, round after round, because a machine's speed changes from minute to minute: only ratios taken in one
//! run mean anything. The figure is the proxy's own user and system time over the requests that were answered.

mod load;
mod many;
mod peers;
mod processor;
mod report;
mod subject;
mod verify;

use crate::build::{self, Components, Profile};
use crate::child::RunningChild;
use crate::command::step;
use crate::port;
use crate::wait::Interrupt;
use crate::workspace::Workspace;
use anyhow::{Context, Result, bail};
use load::Load;
use peers::Peers;
use report::{Measurement, Report};
use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;
use subject::{Bench, Subject};

/// The core of the proxies.
const PROXY_CORE: usize = 0;
/// The core of the origin and the load generator.
const LOAD_CORE: usize = 1;
/// Envoy compiles its filter at the start; everything else is up at once.
const START: Duration = Duration::from_secs(30);
/// Fills pools and caches before anything is counted.
const WARM_UP: Duration = Duration::from_secs(1);

const EXAMPLES: &str = "\
Examples:
  cargo xtask bench                          seven rounds of five seconds
  cargo xtask bench --quick                  three rounds of two seconds: shows a large change, not a small one
  cargo xtask bench --only envoy,hyper       only these
  cargo xtask bench --many                   only what a large configuration costs
  cargo xtask bench -o json > figures.json   every round, for a record

Needs two cores and a quiet machine. Envoy and wrk are fetched into target/peers when they are missing.";

/// What to measure.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// Fewer and shorter rounds.
    #[arg(long)]
    quick: bool,
    /// How to print the result.
    #[arg(short, long, value_enum, default_value_t = Output::Table)]
    output: Output,
    /// Measures only these.
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Subject>,
    /// Measures what 10,000 VirtualServices cost, and beside it only what `--only` names.
    #[arg(long)]
    many: bool,
    /// Rounds instead of the usual number.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: Option<u32>,
    /// Seconds of each measurement instead of the usual number.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=60))]
    seconds: Option<u64>,
}

/// A way to print the result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Output {
    /// For people.
    Table,
    /// For programs: every round.
    Json,
}

impl Arguments {
    fn subjects(&self) -> Vec<Subject> {
        let all = self.only.is_empty() && !self.many;
        Subject::ALL.into_iter().filter(|subject| all || self.only.contains(subject)).collect()
    }

    fn measures_many(&self) -> bool {
        self.only.is_empty() || self.many
    }

    fn rounds(&self) -> u32 {
        self.rounds.unwrap_or(if self.quick { 3 } else { 7 })
    }

    fn duration(&self) -> Duration {
        Duration::from_secs(self.seconds.unwrap_or(if self.quick { 2 } else { 5 }))
    }
}

/// A proxy that is up.
struct Running {
    subject: Subject,
    address: SocketAddr,
    child: RunningChild,
}

/// Runs the command.
pub(crate) fn run(workspace: &Workspace, arguments: &Arguments) -> Result<()> {
    processor::check_cores(&[PROXY_CORE, LOAD_CORE])?;
    let subjects = arguments.subjects();
    let peers = prepare(workspace, &subjects, arguments.measures_many())?;

    let interrupt = Interrupt::install()?;
    let directory = fresh_directory(workspace)?;
    let bench = Bench { workspace, peers: &peers, directory: &directory, origin: port::free()? };
    let _origin = start_origin(&bench)?;
    let mut running = Vec::new();
    for subject in subjects {
        running.push(start(&bench, subject)?);
    }
    for proxy in &running {
        verify::check(proxy.subject, proxy.address)?;
    }
    step("every proxy answers as it should");

    let load = Load { wrk: &peers.wrk, core: LOAD_CORE };
    let measurements = measure(&mut running, &load, arguments, &interrupt)?;
    let report = Report { measurements, rounds: arguments.rounds(), duration: arguments.duration() };
    let many = arguments
        .measures_many()
        .then(|| many::measure(&bench, &load, (arguments.rounds(), arguments.duration()), &interrupt));
    let many = many.transpose()?;
    match arguments.output {
        Output::Table => print!("{report}{}", many.map(|figures| figures.to_string()).unwrap_or_default()),
        Output::Json => {
            let mut json = report.json();
            json["many"] = many.map_or(serde_json::Value::Null, |figures| figures.json());
            println!("{json:#}");
        }
    }
    Ok(())
}

/// Builds and installs what these subjects need.
fn prepare(workspace: &Workspace, subjects: &[Subject], many: bool) -> Result<Peers> {
    let peers = Peers::install(workspace, subjects)?;
    build::programs(Profile::Release, &["sluicegate-tests"])?;
    if many || subjects.iter().any(|subject| subject.is_sluice()) {
        build::components(workspace, Profile::Release, Components::All)?;
        build::programs(Profile::Release, &["sluicegate"])?;
    }
    Ok(peers)
}

fn fresh_directory(workspace: &Workspace) -> Result<PathBuf> {
    let directory = workspace.target.join("bench");
    if directory.exists() {
        fs::remove_dir_all(&directory).with_context(|| format!("{} cannot be emptied", directory.display()))?;
    }
    fs::create_dir_all(&directory).with_context(|| format!("{} cannot be made", directory.display()))?;
    Ok(directory)
}

fn start_origin(bench: &Bench<'_>) -> Result<RunningChild> {
    let mut command = processor::pinned(LOAD_CORE, &bench.workspace.program(Profile::Release, "bench-origin"));
    command.arg(bench.origin.to_string());
    start_listening("origin", &mut command, bench, bench.origin)
}

fn start(bench: &Bench<'_>, subject: Subject) -> Result<Running> {
    let address = port::free()?;
    let mut command = bench.command(subject, address)?;
    let child = start_listening(subject.name(), &mut command, bench, address)?;
    Ok(Running { subject, address, child })
}

fn start_listening(name: &str, command: &mut Command, bench: &Bench<'_>, address: SocketAddr) -> Result<RunningChild> {
    let log = bench.directory.join(name).with_extension("log");
    let mut child = RunningChild::start(name, command, &log)?;
    child.ready(START, || port::answers(address)).with_context(|| format!("its log is {}", log.display()))?;
    Ok(child)
}

/// A, B, C, A, B, C, ...
fn measure(
    running: &mut [Running],
    load: &Load<'_>,
    arguments: &Arguments,
    interrupt: &Interrupt,
) -> Result<Vec<Measurement>> {
    let mut measurements: Vec<Measurement> =
        running.iter().map(|proxy| Measurement { subject: proxy.subject, rounds: Vec::new() }).collect();
    for proxy in running.iter() {
        load.run(proxy.address, WARM_UP, interrupt)?;
    }
    for round in 1..=arguments.rounds() {
        step(&format!("round {round} of {}", arguments.rounds()));
        for (proxy, measurement) in running.iter_mut().zip(&mut measurements) {
            let before = processor::time_of(proxy.child.id())?;
            let answered = load
                .run(proxy.address, arguments.duration(), interrupt)
                .with_context(|| format!("{} under load", proxy.subject.name()))?;
            if let Some(end) = proxy.child.ended() {
                bail!(end);
            }
            let spent = processor::time_of(proxy.child.id())?.saturating_sub(before);
            measurement.rounds.push(report::Round { spent, answered });
        }
    }
    Ok(measurements)
}
