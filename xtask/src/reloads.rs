//! `cargo xtask reloads`: how long a changed filter takes to decide on requests, and what others notice of it.

use crate::build;
use crate::command::run as run_command;
use crate::workspace::Workspace;
use anyhow::Result;
use std::path::PathBuf;

const EXAMPLES: &str = "\
Examples:
  cargo xtask reloads                           a hundred reloads of the development build
  cargo xtask reloads --release --number 1000   what is shipped: for figures of memory and time
  cargo xtask reloads --release --large my-filter-in-javascript.wasm

Times depend on what else the machine does, and are only shown. It fails when a request is lost, or memory or descriptors do not
come back to what they were.";

/// What to reload.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// Reloads the release build.
    #[arg(long)]
    release: bool,
    /// How often.
    #[arg(long, value_name = "N", default_value_t = 100)]
    number: usize,
    /// A filter that takes long to compile, in place of the stock filter `router`.
    #[arg(long, value_name = "FILE")]
    large: Option<PathBuf>,
}

/// Runs the command.
pub(crate) fn run(workspace: &Workspace, arguments: &Arguments) -> Result<()> {
    let mut reloads = build::tool(workspace, arguments.release, "reloads")?;
    run_command(reloads.arg(arguments.number.to_string()).args(&arguments.large))
}
