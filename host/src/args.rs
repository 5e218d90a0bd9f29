//! The command line. What a command does stands in [`crate::command`].
//!
//! Each command has its module here, and so has what several of them take: [`sources`] and [`ask`].

mod ask;
mod check;
pub(crate) mod dead_letter;
#[cfg(feature = "demo")]
mod demo;
pub(crate) mod event;
mod events;
mod explain;
mod filter;
mod get;
mod reload;
mod run;
mod sources;
mod tap;
mod test;

pub(crate) use ask::{Ask, Format};
pub(crate) use check::Check;
#[cfg(feature = "demo")]
pub(crate) use demo::Demo;
pub(crate) use explain::Explain;
pub(crate) use filter::{Filter, FilterHistory, FilterInspect, FilterList, FilterNamed, FilterTraps};
pub(crate) use get::{Get, GetEndpoints, GetOverload};
pub(crate) use reload::Reload;
pub(crate) use run::Run;
pub(crate) use tap::Tap;
pub(crate) use test::Test;

use clap::{Args, Parser, Subcommand, ValueEnum};
use dead_letter::DeadLetter;
use event::EventCommand;

/// Shown by `sluice --help`.
const EXIT_CODES: &str = "\
Exit codes:
  0  fine
  1  findings: a manifest, filter or request is refused, or the proxy ended with an error
  2  usage: the command line or the configuration file is wrong
  3  no running instance was reached";

/// An HTTP proxy whose policies are sandboxed WebAssembly filters.
#[derive(Debug, Parser)]
#[command(name = "sluice", version, after_help = EXIT_CODES, disable_help_subcommand = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Run(Box<Run>),
    #[cfg(feature = "demo")]
    Demo(Demo),
    Check(Check),
    Explain(Explain),
    Test(Test),
    /// Shows filters, how they fail, and brings their versions into force or takes them back
    #[command(subcommand)]
    Filter(Filter),
    /// Lists what a running instance has
    #[command(subcommand)]
    Get(Get),
    #[command(subcommand)]
    Event(EventCommand),
    #[command(subcommand)]
    DeadLetter(DeadLetter),
    Reload(Reload),
    Tap(Tap),
    ExplainCode(ExplainCode),
    Completion(Completion),
}

/// Explains the code of a finding
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  sluice explain-code SG0110")]
pub(crate) struct ExplainCode {
    /// Such as SG0110
    pub(crate) code: String,
}

/// Prints a completion script for a shell
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  sluice completion bash > /etc/bash_completion.d/sluice")]
pub(crate) struct Completion {
    /// Shell
    pub(crate) shell: clap_complete::Shell,
}

/// The names of an enumeration's values, kept as text.
fn names<T: ValueEnum>() -> clap::builder::PossibleValuesParser {
    T::value_variants().iter().filter_map(ValueEnum::to_possible_value).collect::<Vec<_>>().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    pub(super) fn parse(line: &str) -> Command {
        Arguments::try_parse_from(line.split(' ')).unwrap().command
    }

    #[test]
    fn the_command_line_is_sound() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn every_command_shows_an_example() {
        fn leaves(command: &clap::Command) -> Vec<&clap::Command> {
            let inner: Vec<_> = command.get_subcommands().flat_map(leaves).collect();
            if inner.is_empty() { vec![command] } else { inner }
        }
        for command in leaves(&Arguments::command()) {
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(help.contains("Example"), "{}", command.get_name());
        }
    }
}
