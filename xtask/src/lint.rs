//! `cargo xtask lint`: what a reviewer should not have to look for.

use crate::command::{cargo, find, run as run_command, step};
use crate::workspace::Workspace;
use anyhow::{Result, bail};
use std::process::Command;

const EXAMPLES: &str = "\
Examples:
  cargo xtask lint          reports
  cargo xtask lint --fix    formats first, and takes the lints' own suggestions";

/// How to lint.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// Formats the code and applies what the lints suggest, then reports what is left.
    #[arg(long)]
    fix: bool,
}

/// Runs the command.
pub(crate) fn run(workspace: &Workspace, arguments: &Arguments) -> Result<()> {
    if arguments.fix {
        run_command(cargo().args(["fmt", "--all"]))?;
        run_command(cargo().args(["clippy", "--workspace", "--all-targets", "--fix", "--allow-dirty"]))?;
    }
    check(workspace)
}

/// The compiler's lints: of everything, and of what only some have compiled.
pub(crate) fn clippy() -> [Command; 2] {
    [&["--all-targets"][..], &["--lib", "--features", "sluicegate/kafka"]].map(|selected| {
        let mut clippy = cargo();
        clippy.args(["clippy", "--workspace"]).args(selected).args(["--", "-D", "warnings"]);
        clippy
    })
}

/// Reports, and changes nothing.
pub(crate) fn check(workspace: &Workspace) -> Result<()> {
    let mut failed = Vec::new();
    let mut check = |name: &'static str, command: &mut Command| {
        step(name);
        if let Err(error) = run_command(command.current_dir(&workspace.root)) {
            eprintln!("error: {error:#}");
            failed.push(name);
        }
    };
    check("formatting", cargo().args(["fmt", "--all", "--check"]));
    for mut clippy in clippy() {
        check("lints", &mut clippy);
    }
    if find("cargo-deny").is_some() {
        check("licences, duplicates and sources", cargo().args(["deny", "check", "licenses", "bans", "sources"]));
        // Apart, as the list of advisories is fetched: without a network this alone fails.
        check("advisories", cargo().args(["deny", "check", "advisories"]));
    } else {
        step("cargo-deny is not installed, so licences and advisories were not checked (`cargo install cargo-deny`)");
    }
    if !failed.is_empty() {
        bail!("findings in {}", failed.join(" and "));
    }
    Ok(())
}
