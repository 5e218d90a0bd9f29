//! `sluice get`: what a running instance has.

use super::ask::Ask;
use clap::{Args, Subcommand};

#[derive(Debug, Subcommand)]
pub(crate) enum Get {
    Endpoints(GetEndpoints),
    Overload(GetOverload),
}

/// Shows the endpoints of services, with why some are out
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sluice get endpoints
  sluice get endpoints shop
      shows those of one service, by its full name or the beginning of it
  sluice get endpoints -o json

Exit codes: 0 all take requests, 1 some do not, or there is no such service, 2 usage, 3 no instance reached.")]
pub(crate) struct GetEndpoints {
    /// Service, such as shop or shop.default.svc.cluster.local
    #[arg(value_name = "SERVICE")]
    pub(crate) service: Option<String>,
    #[command(flatten)]
    pub(crate) ask: Ask,
}

/// Shows limits of overload, how near they are, and what was refused
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sluice get overload
  sluice get overload -o json

Limits are set by a document of kind Overload (sluicegate.dev/v1alpha1); host/README.md has its fields. Exit codes:
0 nothing is refused for memory at present, 1 something is, 2 usage, 3 no instance reached.")]
pub(crate) struct GetOverload {
    #[command(flatten)]
    pub(crate) ask: Ask,
}
