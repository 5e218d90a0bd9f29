//! `cargo xtask attack`: what slow clients, idle ones and floods of frames cost, and what others notice of them.

use crate::build;
use crate::command::run as run_command;
use crate::workspace::Workspace;
use anyhow::Result;

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
    let mut attack = build::tool(workspace, arguments.release, "attack")?;
    run_command(attack.arg(arguments.connections.to_string()))
}
