//! Instruments what is fuzzed: this program stands before the compiler for the workspace's own crates.
//!
//! What cargo-fuzz asks a nightly compiler for is an option of LLVM in the stable one: counters of edges, comparisons,
//! and the table that says where they are. Dependencies are left as they are, which keeps them fast and compiled once;
//! their generic functions are instrumented where the workspace's crates use them.

use anyhow::{Context, Result};
use std::process::{Command, ExitCode};

/// Set for cargo, and by that for this program when cargo calls it in place of the compiler.
const MARK: &str = "SLUICEGATE_INSTRUMENT";

/// What the compiler is told beside what cargo tells it. Development builds are not optimised; what is run millions of
/// times is.
const FLAGS: [&str; 8] = [
    "-Copt-level=2",
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    "--cfg",
    "fuzzing",
];

/// Has a build instrumented.
pub(crate) fn apply(build: &mut Command) -> Result<()> {
    let own = std::env::current_exe().context("this program's own file is not known")?;
    build.env("RUSTC_WORKSPACE_WRAPPER", own).env(MARK, "1");
    Ok(())
}

/// Does the compiler's work when cargo calls this program in its place; none when it was called by its own name.
pub(crate) fn compile() -> Option<ExitCode> {
    std::env::var_os(MARK)?;
    let mut arguments = std::env::args_os().skip(1);
    let mut compiler = Command::new(arguments.next()?);
    compiler.args(arguments).env_remove(MARK);
    if is_instrumented(compiler.get_args().map(|argument| argument.to_string_lossy())) {
        compiler.args(FLAGS);
    }
    let status = compiler.status().map_err(|error| eprintln!("error: the compiler cannot be started: {error}"));
    let code = status.ok().and_then(|status| status.code()).and_then(|code| u8::try_from(code).ok());
    Some(code.map_or(ExitCode::FAILURE, ExitCode::from))
}

/// Whether a crate is one: not what runs while others are compiled, and not what cargo only asks about.
fn is_instrumented<T: AsRef<str>>(arguments: impl Iterator<Item = T>) -> bool {
    let (mut named, mut builds) = (false, false);
    for argument in arguments {
        named |= argument.as_ref() == "--crate-name";
        builds |= matches!(argument.as_ref(), "build_script_build" | "proc-macro");
    }
    named && !builds
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_part_of_the_program_is_instrumented() {
        let instrumented = |line: &str| is_instrumented(line.split(' '));
        assert!(instrumented("--crate-name sluicegate --edition=2024 host/src/lib.rs --crate-type lib"));
        assert!(!instrumented("--crate-name build_script_build build.rs --crate-type bin"));
        assert!(!instrumented("--crate-name derive src/lib.rs --crate-type proc-macro"));
        assert!(!instrumented("-vV"));
    }
}
