//! `sluice reload`.

use super::ask::Ask;
use clap::Args;

/// Has a running instance read its directories anew, and shows what came of it
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sluice reload
      reads manifests, filters and certificates of the instance at 127.0.0.1:9901
  sluice reload --admin unix:/run/sluice/admin.sock -o json
      prints what came of it for machines

A running instance follows its directories by itself; this is for those that it does not watch (--watch off), for file
systems that tell nothing of their changes, and for whoever wants to know when a change is in force. SIGHUP does the same,
and the log says what came of it. Flags and the configuration file are read at the start alone.

Exit codes: 0 in force, 1 refused (what the errors are about stays as it was), 2 usage, 3 no instance reached.")]
pub(crate) struct Reload {
    #[command(flatten)]
    pub(crate) ask: Ask,
}
