//! `cargo xtask bench`: what a request costs in this proxy and in its peers.
//!
//! Every subject has one worker and is pinned to one core; the services behind it and the load generator share another.
//! All run interleaved, round after round, because a machine's speed changes from minute to minute: only ratios taken
//! in one run mean anything. The figure is the CPU time, user and system, of the subject's own processes over the
//! requests that were answered.

mod aims;
mod answer;
mod instructions;
mod large;
mod load;
mod measure;
pub(crate) mod peers;
mod processor;
mod program;
mod report;
mod scenario;

use crate::build::{self, Components, Profile};
use crate::wait::Interrupt;
use crate::workspace::Workspace;
use anyhow::{Context, Result, ensure};
use measure::Measuring;
use peers::{Peer, Peers};
use report::Report;
use scenario::{Scenario, Subject};
use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

/// The core of what is measured.
const PROXY_CORE: usize = 0;
/// The core of the services behind it and of the load generator.
const LOAD_CORE: usize = 1;

const EXAMPLES: &str = "\
Scenarios:
  proxy         passing a request on, with no, one, two and five filters; Envoy, bare hyper
  compose       two calls at once, two JSON documents in one answer; Envoy-wasm, by hand, nginx, Node, Go
  publish       a CloudEvent by POST, acknowledged by JetStream; a channel there, axum with async-nats
  routes        the last of 10 and of 1,000 rules, one of 10 and of 10,000 VirtualServices; Envoy
  durable       events on the disk before they are acknowledged, 256 publishers; appends to a file
  all           these, one after the other
  large         10,000 VirtualServices: until they are loaded, and what a change of one file costs
  instructions  what the processor does in the gate, in decisions, in the router; counted by valgrind

Examples:
  cargo xtask bench                          proxy: seven rounds of five seconds
  cargo xtask bench compose                  another scenario
  cargo xtask bench --quick all              three rounds of two seconds: shows a large change, not a small one
  cargo xtask bench --only envoy,hyper       only these
  cargo xtask bench --list                   every subject, and what it is
  cargo xtask bench -o json > figures.json   every round, for a record

Needs two cores and a quiet machine. What is measured against is fetched or built in target/peers when it is missing.";

/// What to measure.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// What to compare.
    #[arg(value_enum, default_value_t = Choice::Proxy)]
    scenario: Choice,
    /// Shows the subjects of the scenario, and measures nothing.
    #[arg(long)]
    list: bool,
    /// Fewer and shorter rounds.
    #[arg(long)]
    quick: bool,
    /// How to print the result.
    #[arg(short, long, value_enum, default_value_t = Output::Table)]
    output: Output,
    /// Measures only these.
    #[arg(long, value_delimiter = ',', value_name = "SUBJECT")]
    only: Vec<String>,
    /// Rounds instead of the usual number.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: Option<u32>,
    /// Seconds of each measurement instead of the usual number.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=60))]
    seconds: Option<u64>,
}

/// A scenario, or all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Choice {
    Proxy,
    Compose,
    Publish,
    Routes,
    Durable,
    Large,
    Instructions,
    All,
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
    fn scenarios(&self) -> Vec<&'static Scenario> {
        let name = clap::ValueEnum::to_possible_value(&self.scenario);
        let chosen = |scenario: &&Scenario| {
            self.scenario == Choice::All || name.as_ref().is_some_and(|name| name.get_name() == scenario.name)
        };
        scenario::ALL.into_iter().filter(chosen).collect()
    }

    /// What to measure of a scenario.
    fn subjects(&self, scenario: &Scenario) -> Vec<&'static Subject> {
        let wanted = |name: &str| self.only.is_empty() || self.only.iter().any(|only| only == name);
        scenario.subjects.iter().filter(|subject| wanted(subject.name)).collect()
    }

    /// Fails when `--only` names what no chosen scenario has.
    fn check(&self) -> Result<()> {
        let scenarios = self.scenarios();
        let known: Vec<&str> =
            scenarios.iter().flat_map(|scenario| scenario.subjects).map(|subject| subject.name).collect();
        for name in &self.only {
            ensure!(known.contains(&name.as_str()), "there is no {name} here; there are {}", known.join(", "));
        }
        Ok(())
    }

    fn rounds(&self) -> u32 {
        self.rounds.unwrap_or(if self.quick { 3 } else { 7 })
    }

    fn duration(&self) -> Duration {
        Duration::from_secs(self.seconds.unwrap_or(if self.quick { 2 } else { 5 }))
    }
}

