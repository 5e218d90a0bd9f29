//! The load generator, and what it says.

use super::peers::Wrk;
use super::processor::pinned;
use super::verify::REQUEST_HEADERS;
use crate::wait::{self, Interrupt};
use anyhow::{Context, Result, bail};
use std::net::SocketAddr;
use std::process::{Child, Stdio};
use std::time::Duration;

/// Kept-alive connections, each with one request at a time.
const CONNECTIONS: u32 = 64;
/// What the generator may take beyond its time to start, to end and to report.
const SLACK: Duration = Duration::from_secs(15);

/// Runs wrk.
pub(crate) struct Load<'a> {
    /// The program.
    pub(crate) wrk: &'a Wrk,
    /// Where it runs.
    pub(crate) core: usize,
}

impl Load<'_> {
    /// Sends requests for this long and returns how many were answered. Any that was answered wrongly is an error.
    pub(crate) fn run(&self, address: SocketAddr, duration: Duration, interrupt: &Interrupt) -> Result<u64> {
        let mut command = pinned(self.core, &self.wrk.program);
        command.envs(self.wrk.libraries.as_ref().map(|path| ("LD_LIBRARY_PATH", path)));
        command.args(["--threads", "1", "--connections", &CONNECTIONS.to_string()]);
        command.args(["--duration", &format!("{}s", duration.as_secs())]);
        for header in REQUEST_HEADERS {
            command.args(["--header", header]);
        }
        command.arg(format!("http://{address}/")).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().context("wrk could not be started")?;
        let ended = wait::until(duration + SLACK, || interrupt.came() || !matches!(child.try_wait(), Ok(None)));
        if interrupt.came() || !ended {
            end(&mut child);
            bail!(if ended { "interrupted" } else { "wrk did not end in time" });
        }
        // It says less than a pipe holds, so it could end before anybody read.
        let output = child.wait_with_output().context("wrk said nothing")?;
        let said = String::from_utf8_lossy(&output.stdout);
        answered(&said).with_context(|| format!("{said}{}", String::from_utf8_lossy(&output.stderr)))
    }
}

fn end(child: &mut Child) {
    // Both fail only when it is gone already.
    let _ = child.kill();
    let _ = child.wait();
}

/// The number of requests in a report of wrk, unless it speaks of errors.
fn answered(report: &str) -> Result<u64> {
    if let Some(line) = report.lines().find(|line| line.contains("Socket errors") || line.contains("Non-2xx")) {
        bail!("not every request was answered: {}", line.trim());
    }
    let line = report.lines().find(|line| line.contains(" requests in ")).context("wrk reports no requests")?;
    let number = line.split_whitespace().next().unwrap_or_default();
    let answered = number.parse().with_context(|| format!("{number} is not a number of requests"))?;
    if answered == 0 {
        bail!("no request was answered");
    }
    Ok(answered)
}

#[cfg(test)]
mod tests {
    use super::*;

    const REPORT: &str = "Running 2s test @ http://127.0.0.1:8080/
  1 threads and 64 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     2.00ms    1.00ms  20.00ms   90.00%
  60412 requests in 2.01s, 66.06MB read
Requests/sec:  30056.22
";

    #[test]
    fn the_number_of_requests_is_read() {
        assert_eq!(answered(REPORT).unwrap(), 60412);
    }

    #[test]
    fn a_report_of_errors_is_no_measurement() {
        for line in ["  Non-2xx or 3xx responses: 3", "  Socket errors: connect 0, read 1, write 0, timeout 0"] {
            let error = answered(&format!("{REPORT}{line}\n")).unwrap_err();
            assert!(error.to_string().contains(line.trim()), "{error}");
        }
        assert!(answered("  0 requests in 2.00s, 0B read").is_err());
        assert!(answered("unable to connect").is_err());
    }
}
