//! Suites that are written in Python.

use crate::artifact;
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// A program of `tests/suites`.
fn program(name: &str) -> Command {
    // A script that knows where the packages are.
    let mut command = Command::new(artifact::peer("suites", "python", "SUITES_PYTHON"));
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("suites").join(name)).stdin(Stdio::null());
    command.env("PYTHONDONTWRITEBYTECODE", "1");
    command
}

/// A service; dropping it ends it.
#[derive(Debug)]
pub(super) struct Service {
    child: Child,
    /// Where it listens.
    pub(super) address: SocketAddr,
}

impl Service {
    /// Starts it and waits until it listens, which it says by printing its port.
    pub(super) fn start(name: &str) -> Result<Self, String> {
        let child = program(name).stdout(Stdio::piped()).spawn().map_err(|error| format!("{name}: {error}"))?;
        // From here on a failure drops, and so ends, the child.
        let mut service = Self { child, address: SocketAddr::from(([127, 0, 0, 1], 0)) };
        let mut line = String::new();
        if let Some(output) = service.child.stdout.take() {
            BufReader::new(output).read_line(&mut line).map_err(|error| format!("{name}: {error}"))?;
        }
        let port = line.trim().parse().map_err(|_| format!("{name} does not say where it listens, but {line:?}"))?;
        service.address.set_port(port);
        Ok(service)
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // Both fail only when it is gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs the cases of a suite against what listens there: an object for each. A suite that crashes, as its compiled parts may
/// once in a long while, has said nothing of what listens there, and is run once more.
pub(super) fn cases(name: &str, address: SocketAddr) -> Result<Vec<Value>, String> {
    let run = || program(name).arg(address.port().to_string()).output().map_err(|error| format!("{name}: {error}"));
    let mut output = run()?;
    if let Some(signal) = output.status.signal() {
        eprintln!("{name} crashed (signal {signal}) and is run once more");
        output = run()?;
    }
    if !output.status.success() {
        return Err(format!("{name} ended with {}:\n{}", output.status, String::from_utf8_lossy(&output.stderr)));
    }
    let lines = String::from_utf8_lossy(&output.stdout).into_owned();
    let parse = |line: &str| serde_json::from_str(line).map_err(|error| format!("{name} printed {line:?}: {error}"));
    lines.lines().map(parse).collect()
}

/// A text of such an object.
pub(super) fn text<'a>(case: &'a Value, name: &str) -> &'a str {
    case[name].as_str().unwrap_or_default()
}
