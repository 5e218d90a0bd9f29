//! `cargo xtask demo`: builds what `sluice demo` needs, and becomes it.

use crate::build::{self, Components, Profile};
use crate::command::become_program;
use crate::workspace::Workspace;
use anyhow::Result;
use std::ffi::OsString;
use std::process::Command;

const EXAMPLES: &str = "\
Examples:
  cargo xtask demo
  cargo xtask demo --listen 127.0.0.1:8081      when port 8080 is taken
  cargo xtask demo --release                    the optimised proxy; compiling it takes minutes
  cargo xtask demo -- --help                    what the demo takes";

/// How to run the demo.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// Builds and runs the optimised proxy; comes before the demo's own flags.
    #[arg(long)]
    release: bool,
    /// What `sluice demo` takes.
    #[arg(value_name = "FLAGS", trailing_var_arg = true, allow_hyphen_values = true)]
    flags: Vec<OsString>,
}

/// Runs the command, until Ctrl-C.
pub(crate) fn run(workspace: &Workspace, arguments: &Arguments) -> Result<()> {
    let profile = if arguments.release { Profile::Release } else { Profile::Development };
    build::components(workspace, profile, Components::Stock)?;
    build::programs(profile, &["sluicegate"])?;
    become_program(Command::new(workspace.program(profile, "sluice")).arg("demo").args(&arguments.flags))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::{Args, Command as CommandLine, FromArgMatches};

    #[test]
    fn the_flags_of_the_demo_are_passed_on() {
        let parse = |line: &str| {
            let matches = Arguments::augment_args(CommandLine::new("demo")).get_matches_from(line.split(' '));
            Arguments::from_arg_matches(&matches).unwrap()
        };
        let arguments = parse("demo --listen 127.0.0.1:8081 --keep");
        assert_eq!(
            (arguments.release, arguments.flags),
            (false, vec!["--listen".into(), "127.0.0.1:8081".into(), "--keep".into()])
        );
        let arguments = parse("demo --release --keep");
        assert_eq!((arguments.release, arguments.flags), (true, vec!["--keep".into()]));
        assert_eq!(parse("demo -- --help").flags, ["--help"]);
    }
}
