//! The flags of `sluice filter`.

use super::ask::Ask;
use clap::{Args, Subcommand, ValueHint};
use std::path::PathBuf;

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
    History(FilterHistory),
    /// Takes the latest version of a filter back: the one that is tried, or the one in force
    #[command(after_help = "\
Example:
  sluice filter rollback auth

The version before is in force again, with its settings and documents; what was taken back is not loaded again until its
file, settings or documents change, or `sluice filter promote`. Exit codes: 0 done, 1 there is no version before, 2 usage,
3 no instance reached.")]
    Rollback(FilterNamed),
    /// Puts the version of a filter that is tried in full force, or one that was taken back
    #[command(after_help = "\
Example:
  sluice filter promote auth
      ends the shadow or the canary of a new version, or its watch; or lets in what was taken back

Exit codes: 0 done, 1 there is no such version, 2 usage, 3 no instance reached.")]
    Promote(FilterNamed),
    /// Keeps the component of a filter whatever its file says, until the instance ends
    #[command(after_help = "\
Example:
  sluice filter pin auth

Settings and documents still count. Exit codes: 0 done, 1 there is no such filter, 2 usage, 3 no instance reached.")]
    Pin(FilterNamed),
    /// Lets the file of a pinned filter count again
    #[command(after_help = "\
Example:
  sluice filter unpin auth

Exit codes: 0 done, 1 it is not pinned, 2 usage, 3 no instance reached.")]
    Unpin(FilterNamed),
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

/// Shows what a filter is, and what it wants against what it is granted
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sluice filter inspect filters/auth.wasm
      reads the file, and loads nothing
  sluice filter inspect filters/auth.wasm --manifests manifests --filter-key release.pem
      holds what it wants against its Filter document there, and checks its digest and signature
  sluice filter inspect auth
      asks the running instance for the filter of that name

Exit codes: 0 shown, 1 it would be refused or is not there, 2 usage, 3 no instance reached.")]
pub(crate) struct FilterInspect {
    /// File of a component, or the name of a filter
    #[arg(value_name = "FILE|NAME", value_hint = ValueHint::FilePath)]
    pub(crate) filter: String,
    /// Directory of manifests, or a file, with the Filter document of a file; may be given several times
    #[arg(long, value_name = "DIR", value_hint = ValueHint::AnyPath)]
    pub(crate) manifests: Vec<PathBuf>,
    /// Public key (PEM) to check a file's signature with; may be given several times
    #[arg(long = "filter-key", value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) filter_keys: Vec<PathBuf>,
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
(`debug = \"line-tables-only\"` for Rust). Exit codes: 0 none has failed, 1 some have, or there is no such filter, 2 usage, 3 no instance reached.")]
pub(crate) struct FilterTraps {
    /// Name of a filter
    #[arg(value_name = "NAME")]
    pub(crate) filter: Option<String>,
    #[command(flatten)]
    pub(crate) ask: Ask,
}

/// Shows what became of versions of filters: stages, and why some were taken back
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sluice filter history
      shows every version of every filter since the instance began
  sluice filter history auth -o json
      shows those of one filter, for machines

A new version, or a change of settings or documents, goes through the stages that the filter's document names:
  spec:
    rollout:
      selfTest: true                  # auth.cases.yaml beside auth.wasm, as `sluice test` reads it; the default
      shadow: {share: 10%, requests: 1000, duration: 10m, differences: 0%}   # decides on copies, without effect
      canary: {share: 10%, requests: 1000, duration: 10m}                    # decides on a share of requests
      watch: {duration: 1m}           # in full force, held against the version before; the default
A version that fails, takes longer or errs more often than the one before, beyond chance, is taken back by itself.
Exit codes: 0 shown, 1 one was taken back, or there is no such filter, 2 usage, 3 no instance reached.")]
pub(crate) struct FilterHistory {
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
