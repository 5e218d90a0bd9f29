//! Which instance a command asks, and how the answer is printed.

use clap::{Args, ValueEnum};

/// Whom to ask and how to print.
#[derive(Debug, Args)]
pub(crate) struct Ask {
    /// Running instance to ask: ADDR:PORT or unix:PATH
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:9901")]
    pub(crate) admin: String,
    /// How it is printed
    #[arg(short, long, value_name = "FORMAT", default_value = "table")]
    pub(crate) output: Format,
}

/// How answers are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people
    Table,
    /// For machines
    Json,
}
