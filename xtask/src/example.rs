//! `cargo xtask example`: builds what an example needs, and becomes it.

use crate::build::{self, Components, Profile};
use crate::command::become_program;
use crate::workspace::Workspace;
use anyhow::Result;
use std::ffi::OsString;
use std::process::Command;

const EXAMPLES: &str = "\
Examples:
  cargo xtask example order-events      an order as events, from the request to the dead letter
  cargo xtask example product-page      one page of five services
  cargo xtask example product-page --listen 127.0.0.1:8081    when port 8080 is taken";

/// Which example to run.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// Its directory in `examples`.
    #[arg(value_enum)]
    name: Name,
    /// What the example takes.
    #[arg(value_name = "FLAGS", trailing_var_arg = true, allow_hyphen_values = true)]
    flags: Vec<OsString>,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Name {
    /// An order is placed, reserved or refused, shipped; a dead letter is looked at.
    OrderEvents,
    /// One page of five services.
    ProductPage,
}

/// Runs the command: until the example ends, or Ctrl-C.
pub(crate) fn run(workspace: &Workspace, arguments: &Arguments) -> Result<()> {
    let (package, program) = match arguments.name {
        Name::OrderEvents => ("sluicegate-order-events", "order-events"),
        Name::ProductPage => ("sluicegate-product-page", "product-page"),
    };
    build::components(workspace, Profile::Development, Components::All)?;
    build::programs(Profile::Development, &["sluicegate", package])?;
    become_program(Command::new(workspace.program(Profile::Development, program)).args(&arguments.flags))
}
