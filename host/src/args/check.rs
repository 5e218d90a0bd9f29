//! `sluice check`.

use super::ask::Format;
use super::sources::Sources;
use clap::{Args, ValueHint};

/// Checks manifests and filters without running them
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sluice check manifests
      reads every manifest and says what is wrong, with file, line and column
  sluice check manifests --filters filters -o json
      checks filters too, and prints findings for machines

Exit codes: 0 no error (there may be warnings), 1 errors, 2 usage.")]
pub(crate) struct Check {
    /// Directories of manifests, or files
    #[arg(value_name = "DIR", required = true, value_hint = ValueHint::AnyPath)]
    pub(crate) manifests: Vec<String>,
    #[command(flatten)]
    pub(crate) sources: Sources,
    /// How findings are printed
    #[arg(short, long, value_name = "FORMAT", default_value = "table")]
    pub(crate) output: Format,
}
