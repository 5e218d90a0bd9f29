//! Cores and CPU time, from the kernel.

use crate::command::find;
use anyhow::{Context, Result, bail};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// The fields behind the program's name in `/proc/PID/stat`. proc_pid_stat(5) numbers them from 1, and the first one
/// behind the name is field 3.
const FIRST_FIELD: usize = 3;
/// `ppid`: the parent.
const PARENT: usize = 4 - FIRST_FIELD;
/// `utime`; behind it come `stime` and, for children that have ended and were waited for, `cutime` and `cstime`.
const USER_TIME: usize = 14 - FIRST_FIELD;
/// How many there are of them.
const TIMES: usize = 4;

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

/// What a process and all that it has started, directly or not, have used so far in user and system mode: all threads,
/// also of those that have ended.
pub(crate) fn time_of(process: u32) -> Result<Duration> {
    let processes = processes()?;
    if !processes.contains_key(&process) {
        bail!("there is no process {process}");
    }
    let mut ticks = 0;
    let mut open = vec![process];
    while let Some(parent) = open.pop() {
        ticks += processes.get(&parent).map_or(0, |one| one.ticks);
        open.extend(processes.iter().filter(|(_, one)| one.parent == parent).map(|(id, _)| *id));
    }
    Ok(Duration::from_secs(ticks) / u32::try_from(rustix::param::clock_ticks_per_second())?)
}

/// Bytes of memory that a process has in use.
pub(crate) fn memory_of(process: u32) -> Result<u64> {
    let path = format!("/proc/{process}/statm");
    let statm = std::fs::read_to_string(&path).with_context(|| format!("{path} cannot be read"))?;
    // proc_pid_statm(5): the second field is the resident pages.
    let pages: u64 = statm.split_whitespace().nth(1).context("there are no pages")?.parse()?;
    Ok(pages * u64::try_from(rustix::param::page_size())?)
}

/// What the kernel says of a process.
#[derive(Debug, PartialEq, Eq)]
struct Process {
    parent: u32,
    ticks: u64,
}

/// All that run right now.
fn processes() -> Result<BTreeMap<u32, Process>> {
    let mut processes = BTreeMap::new();
    for entry in std::fs::read_dir("/proc").context("/proc cannot be read")? {
        let Some(id) = entry?.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        // One that has ended since the list was made is not there any more.
        let Ok(stat) = std::fs::read_to_string(format!("/proc/{id}/stat")) else { continue };
        let process = Process::read(&stat).with_context(|| format!("/proc/{id}/stat is not as expected: {stat}"))?;
        processes.insert(id, process);
    }
    Ok(processes)
}

impl Process {
    fn read(stat: &str) -> Option<Self> {
        // The name is in parentheses and may hold anything, parentheses too.
        let (_, fields) = stat.rsplit_once(')')?;
        let fields: Vec<&str> = fields.split_whitespace().collect();
        let times = fields.get(USER_TIME..USER_TIME + TIMES)?.iter().map(|time| time.parse::<u64>());
        Some(Self { parent: fields.get(PARENT)?.parse().ok()?, ticks: times.sum::<Result<u64, _>>().ok()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    #[test]
    fn user_and_system_time_are_added_whatever_the_program_is_called() {
        let stat = "42 (a ) b) S 7 42 42 0 -1 4194304 100 0 0 0 17 25 3 1 20 0 3 0 12345 1000000 200";
        assert_eq!(Process::read(stat), Some(Process { parent: 7, ticks: 17 + 25 + 3 + 1 }));
        assert_eq!(Process::read("42 (short) S 1"), None);
    }

    #[test]
    fn what_a_child_uses_counts_for_its_parent() {
        let before = time_of(std::process::id()).unwrap();
        let script = "i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done; read line";
        let mut shell = Command::new("sh");
        let mut child = shell.args(["-c", script]).stdin(std::process::Stdio::piped()).spawn().unwrap();
        let start = Instant::now();
        let mut spent = Duration::ZERO;
        while spent < Duration::from_millis(50) && start.elapsed() < Duration::from_secs(20) {
            crate::wait::pause();
            spent = time_of(std::process::id()).unwrap().saturating_sub(before);
        }
        drop(child.stdin.take());
        child.wait().unwrap();
        assert!(spent >= Duration::from_millis(50), "{spent:?}");
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
