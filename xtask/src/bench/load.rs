//! The load generator, and what it says.

use super::peers::Installed;
use crate::wait::{self, Interrupt};
use anyhow::{Context, Result, bail};
use std::fmt::Write;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// What the generator may take beyond its time to start, to end and to report.
const SLACK: Duration = Duration::from_secs(15);

/// The request that all subjects of a scenario are sent, again and again.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    /// With it, the body.
    pub(crate) method: &'static str,
    /// The path.
    pub(crate) path: &'static str,
    /// As written on the wire, such as `Host: shop`.
    pub(crate) headers: Vec<&'static str>,
    /// Empty with a GET.
    pub(crate) body: String,
    /// A header that has another value in every request, as the id of an event has.
    pub(crate) unique: Option<&'static str>,
    /// Kept-alive connections, each with one request at a time.
    pub(crate) connections: u32,
}

/// Runs wrk.
pub(crate) struct Load<'a> {
    /// The program.
    pub(crate) wrk: &'a Installed,
    /// Where it runs.
    pub(crate) core: usize,
    /// For its script.
    pub(crate) directory: &'a Path,
    /// What it sends.
    pub(crate) request: Request,
}

/// What was answered under load.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Answered {
    /// Requests.
    pub(crate) requests: u64,
    /// Requests in a second.
    pub(crate) rate: f64,
}

impl Load<'_> {
    /// Sends requests for this long and returns how many were answered. Any that was answered wrongly is an error.
    pub(crate) fn run(&self, address: SocketAddr, duration: Duration, interrupt: &Interrupt) -> Result<Answered> {
        let mut command = self.command(address, duration)?;
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
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

    fn command(&self, address: SocketAddr, duration: Duration) -> Result<Command> {
        let mut command = self.wrk.pinned(self.core);
        command.args(["--threads", "1", "--connections", &self.request.connections.to_string()]);
        command.args(["--duration", &format!("{}s", duration.as_secs())]);
        for header in &self.request.headers {
            command.args(["--header", header]);
        }
        if let Some(script) = self.request.script() {
            let file = self.directory.join("wrk.lua");
            fs::write(&file, script).with_context(|| format!("{} cannot be written", file.display()))?;
            command.arg("--script").arg(file);
        }
        command.arg(format!("http://{address}{}", self.request.path));
        Ok(command)
    }
}

impl Request {
    /// What wrk cannot be told on its command line, in Lua.
    fn script(&self) -> Option<String> {
        if self.method == "GET" && self.unique.is_none() {
            return None;
        }
        let mut script = format!("wrk.method = \"{}\"\nwrk.body = [==[{}]==]\n", self.method, self.body);
        if let Some(header) = self.unique {
            // The time tells the runs apart: each takes a second at least.
            let _ = write!(
                script,
                "local run, number = os.time(), 0\nfunction request()\n  number = number + 1\n  \
                 wrk.headers[\"{header}\"] = run .. \"-\" .. number\n  return wrk.format()\nend\n"
            );
        }
        Some(script)
    }
}

fn end(child: &mut Child) {
    // Both fail only when it is gone already.
    let _ = child.kill();
    let _ = child.wait();
}

/// The figures in a report of wrk, unless it speaks of errors.
fn answered(report: &str) -> Result<Answered> {
    if let Some(line) = report.lines().find(|line| line.contains("Socket errors") || line.contains("Non-2xx")) {
        bail!("not every request was answered: {}", line.trim());
    }
    let line = report.lines().find(|line| line.contains(" requests in ")).context("wrk reports no requests")?;
    let number = line.split_whitespace().next().unwrap_or_default();
    let requests = number.parse().with_context(|| format!("{number} is not a number of requests"))?;
    if requests == 0 {
        bail!("no request was answered");
    }
    let rate = report.lines().find_map(|line| line.strip_prefix("Requests/sec:")).context("wrk reports no rate")?;
    let rate = rate.trim().parse().with_context(|| format!("{} is not a rate", rate.trim()))?;
    Ok(Answered { requests, rate })
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
    fn the_number_of_requests_and_their_rate_are_read() {
        assert_eq!(answered(REPORT).unwrap(), Answered { requests: 60412, rate: 30056.22 });
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

    #[test]
    fn only_what_the_command_line_cannot_say_is_scripted() {
        let get =
            Request { method: "GET", path: "/", headers: vec![], body: String::new(), unique: None, connections: 1 };
        assert_eq!(get.script(), None);
        let post = Request { method: "POST", body: "{}".into(), unique: Some("ce-id"), ..get }.script().unwrap();
        assert!(post.contains("wrk.method = \"POST\"") && post.contains("[==[{}]==]"), "{post}");
        assert!(post.contains("wrk.headers[\"ce-id\"] = run"), "{post}");
    }
}
