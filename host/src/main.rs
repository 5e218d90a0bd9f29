//! The command `sluice`.

mod args;
mod command;

use args::{Arguments, Command};
use clap::Parser;
use std::process::ExitCode;

/// Workers allocate and free small things all the time, which is what this allocator is made for.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let outcome = match Arguments::parse().command {
        Command::Run(run) => command::run::run(*run),
        #[cfg(feature = "demo")]
        Command::Demo(demo) => command::demo::run(&demo),
        Command::Check(check) => command::check::check(check),
        Command::Explain(explain) => command::explain::explain(explain),
        Command::Event(event) => command::event::event(&event),
        Command::DeadLetter(letter) => command::dead_letter::dead_letter(&letter),
        Command::Tap(tap) => command::tap::tap(&tap),
        Command::Test(test) => command::test::test(&test),
        Command::Filter(filter) => command::filter::filter(filter),
        Command::Reload(reload) => command::reload::reload(&reload),
        Command::Get(get) => command::get::get(get),
        Command::ExplainCode(code) => command::code::explain(&code.code),
        Command::Completion(completion) => command::completion::print(completion.shell),
    };
    command::exit::code(outcome)
}
