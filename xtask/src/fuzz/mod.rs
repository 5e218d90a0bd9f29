//! `cargo xtask fuzz`: feeds what reads foreign bytes with anything at all, guided by what that reaches.
//!
//! The targets and what must hold for each are `fuzz/src`. libFuzzer runs them; with the stable compiler the crates of
//! this workspace are instrumented by its coverage pass (see [`instrument`]), and what they depend on is the same as for
//! the tests. No sanitizer of memory is needed, since there is no `unsafe` to check.

mod figures;
pub(crate) mod instrument;

use crate::command::{cargo, find, run as run_command, step};
use crate::workspace::Workspace;
use anyhow::{Context, Result, bail, ensure};
use figures::Figures;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const EXAMPLES: &str = "\
Examples:
  cargo xtask fuzz                              every target, for half a minute each
  cargo xtask fuzz http1_head --seconds 3600    one target for an hour
  cargo xtask fuzz json store --runs 100000     two targets, so many executions each

What is found on the way is kept in target/fuzz/corpus, and what fails in target/fuzz/found: it becomes a seed in fuzz/seeds,
which `cargo xtask test` replays. With a nightly compiler, `cargo fuzz run --features libfuzzer TARGET` does the same.";

/// How long a target is run unless said otherwise, in seconds.
const SECONDS: u64 = 30;

/// What to feed, and for how long.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// Only these targets; they are in fuzz/fuzz_targets.
    targets: Vec<String>,
    /// So many executions of each target.
    #[arg(long, conflicts_with = "seconds")]
    runs: Option<u64>,
    /// So many seconds for each target.
    #[arg(long)]
    seconds: Option<u64>,
    /// Components of any kind for the target `component`, made by `wasm-smith`; compiles the runtime once more.
    #[arg(long)]
    smith: bool,
}

/// Runs the command.
pub(crate) fn run(workspace: &Workspace, arguments: &Arguments) -> Result<()> {
    let known = targets(&workspace.root)?;
    for target in &arguments.targets {
        ensure!(known.contains(target), "there is no target `{target}`; there are {}", known.join(", "));
    }
    let chosen = if arguments.targets.is_empty() { &known } else { &arguments.targets };
    build(chosen, arguments.smith)?;
    let mut table = Vec::new();
    for target in chosen {
        step(&format!("feeding {target}"));
        table.push((target.as_str(), feed(workspace, target, arguments)?));
    }
    print!("{}", figures::table(&table));
    Ok(())
}

/// The names of all targets.
fn targets(root: &Path) -> Result<Vec<String>> {
    let directory = root.join("fuzz/fuzz_targets");
    let entries = std::fs::read_dir(&directory).with_context(|| format!("{} cannot be read", directory.display()))?;
    let mut names = Vec::new();
    for entry in entries {
        let path = entry?.path();
        names.extend(path.file_stem().map(|name| name.to_string_lossy().into_owned()));
    }
    names.sort();
    Ok(names)
}

fn build(targets: &[String], smith: bool) -> Result<()> {
    ensure!(find("c++").is_some(), "libFuzzer is C++: install a compiler for it, such as the package g++");
    step("building the targets, with the workspace's crates instrumented");
    let feature = if smith { "sluicegate-fuzz/smith" } else { "sluicegate-fuzz/libfuzzer" };
    // The same selection of packages as for tests, so that nothing that is not instrumented is compiled anew.
    let mut build = cargo();
    build.args(["build", "--workspace", "--features", feature]);
    for target in targets {
        build.args(["--bin", target]);
    }
    instrument::apply(&mut build)?;
    run_command(&mut build)
}

/// Runs one target to its end and gives what it says of itself.
fn feed(workspace: &Workspace, target: &str, arguments: &Arguments) -> Result<Figures> {
    let directory = workspace.target.join("fuzz");
    let (corpus, found) = (directory.join("corpus").join(target), directory.join("found").join(target));
    for directory in [&corpus, &found] {
        std::fs::create_dir_all(directory).with_context(|| format!("{} cannot be made", directory.display()))?;
    }
    let mut command = Command::new(workspace.target.join("debug").join(target));
    command.arg(&corpus).arg(workspace.root.join("fuzz/seeds").join(target)).args(figures::OPTIONS);
    command.arg(format!("-artifact_prefix={}/", found.display()));
    command.arg(match arguments.runs {
        Some(runs) => format!("-runs={runs}"),
        None => format!("-max_total_time={}", arguments.seconds.unwrap_or(SECONDS)),
    });
    let mut child = command.stderr(Stdio::piped()).spawn().with_context(|| format!("{target} cannot be started"))?;
    let said = child.stderr.take().context("its output is not there")?;
    let mut figures = Figures::default();
    for line in BufReader::new(said).lines() {
        let line = line?;
        figures.read(&line);
        eprintln!("{line}");
    }
    let status = child.wait()?;
    if !status.success() {
        bail!("{target} has found something ({status}): see above, and {}", shown(&found));
    }
    Ok(figures)
}

/// The newest file of a directory, or the directory.
fn shown(directory: &Path) -> String {
    let files = std::fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.path());
    let newest = |path: &PathBuf| path.metadata().and_then(|metadata| metadata.modified()).ok();
    files.max_by_key(newest).unwrap_or_else(|| directory.to_owned()).display().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_target_is_documented_with_its_coverage() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let readme = std::fs::read_to_string(root.join("fuzz/README.md")).unwrap();
        for target in targets(&root).unwrap() {
            assert!(readme.contains(&format!("| `{target}` |")), "fuzz/README.md has no row for {target}");
        }
    }
}
