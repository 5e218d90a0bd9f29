//! The flags of `sluice filter`.

use super::Ask;
use clap::{Args, Subcommand, ValueHint};

#[derive(Debug, Subcommand)]
pub(crate) enum Filter {
    List(FilterList),
    Inspect(FilterInspect),
    Traps(FilterTraps),
    /// Ends the quarantine of a filter: it is called again at once
    #[command(after_help = "\
Example:
  sluice filter enable auth

A filter that fails ten times in a row is not called any more: requests get what its `failure` says. After a second one
call tries it, and after each failed trial in twice the time, up to a minute. This lets every call through at once.
Exit codes: 0 done, 1 there is no such filter, 2 usage, 3 no instance reached.")]
    Enable(FilterNamed),
}

/// Shows the filters of a running instance
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sluice filter list
  sluice filter list --admin unix:/run/sluice/admin.sock -o json

Exit codes: 0 all in force, 1 one was refused, 2 usage, 3 no instance reached.")]
pub(crate) struct FilterList {
    #[command(flatten)]
    pub(crate) ask: Ask,
}

/// Shows what a filter is: its claims, hooks and capabilities
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sluice filter inspect filters/auth.wasm
      reads the file, and loads nothing
  sluice filter inspect auth
      asks the running instance for the filter of that name

Exit codes: 0 shown, 1 refused or not there, 2 usage, 3 no instance reached.")]
pub(crate) struct FilterInspect {
    /// File of a component, or the name of a filter
    #[arg(value_name = "FILE|NAME", value_hint = ValueHint::FilePath)]
    pub(crate) filter: String,
    #[command(flatten)]
    pub(crate) ask: Ask,
}

/// Shows how filters have failed: hook, request, and where in the guest
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sluice filter traps
      shows the latest failures of every version of every filter
  sluice filter traps auth -o json
      shows those of one filter, for machines

Functions have names where the component has them, and source lines where it is built with debug information
(`debug = \"line-tables-only\"` for Rust). Exit codes: 0 none has failed, 1 some have, 2 usage, 3 no instance reached.")]
pub(crate) struct FilterTraps {
    /// Name of a filter
    #[arg(value_name = "NAME")]
    pub(crate) filter: Option<String>,
    #[command(flatten)]
    pub(crate) ask: Ask,
}

/// A filter of a running instance.
#[derive(Debug, Args)]
pub(crate) struct FilterNamed {
    /// Name of a filter
    #[arg(value_name = "NAME")]
    pub(crate) filter: String,
    #[command(flatten)]
    pub(crate) ask: Ask,
}
