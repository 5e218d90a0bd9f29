//! `cargo xtask attack`: what slow clients, idle ones and floods of frames cost, and what others notice of them.

use crate::build::{self, Components, Profile};
use crate::command::{cargo, run as run_command, step};
use crate::workspace::Workspace;
use anyhow::Result;
use std::process::Command;

const EXAMPLES: &str = "\
Examples:
  cargo xtask attack                         attacks the development build
  cargo xtask attack --release               attacks what is shipped: for figures of memory and time
  cargo xtask attack --connections 2000      with fewer idle connections, where descriptors are short

Times depend on what else the machine does, and are only shown. It fails when an idle connection takes more than 6 KiB, or a
flood is not stopped within its aim.";

/// What to attack.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// Attacks the release build.
    #[arg(long)]
    release: bool,
    /// Idle connections; the slow ones are fewer.
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    connections: usize,
}

/// Runs the command.
pub(crate) fn run(workspace: &Workspace, arguments: &Arguments) -> Result<()> {
    let profile = if arguments.release { Profile::Release } else { Profile::Development };
    build::components(workspace, profile, Components::Stock)?;
    if arguments.release {
        build::programs(profile, &["sluicegate"])?;
    }
    step("building everything, with its tests");
    run_command(cargo().args(["build", "--all-targets"]).args(build::EVERYTHING))?;
    let attack = workspace.program(Profile::Development, "attack");
    run_command(Command::new(attack).arg(workspace.program(profile, "sluice")).arg(arguments.connections.to_string()))
}
