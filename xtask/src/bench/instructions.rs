//! `cargo xtask bench instructions`: what the processor does in the pure parts of the data path.
//!
//! Valgrind counts instructions, which do not vary with the machine's speed or load. Each case is run with two counts, and
//! the difference is what that many more of it take: whatever the start and the preparation cost is in both.

use super::Shown;
use crate::command::{cargo, find, output, step};
use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Enough to fill what is filled once, such as the buffers of an allocator.
const FEW: u32 = 100;
/// So many that what varies by chance, such as the seeds of hash tables, is small against them.
const MORE: u32 = 1000;

/// Instructions of each case.
pub(super) struct Counts(Vec<(String, u64)>);

/// Builds the cases and counts every one.
pub(super) fn run() -> Result<Counts> {
    if find("valgrind").is_none() {
        bail!("instructions are counted by valgrind, which is not installed; `apt-get install valgrind`");
    }
    let program = build()?;
    let cases = output(&mut Command::new(&program))?;
    let counted = cases.lines().map(|case| {
        step(case);
        let (few, more) = (count(&program, case, FEW)?, count(&program, case, FEW + MORE)?);
        Ok((case.to_owned(), more.saturating_sub(few) / u64::from(MORE)))
    });
    Ok(Counts(counted.collect::<Result<_>>()?))
}

/// Compiles them as the proxy is compiled, and returns where cargo has put the program.
fn build() -> Result<PathBuf> {
    step("building the cases");
    let mut build = cargo();
    build.args(["build", "--release", "--package", "sluicegate-tests", "--bench", "instructions"]);
    let messages = output(build.args(["--message-format", "json"]))?;
    executable(&messages).context("cargo does not say where the program is")
}

fn executable(messages: &str) -> Option<PathBuf> {
    let messages = messages.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let built = messages.filter(|message| message["target"]["name"] == "instructions");
    built.filter_map(|message| Some(PathBuf::from(message["executable"].as_str()?))).next_back()
}

fn count(program: &Path, case: &str, times: u32) -> Result<u64> {
    let mut command = Command::new("valgrind");
    command.args(["--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null"]);
    command.arg(program).arg(case).arg(times.to_string());
    let ended = command.output().context("valgrind could not be started")?;
    let said = String::from_utf8_lossy(&ended.stderr);
    if !ended.status.success() {
        bail!("{case} failed ({}):\n{said}", ended.status);
    }
    instructions(&said).with_context(|| format!("valgrind does not say how many instructions:\n{said}"))
}

/// `==42== I   refs:      1,234,567`, where `refs` is aligned with other lines.
fn instructions(said: &str) -> Option<u64> {
    let (_, number) = said.lines().filter(|line| line.contains(" I ")).find_map(|line| line.split_once("refs:"))?;
    number.trim().replace(',', "").parse().ok()
}

impl Shown for Counts {
    fn json(&self) -> Value {
        let cases: Vec<Value> =
            self.0.iter().map(|(case, count)| json!({"case": case, "instructions": count})).collect();
        json!({"scenario": "instructions", "unit": "instructions each", "cases": cases})
    }
}

impl std::fmt::Display for Counts {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(out, "\ninstructions: each of these, once\n")?;
        for (case, count) in &self.0 {
            writeln!(out, "{case:<40} {count:>10}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_instructions_is_read() {
        let said = "==7== Cachegrind, a cache and branch-prediction profiler\n==7== \n==7== I   refs:      1,234,567\n";
        assert_eq!(instructions(said), Some(1_234_567));
        assert_eq!(instructions("valgrind: failed to start tool"), None);
    }

    #[test]
    fn the_program_is_found_among_what_cargo_says() {
        let messages = "{\"reason\":\"compiler-artifact\",\"target\":{\"name\":\"sluicegate\"},\"executable\":null}\n\
                        {\"target\":{\"name\":\"instructions\"},\"executable\":\"/t/instructions-0\"}\n{\"reason\":\"x\"}";
        assert_eq!(executable(messages), Some(PathBuf::from("/t/instructions-0")));
        assert_eq!(executable("{}"), None);
    }
}
