//! `cargo xtask test`: every test of the repository, on a machine that has nothing but Rust.

use crate::brokers;
use crate::build::{self, Components, Profile};
use crate::command::{cargo, run as run_command, step};
use crate::lint;
use crate::suites;
use crate::workspace::Workspace;
use anyhow::{Result, bail};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

const EXAMPLES: &str = "\
Examples:
  cargo xtask test               everything
  cargo xtask test smuggling     only tests whose name holds `smuggling`, black-box tests included
  cargo xtask test --lint        what runs on every change: the lints too, compiled while tests wait";

/// What to test.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// Runs only the tests whose name holds this.
    filter: Option<String>,
    /// Runs `cargo xtask lint` in the end. What it needs is compiled while the tests run, which is sooner than after them.
    #[arg(long)]
    lint: bool,
}

/// All but benchmarks, which nobody tests with.
const TARGETS: [&str; 4] = ["--lib", "--bins", "--tests", "--examples"];

/// Waits until the tests of the first kind run, since cargo lets one of two compile; then compiles only while a core has
/// nothing else to do. Whether it went well is seen, and said, when its turn comes.
const AHEAD: &str = "sleep 20; exec nice -n 19 \"$0\" \"$@\"";

/// Runs the command.
pub(crate) fn run(workspace: &Workspace, arguments: &Arguments) -> Result<()> {
    let start = Instant::now();
    build::components(workspace, Profile::Development, Components::All)?;
    brokers::ensure(workspace)?;
    suites::ensure(workspace)?;
    step("building everything, with its tests");
    run_command(cargo().arg("build").args(build::EVERYTHING).args(TARGETS))?;
    let ahead = if arguments.lint { Ahead::compile(lint::clippy()) } else { Ahead::default() };
    // Each kind runs even if the one before it failed: one run shows all that is broken.
    let mut failed = Vec::new();
    for (kind, flags) in [("unit and black-box tests", &TARGETS[..]), ("documentation tests", &["--doc"])] {
        if !passes(kind, flags, arguments.filter.as_deref()) {
            failed.push(kind);
        }
    }
    if arguments.lint {
        ahead.wait();
        if let Err(error) = lint::check(workspace) {
            eprintln!("error: {error:#}");
            failed.push("lints");
        }
    }
    let seconds = start.elapsed().as_secs();
    if !failed.is_empty() {
        bail!("{} failed after {seconds} s; the tests are named above", failed.join(" and "));
    }
    step(&format!("all tests passed in {seconds} s"));
    Ok(())
}

/// What is compiled while tests run, which mostly wait.
#[derive(Default)]
struct Ahead(Vec<Child>);

impl Ahead {
    /// Cargo takes one at a time. Does without it if it cannot be started: then it is compiled when its turn comes.
    fn compile(commands: impl IntoIterator<Item = Command>) -> Self {
        let start = |command: Command| {
            let mut compile = Command::new("sh");
            compile.args(["-c", AHEAD]).arg(command.get_program()).args(command.get_args());
            compile.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().ok()
        };
        Self(commands.into_iter().filter_map(start).collect())
    }

    /// Until all of it is there, or has failed.
    fn wait(self) {
        for mut compiling in self.0 {
            let _ = compiling.wait();
        }
    }
}

fn passes(kind: &str, flags: &[&str], filter: Option<&str>) -> bool {
    step(kind);
    let mut test = cargo();
    test.args(["test", "--no-fail-fast"]).args(build::EVERYTHING).args(flags).args(filter);
    match run_command(&mut test) {
        Ok(()) => true,
        Err(error) => {
            eprintln!("error: {error:#}");
            false
        }
    }
}
