//! `cargo xtask test`: every test of the repository, on a machine that has nothing but Rust.

use crate::brokers;
use crate::build::{self, Components, Profile};
use crate::command::{cargo, run as run_command, step};
use crate::workspace::Workspace;
use anyhow::{Result, bail};
use std::time::Instant;

const EXAMPLES: &str = "\
Examples:
  cargo xtask test               everything
  cargo xtask test smuggling     only tests whose name holds `smuggling`, black-box tests included";

/// What to test.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// Runs only the tests whose name holds this.
    filter: Option<String>,
}

/// All but benchmarks, which nobody tests with.
const TARGETS: [&str; 4] = ["--lib", "--bins", "--tests", "--examples"];

/// What the names of the tests hold that need the feature of this name.
const KAFKA: &str = "kafka";

/// Runs the command.
pub(crate) fn run(workspace: &Workspace, arguments: &Arguments) -> Result<()> {
    let start = Instant::now();
    build::components(workspace, Profile::Development, Components::All)?;
    brokers::ensure(workspace)?;
    // The same selection of targets and packages as below, so that nothing is compiled twice with other features.
    step("building everything, with its tests");
    run_command(cargo().args(["build", "--workspace"]).args(TARGETS))?;
    // Each kind runs even if the one before it failed: one run shows all that is broken.
    let filter = arguments.filter.as_deref();
    let mut kinds: Vec<(&str, &[&str], Option<&str>)> =
        vec![("unit and black-box tests", &TARGETS, filter), ("documentation tests", &["--doc"], filter)];
    // With a feature that takes a C library along, which all others do without.
    if filter.is_none_or(|filter| filter.contains(KAFKA)) {
        kinds.push(("tests of events on Kafka", &["--lib", "--features", "sluicegate/kafka"], filter.or(Some(KAFKA))));
    }
    let run = |(kind, flags, filter)| (!passes(kind, flags, filter)).then_some(kind);
    let failed: Vec<&str> = kinds.into_iter().filter_map(run).collect();
    let seconds = start.elapsed().as_secs();
    if !failed.is_empty() {
        bail!("{} failed after {seconds} s; the tests are named above", failed.join(" and "));
    }
    step(&format!("all tests passed in {seconds} s"));
    Ok(())
}

fn passes(kind: &str, flags: &[&str], filter: Option<&str>) -> bool {
    step(kind);
    let mut test = cargo();
    test.args(["test", "--workspace", "--no-fail-fast"]).args(flags).args(filter);
    match run_command(&mut test) {
        Ok(()) => true,
        Err(error) => {
            eprintln!("error: {error:#}");
            false
        }
    }
}
