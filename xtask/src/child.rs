//! A program that runs beside this one and never outlives it.

use crate::wait;
use anyhow::{Context, Result};
use rustix::process::{Pid, Signal, kill_process};
use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// How long a child may take to end by itself: the proxy drains within it when its clients are gone.
const GRACE: Duration = Duration::from_secs(10);

/// A running program. Dropping it ends it.
#[derive(Debug)]
pub(crate) struct RunningChild {
    name: String,
    child: Child,
    log: PathBuf,
}

impl RunningChild {
    /// Starts a program; what it prints goes to `log`.
    ///
    /// It gets its own process group: Ctrl-C reaches this program alone, which then ends its children in order.
    pub(crate) fn start(name: &str, command: &mut Command, log: &Path) -> Result<Self> {
        let file = File::create(log).with_context(|| format!("{} cannot be written", log.display()))?;
        command.process_group(0).stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file);
        let child = command.spawn().with_context(|| format!("{name} could not be started"))?;
        Ok(Self { name: name.to_owned(), child, log: log.to_owned() })
    }

    /// The process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Why it is not running any more, if so.
    pub(crate) fn ended(&mut self) -> Option<String> {
        let status = self.child.try_wait().ok()??;
        let said = std::fs::read_to_string(&self.log).unwrap_or_default();
        Some(format!("{} ended by itself ({status})\n{}", self.name, said.trim_end()))
    }

    /// Waits until the condition holds; an error if the program ends before, or the time is over.
    pub(crate) fn ready(&mut self, limit: Duration, mut condition: impl FnMut() -> bool) -> Result<()> {
        let mut failure = None;
        let met = wait::until(limit, || {
            failure = self.ended();
            failure.is_some() || condition()
        });
        match failure {
            Some(failure) => anyhow::bail!(failure),
            None if !met => anyhow::bail!("{} was not ready within {} s", self.name, limit.as_secs()),
            None => Ok(()),
        }
    }

    /// Asks the program to end, and makes it when it does not.
    fn stop(&mut self) {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        let asked = pid.is_some_and(|pid| kill_process(pid, Signal::TERM).is_ok());
        if asked && wait::until(GRACE, || !matches!(self.child.try_wait(), Ok(None))) {
            return;
        }
        // Both fail only when it is gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for RunningChild {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            self.stop();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_running(id: u32) -> bool {
        Path::new(&format!("/proc/{id}")).exists()
    }

    #[test]
    fn a_dropped_child_is_gone() {
        let directory = tempfile::tempdir().unwrap();
        let log = directory.path().join("log");
        let child = RunningChild::start("sleep", Command::new("sleep").arg("60"), &log).unwrap();
        let id = child.id();
        assert!(is_running(id));
        drop(child);
        assert!(!is_running(id));
    }

    #[test]
    fn a_child_that_ends_early_says_what_it_said() {
        let directory = tempfile::tempdir().unwrap();
        let log = directory.path().join("log");
        let mut command = Command::new("sh");
        command.args(["-c", "echo port taken >&2; exit 2"]);
        let mut child = RunningChild::start("proxy", &mut command, &log).unwrap();
        let error = child.ready(Duration::from_secs(5), || false).unwrap_err().to_string();
        assert!(error.contains("proxy ended") && error.contains("port taken"), "{error}");
    }
}
