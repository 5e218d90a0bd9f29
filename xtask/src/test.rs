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

/// Runs the command.
pub(crate) fn run(workspace: &Workspace, arguments: &Arguments) -> Result<()> {
    let start = Instant::now();
    build::components(workspace, Profile::Development, Components::All)?;
    brokers::ensure(workspace)?;
    // The same selection of targets and packages as below, so that nothing is compiled twice with other features.
    step("building everything, with its tests");
    run_command(cargo().args(["build", "--workspace"]).args(TARGETS))?;
    // Each kind runs even if the one before it failed: one run shows all that is broken.
    let kinds: [(&str, &[&str]); 2] = [("unit and black-box tests", &TARGETS), ("documentation tests", &["--doc"])];
    let failed: Vec<&str> =
        kinds.into_iter().filter(|(kind, flags)| !passes(kind, flags, arguments)).map(|(kind, _)| kind).collect();
    let seconds = start.elapsed().as_secs();
    if !failed.is_empty() {
        bail!("{} failed after {seconds} s; the tests are named above", failed.join(" and "));
    }
    step(&format!("all tests passed in {seconds} s"));
    Ok(())
}

fn passes(kind: &str, flags: &[&str], arguments: &Arguments) -> bool {
    step(kind);
    let mut test = cargo();
    test.args(["test", "--workspace", "--no-fail-fast"]).args(flags).args(&arguments.filter);
    match run_command(&mut test) {
        Ok(()) => true,
        Err(error) => {
            eprintln!("error: {error:#}");
            false
        }
    }
}
