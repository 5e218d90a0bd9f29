//! Cores and CPU time, from the kernel.

use crate::command::find;
use anyhow::{Context, Result, bail};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// Position of `utime` behind the program's name in `/proc/PID/stat`, whose fields proc_pid_stat(5) numbers from 1: it
/// is field 14, and the first one behind the name is field 3. `stime` follows it.
const USER_TIME: usize = 14 - 3;

/// A program that is to run on one core alone.
pub(crate) fn pinned(core: usize, program: &Path) -> Command {
    let mut command = Command::new("taskset");
    command.arg("--cpu-list").arg(core.to_string()).arg(program);
    command
}

/// Fails when one of the cores is not there, or programs cannot be pinned.
pub(crate) fn check_cores(cores: &[usize]) -> Result<()> {
    let there = std::thread::available_parallelism().context("the number of cores is unknown")?.get();
    if cores.iter().any(|core| *core >= there) {
        bail!("the comparison needs {} cores, one for the proxies and one for the load; here are {there}", cores.len());
    }
    if find("taskset").is_none() {
        bail!("`taskset` is not installed; it pins programs to a core and comes with util-linux");
    }
    Ok(())
}

/// What a process has used so far in user and system mode, all its threads together, also those that have ended.
pub(crate) fn time_of(process: u32) -> Result<Duration> {
    let path = format!("/proc/{process}/stat");
    let stat = std::fs::read_to_string(&path).with_context(|| format!("{path} cannot be read"))?;
    let ticks = ticks(&stat).with_context(|| format!("{path} is not as expected: {stat}"))?;
    Ok(Duration::from_secs(ticks) / u32::try_from(rustix::param::clock_ticks_per_second())?)
}

fn ticks(stat: &str) -> Option<u64> {
    // The name is in parentheses and may hold anything, parentheses too.
    let (_, fields) = stat.rsplit_once(')')?;
    let mut times = fields.split_whitespace().skip(USER_TIME);
    Some(times.next()?.parse::<u64>().ok()? + times.next()?.parse::<u64>().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    #[test]
    fn user_and_system_time_are_added_whatever_the_program_is_called() {
        let stat = "42 (a ) b) S 1 42 42 0 -1 4194304 100 0 0 0 17 25 0 0 20 0 3 0 12345 1000000 200";
        assert_eq!(ticks(stat), Some(42));
        assert_eq!(ticks("42 (short) S 1"), None);
    }

    #[test]
    fn a_busy_process_is_seen_to_be_busy() {
        let before = time_of(std::process::id()).unwrap();
        let start = Instant::now();
        let mut spent = Duration::ZERO;
        while spent < Duration::from_millis(50) && start.elapsed() < Duration::from_secs(20) {
            std::hint::black_box((0..100_000u64).sum::<u64>());
            spent = time_of(std::process::id()).unwrap().checked_sub(before).unwrap();
        }
        assert!(spent >= Duration::from_millis(50), "{spent:?}");
    }
}
