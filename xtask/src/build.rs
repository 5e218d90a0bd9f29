//! `cargo xtask build`: components beside the proxy that loads them.

use crate::command::{cargo, find, output, run as run_command, step};
use crate::workspace::{Filter, Workspace};
use anyhow::{Context, Result, bail};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What filters are compiled for: `cargo build` gives a component for it with no further tool.
const FILTER_TARGET: &str = "wasm32-wasip2";
/// The directory beside the executable in which the proxy looks for its stock filters.
const STOCK_DIRECTORY: &str = "filters";

/// What tests and tools select of the workspace, so that nothing is compiled twice with other features: all of it, with every
/// store for events.
pub(crate) const EVERYTHING: [&str; 3] = ["--workspace", "--features", "sluicegate/kafka"];

const EXAMPLES: &str = "\
Examples:
  cargo xtask build              for development: target/debug/sluice, target/debug/filters/
  cargo xtask build --release    optimised across all crates; takes minutes";

/// What to build.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// Builds the proxy optimised, with link-time optimisation of all crates.
    #[arg(long)]
    release: bool,
}

/// How the native programs are compiled. Filters always have their own profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Profile {
    /// Quick to compile.
    Development,
    /// What is shipped and measured.
    Release,
}

/// Which filters to build.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Components {
    /// Those that the product ships.
    Stock,
    /// These and those that only tests and benchmarks load.
    All,
}

/// Runs the command.
pub(crate) fn run(workspace: &Workspace, arguments: &Arguments) -> Result<()> {
    let profile = if arguments.release { Profile::Release } else { Profile::Development };
    components(workspace, profile, Components::All)?;
    programs(profile, &["sluicegate", "sluicegate-shop", "sluicegate-product-page"])?;
    step(&format!("done: {}", workspace.program(profile, "sluice").display()));
    Ok(())
}

/// Builds the components and puts them where the proxy and the tests look for them.
pub(crate) fn components(workspace: &Workspace, profile: Profile, which: Components) -> Result<()> {
    let stock = workspace.filters().map(|filter| (filter, workspace.stock_directory(profile)));
    let for_tests = workspace.test_filters().map(|filter| (filter, workspace.test_filter_directory()));
    let wanted: Vec<(&Filter, PathBuf)> = match which {
        Components::Stock => stock.collect(),
        Components::All => stock.chain(for_tests).collect(),
    };
    ensure_target(FILTER_TARGET)?;
    step("building the filters");
    let profiles: BTreeSet<&str> = wanted.iter().map(|(filter, _)| filter.profile.as_str()).collect();
    for profile in profiles {
        let mut build = cargo();
        build.args(["build", "--profile", profile, "--target", FILTER_TARGET]);
        for (filter, _) in wanted.iter().filter(|(filter, _)| filter.profile == profile) {
            build.args(["--package", &filter.package]);
        }
        run_command(&mut build)?;
    }
    for (filter, directory) in &wanted {
        let built = workspace.target.join(FILTER_TARGET).join(&filter.profile);
        let component = built.join(&filter.library).with_extension("wasm");
        install(&component, &directory.join(&filter.name).with_extension("wasm"))?;
    }
    Ok(())
}

/// Builds the binaries of these packages.
pub(crate) fn programs(profile: Profile, packages: &[&str]) -> Result<()> {
    step(&format!("building {}", packages.join(" and ")));
    let mut build = cargo();
    build.args(["build", "--bins"]);
    if profile == Profile::Release {
        build.arg("--release");
    }
    for package in packages {
        build.args(["--package", package]);
    }
    run_command(&mut build)
}

/// A program of the tests that puts the proxy to the test, which is its first argument; both are built, with all filters.
pub(crate) fn tool(workspace: &Workspace, release: bool, name: &str) -> Result<Command> {
    let profile = if release { Profile::Release } else { Profile::Development };
    components(workspace, profile, Components::All)?;
    if release {
        // What it takes from its own side is of the development build.
        components(workspace, Profile::Development, Components::Stock)?;
        programs(profile, &["sluicegate"])?;
    }
    step("building everything, with its tests");
    run_command(cargo().args(["build", "--all-targets"]).args(EVERYTHING))?;
    let mut tool = Command::new(workspace.program(Profile::Development, name));
    tool.arg(workspace.program(profile, "sluice"));
    Ok(tool)
}

/// Adds a compiler target through rustup when it is missing.
pub(crate) fn ensure_target(target: &str) -> Result<()> {
    if find("rustup").is_none() {
        return ensure_target_without_rustup(target);
    }
    let installed = output(Command::new("rustup").args(["target", "list", "--installed"]))?;
    if installed.lines().any(|line| line.trim() == target) {
        return Ok(());
    }
    step(&format!("adding the compiler target {target}"));
    run_command(Command::new("rustup").args(["target", "add", target]))
        .with_context(|| format!("the compiler needs the target {target}; try `rustup target add {target}` by hand"))
}

/// A compiler that a distribution ships may bring the target along.
fn ensure_target_without_rustup(target: &str) -> Result<()> {
    let libraries = output(Command::new("rustc").args(["--print", "target-libdir", "--target", target]))?;
    if Path::new(libraries.trim()).is_dir() {
        return Ok(());
    }
    bail!(
        "rustc has no standard library for {target}, and rustup is not there to add it; \
         install rustup, or the package of your distribution that holds it"
    )
}

/// Copies a file by rename, so that nobody ever sees half of it, and only if it differs, so that nobody reloads it in vain.
fn install(from: &Path, to: &Path) -> Result<()> {
    let new = fs::read(from).with_context(|| format!("the build left no {}", from.display()))?;
    if fs::read(to).is_ok_and(|old| old == new) {
        return Ok(());
    }
    let directory = to.parent().context("a component goes into a directory")?;
    let temporary = to.with_extension("wasm.new");
    fs::create_dir_all(directory)
        .and_then(|()| fs::write(&temporary, &new))
        .and_then(|()| fs::rename(&temporary, to))
        .with_context(|| format!("{} cannot be written", to.display()))?;
    step(&format!("new component {} ({} KiB)", to.display(), new.len() / 1024));
    Ok(())
}

impl Workspace {
    /// Where a program of this profile is, once it is built.
    pub(crate) fn program(&self, profile: Profile, name: &str) -> PathBuf {
        self.profile_directory(profile).join(name)
    }

    fn stock_directory(&self, profile: Profile) -> PathBuf {
        self.profile_directory(profile).join(STOCK_DIRECTORY)
    }

    fn profile_directory(&self, profile: Profile) -> PathBuf {
        self.target.join(match profile {
            Profile::Development => "debug",
            Profile::Release => "release",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_component_is_only_written_when_it_changed() {
        let directory = tempfile::tempdir().unwrap();
        let (from, to) = (directory.path().join("built.wasm"), directory.path().join("filters/router.wasm"));
        fs::write(&from, b"one").unwrap();
        install(&from, &to).unwrap();
        let first = fs::metadata(&to).unwrap().modified().unwrap();
        install(&from, &to).unwrap();
        assert_eq!(fs::metadata(&to).unwrap().modified().unwrap(), first, "an equal file was written again");
        fs::write(&from, b"two").unwrap();
        install(&from, &to).unwrap();
        assert_eq!(fs::read(&to).unwrap(), b"two");
        assert_eq!(fs::read_dir(directory.path().join("filters")).unwrap().count(), 1, "a temporary file was left");
    }

    #[test]
    fn a_missing_component_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let error = install(&directory.path().join("router.wasm"), &directory.path().join("out.wasm")).unwrap_err();
        assert!(error.to_string().contains("router.wasm"), "{error}");
    }
}
