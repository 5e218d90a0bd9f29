//! `cargo xtask test`: every test of the repository, on a machine that has nothing but Rust.

use crate::brokers;
use crate::build::{self, Components, Profile};
use crate::command::{cargo, run as run_command, step};
use crate::suites;
use crate::workspace::Workspace;
use anyhow::{Result, bail};
use std::process::{Child, Command, Stdio};
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

/// What they are compiled with.
const WITH_KAFKA: [&str; 3] = ["--lib", "--features", "sluicegate/kafka"];

/// Waits until the tests of the first kind run, since cargo lets one of two compile; then compiles only while a core has
/// nothing else to do.
const AHEAD: &str = "sleep 20; exec nice -n 19 \"$0\" \"$@\"";

/// Runs the command.
pub(crate) fn run(workspace: &Workspace, arguments: &Arguments) -> Result<()> {
    let start = Instant::now();
    build::components(workspace, Profile::Development, Components::All)?;
    brokers::ensure(workspace)?;
    suites::ensure(workspace)?;
    // The same selection of targets and packages as below, so that nothing is compiled twice with other features.
    step("building everything, with its tests");
    run_command(cargo().args(["build", "--workspace"]).args(TARGETS))?;
    // Each kind runs even if the one before it failed: one run shows all that is broken.
    let filter = arguments.filter.as_deref();
    let mut kinds: Vec<(&str, &[&str], Option<&str>)> =
        vec![("unit and black-box tests", &TARGETS, filter), ("documentation tests", &["--doc"], filter)];
    let mut compiling = None;
    // With a feature that takes a C library along, which all others do without.
    if filter.is_none_or(|filter| filter.contains(KAFKA)) {
        kinds.push(("tests of events on Kafka", &WITH_KAFKA, filter.or(Some(KAFKA))));
        compiling = ahead(&WITH_KAFKA);
    }
    let mut failed = Vec::new();
    for (kind, flags, filter) in kinds {
        if flags == WITH_KAFKA
            && let Some(compiling) = &mut compiling
        {
            // Whether it went well is seen when the tests run.
            let _ = compiling.wait();
        }
        if !passes(kind, flags, filter) {
            failed.push(kind);
        }
    }
    let seconds = start.elapsed().as_secs();
    if !failed.is_empty() {
        bail!("{} failed after {seconds} s; the tests are named above", failed.join(" and "));
    }
    step(&format!("all tests passed in {seconds} s"));
    Ok(())
}

/// Compiles what later tests need while others run, which mostly wait. What it says is said again by those that need it.
fn ahead(flags: &[&str]) -> Option<Child> {
    let mut compile = Command::new("sh");
    compile.args(["-c", AHEAD]).arg(cargo().get_program());
    compile.args(["test", "--workspace", "--no-run", "--quiet"]).args(flags);
    compile.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    compile.spawn().ok()
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