/// Runs the command.
pub(crate) fn run(workspace: &Workspace, arguments: &Arguments) -> Result<()> {
    arguments.check()?;
    if arguments.list {
        list(arguments);
        return Ok(());
    }
    let documents = match arguments.scenario {
        Choice::Instructions => vec![shown(arguments, &instructions::run()?)],
        Choice::Large => {
            let directory = fresh_directory(workspace, "large")?;
            vec![shown(arguments, &large::run(workspace, &directory, &Interrupt::install()?)?)]
        }
        _ => compare(workspace, arguments)?,
    };
    if arguments.output == Output::Json {
        println!("{:#}", serde_json::json!({ "scenarios": documents }));
    }
    Ok(())
}

/// Something to print: for people by itself, for programs as JSON.
trait Shown: std::fmt::Display {
    fn json(&self) -> serde_json::Value;
}

/// Prints the table at once, where one is asked for; the JSON is for the end.
fn shown(arguments: &Arguments, result: &impl Shown) -> serde_json::Value {
    if arguments.output == Output::Table {
        print!("{result}");
    }
    result.json()
}

/// Measures the chosen scenarios, one after the other.
fn compare(workspace: &Workspace, arguments: &Arguments) -> Result<Vec<serde_json::Value>> {
    processor::check_cores(&[PROXY_CORE, LOAD_CORE])?;
    let scenarios = arguments.scenarios();
    let subjects: Vec<&Subject> = scenarios.iter().flat_map(|scenario| arguments.subjects(scenario)).collect();
    let peers = prepare(workspace, &subjects)?;
    let interrupt = Interrupt::install()?;
    let mut documents = Vec::new();
    for scenario in scenarios {
        let subjects = arguments.subjects(scenario);
        if subjects.is_empty() {
            continue;
        }
        let directory = fresh_directory(workspace, scenario.name)?;
        let measuring = Measuring { workspace, peers: &peers, directory: &directory, interrupt: &interrupt };
        let (rounds, duration, versions) = (arguments.rounds(), arguments.duration(), peers.versions(&subjects));
        let measurements = measuring.run(scenario, &subjects, rounds, duration)?;
        documents.push(shown(arguments, &Report { scenario, measurements, rounds, duration, versions }));
    }
    Ok(documents)
}

fn list(arguments: &Arguments) {
    for scenario in arguments.scenarios() {
        println!("{}: {}", scenario.name, scenario.about);
        for subject in arguments.subjects(scenario) {
            println!("  {:<20} {}", subject.name, subject.about);
        }
    }
}

/// Builds and installs what these subjects need.
fn prepare(workspace: &Workspace, subjects: &[&Subject]) -> Result<Peers> {
    let needed = subjects.iter().flat_map(|subject| subject.program.peers()).copied();
    let needed: BTreeSet<Peer> = needed.chain([Peer::Wrk]).collect();
    let peers = Peers::install(workspace, &needed)?;
    build::programs(Profile::Release, &["sluicegate-tests"])?;
    if subjects.iter().any(|subject| subject.program.is_sluice()) {
        build::components(workspace, Profile::Release, Components::All)?;
        build::programs(Profile::Release, &["sluicegate"])?;
    }
    Ok(peers)
}

fn fresh_directory(workspace: &Workspace, scenario: &str) -> Result<PathBuf> {
    let directory = workspace.target.join("bench").join(scenario);
    if directory.exists() {
        fs::remove_dir_all(&directory).with_context(|| format!("{} cannot be emptied", directory.display()))?;
    }
    fs::create_dir_all(&directory).with_context(|| format!("{} cannot be made", directory.display()))?;
    Ok(directory)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        arguments: Arguments,
    }

    fn arguments(line: &[&str]) -> Arguments {
        Line::try_parse_from(["bench"].iter().chain(line)).unwrap().arguments
    }

    #[test]
    fn plain_proxying_is_measured_unless_something_else_is_asked_for() {
        let names = |line: &[&str]| -> Vec<&str> {
            arguments(line).scenarios().into_iter().map(|scenario| scenario.name).collect()
        };
        assert_eq!(names(&[]), ["proxy"]);
        assert_eq!(names(&["compose"]), ["compose"]);
        assert_eq!(names(&["all"]).len(), scenario::ALL.len());
    }

    #[test]
    fn every_scenario_can_be_chosen_and_stands_in_the_help() {
        for scenario in scenario::ALL {
            assert_eq!(arguments(&[scenario.name]).scenarios().len(), 1, "{}", scenario.name);
            assert!(EXAMPLES.contains(&format!("\n  {:<13} ", scenario.name)), "{}", scenario.name);
        }
    }

    #[test]
    fn a_subject_that_is_not_there_is_an_error_that_names_those_that_are() {
        let error = arguments(&["compose", "--only", "node,deno"]).check().unwrap_err().to_string();
        assert!(error.contains("no deno") && error.contains("nginx-njs"), "{error}");
        let chosen = arguments(&["all", "--only", "node"]);
        chosen.check().unwrap();
        let subjects: Vec<_> = scenario::ALL.into_iter().flat_map(|one| chosen.subjects(one)).collect();
        assert_eq!(subjects.len(), 1);
    }
}
