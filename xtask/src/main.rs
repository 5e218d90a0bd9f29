//! `cargo xtask`: everything the repository does beside compiling, each as one command.
//!
//! Every command first sets up what it needs (a compiler target, the components, a peer to compare with), says each
//! step as it takes it, and ends whatever it started. Nothing here is part of the product.

mod attack;
mod bench;
mod brokers;
mod build;
mod child;
mod command;
mod conformance;
mod demo;
#[cfg(test)]
mod documents;
mod example;
mod failures;
mod fuzz;
mod lint;
mod port;
mod reloads;
mod suites;
mod test;
mod wait;
mod workspace;

use clap::{Parser, Subcommand};
use std::process::ExitCode;
use workspace::Workspace;

/// Builds, tests, shows and measures Sluicegate.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", disable_help_subcommand = true)]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Builds the filters, the proxy and the example services.
    Build(build::Arguments),
    /// Builds, then runs every test: unit tests, black-box tests, documentation tests.
    Test(test::Arguments),
    /// Holds the proxy to what the specifications of others say.
    Conformance(conformance::Arguments),
    /// Checks formatting, lints and, where cargo-deny is installed, licences and advisories.
    Lint(lint::Arguments),
    /// Runs the shop: three services behind the proxy, and a list of requests to try.
    Demo(demo::Arguments),
    /// Runs one of the examples, with everything that it needs.
    Example(example::Arguments),
    /// Compares what a request costs here with Envoy, bare hyper, services written by hand and others.
    Bench(bench::Arguments),
    /// Feeds what reads foreign bytes with anything at all, guided by what that reaches.
    Fuzz(fuzz::Arguments),
    /// Attacks the proxy with slow clients, idle ones and floods, and shows what comes of it.
    Attack(attack::Arguments),
    /// Reloads filters under load, and shows how long that takes and what others notice of it.
    Reloads(reloads::Arguments),
    /// Has filters fail in twelve ways, here and in Envoy, and shows what comes of it.
    Failures(failures::Arguments),
}

fn main() -> ExitCode {
    if let Some(code) = fuzz::instrument::compile() {
        return code;
    }
    let arguments = Arguments::parse();
    match run(arguments.task) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(task: Task) -> anyhow::Result<()> {
    let workspace = Workspace::load()?;
    match task {
        Task::Build(arguments) => build::run(&workspace, &arguments),
        Task::Test(arguments) => test::run(&workspace, &arguments),
        Task::Conformance(arguments) => conformance::run(&workspace, &arguments),
        Task::Lint(arguments) => lint::run(&workspace, &arguments),
        Task::Demo(arguments) => demo::run(&workspace, &arguments),
        Task::Example(arguments) => example::run(&workspace, &arguments),
        Task::Bench(arguments) => bench::run(&workspace, &arguments),
        Task::Fuzz(arguments) => fuzz::run(&workspace, &arguments),
        Task::Attack(arguments) => attack::run(&workspace, &arguments),
        Task::Reloads(arguments) => reloads::run(&workspace, &arguments),
        Task::Failures(arguments) => failures::run(&workspace, &arguments),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn every_command_shows_examples_in_its_help() {
        for task in Arguments::command().get_subcommands() {
            let help = task.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(help.contains("Examples:"), "`cargo xtask {}` has no examples", task.get_name());
        }
    }
}
