//! `cargo xtask example`: builds an example with what it needs, and becomes it.

use crate::build::{self, Components, Profile};
use crate::command::become_program;
use crate::workspace::Workspace;
use anyhow::Result;
use std::process::Command;

const EXAMPLES: &str = "\
Examples:
  cargo xtask example order-events      an order as events, from the request to the dead letter";

/// Which example to run.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// Its directory in `examples`.
    example: Example,
}

/// Examples that run and end by themselves.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Example {
    /// An order is placed, reserved or refused, shipped; a dead letter is looked at.
    OrderEvents,
}

/// Runs the command.
pub(crate) fn run(workspace: &Workspace, arguments: &Arguments) -> Result<()> {
    let (package, program) = match arguments.example {
        Example::OrderEvents => ("sluicegate-order-events", "order-events"),
    };
    build::components(workspace, Profile::Development, Components::Stock)?;
    build::programs(Profile::Development, &["sluicegate", package])?;
    become_program(&mut Command::new(workspace.program(Profile::Development, program)))
}
