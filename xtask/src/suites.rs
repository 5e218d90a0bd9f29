//! The suites that others have made for the protocols, below `target/peers`; nothing is installed system-wide.

use crate::brokers::script;
use crate::command::{cargo, find, run, step};
use crate::workspace::Workspace;
use anyhow::{Context, Result};
use std::fs;
use std::path::Path;
use std::process::Command;

/// A suite, or several that come together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Suite {
    /// `httpwg`, a program.
    Http2,
    /// `kosoku` and gRPC, packages of Python.
    Python,
}

/// The cases are a part of the version, and so is the list of those that differ.
const HTTPWG: [&str; 4] = ["httpwg-cli", "--version", "0.2.5", "--locked"];
const PYTHON: [&str; 4] = ["kosoku==0.1.0", "websockets==17.4", "grpcio==1.85.3", "protobuf==7.36.2"];

/// Makes all of them available to tests.
pub(crate) fn ensure(workspace: &Workspace) -> Result<()> {
    [Suite::Http2, Suite::Python].into_iter().try_for_each(|suite| suite.ensure(workspace))
}

impl Suite {
    /// Fetches it unless it is there already.
    pub(crate) fn ensure(self, workspace: &Workspace) -> Result<()> {
        let peers = workspace.target.join("peers");
        match self {
            Self::Http2 => httpwg(&peers.join("httpwg")),
            Self::Python => python(&peers.join("suites")),
        }
    }
}

/// Compiled quickly rather than well: it mostly waits.
fn httpwg(directory: &Path) -> Result<()> {
    if directory.join("bin/httpwg").exists() {
        return Ok(());
    }
    step("fetching and compiling httpwg");
    let mut install = cargo();
    install.args(["install", "--quiet", "--debug"]).args(HTTPWG).arg("--root").arg(directory);
    // Lines of its sources are of no use here, and cost a third of the time.
    install.env("CARGO_PROFILE_DEV_DEBUG", "false").env("CARGO_INCREMENTAL", "0");
    install.arg("--target-dir").arg(directory.join("target"));
    run(&mut install).context("the HTTP/2 suite httpwg is not to be had; HTTPWG names another place of the program")?;
    let built = directory.join("target");
    fs::remove_dir_all(&built).with_context(|| format!("{} cannot be removed", built.display()))
}

/// The packages, and a script that runs Python with them. It is written last, so that it says that all of them are there.
fn python(directory: &Path) -> Result<()> {
    let link = directory.join("python");
    if link.exists() {
        return Ok(());
    }
    step("fetching the suites in Python");
    let python = ["python3", "python"].into_iter().find_map(find).context(
        "the suites of WebSocket and gRPC are in Python, which is not installed; SUITES_PYTHON names an interpreter that has \
         their packages",
    )?;
    let packages = directory.join("packages");
    let mut install = Command::new(&python);
    install.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-warn-script-location"]);
    install.args(["--root-user-action", "ignore", "--only-binary", ":all:", "--upgrade", "--target"]).arg(&packages);
    run(install.args(PYTHON))
        .context("pip cannot fetch the suites of WebSocket and gRPC; Python 3.10 is the oldest that they take")?;
    let path = packages.display();
    script(&link, &format!("PYTHONPATH='{path}'\nexport PYTHONPATH\nexec '{}' \"$@\"", python.display()))
}
