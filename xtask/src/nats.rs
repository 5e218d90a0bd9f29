//! The NATS server that tests of events start: `target/peers/nats/nats-server`; nothing is installed system-wide.

use crate::bench::peers::{Peer, Peers};
use crate::command::{find, output, step};
use crate::workspace::Workspace;
use anyhow::{Context, Result};
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Its name, on the system and here.
const PROGRAM: &str = "nats-server";

/// Makes the server available to tests: the system's, or else the one that is measured against.
pub(crate) fn ensure(workspace: &Workspace) -> Result<()> {
    let link = workspace.target.join("peers/nats").join(PROGRAM);
    if link.exists() {
        return Ok(());
    }
    let program = find(PROGRAM).map_or_else(|| fetch(workspace), Ok)?;
    place(&program, &link)?;
    step(output(Command::new(&link).arg("--version"))?.trim());
    Ok(())
}

fn fetch(workspace: &Workspace) -> Result<PathBuf> {
    let peers = Peers::install(workspace, &BTreeSet::from([Peer::Nats]))
        .context("the NATS server of the tests is not to be had; `nats-server` of this system would do")?;
    Ok(peers.get(Peer::Nats)?.program.clone())
}

/// Puts a link to a program where tests look, in place of one that leads nowhere.
fn place(program: &Path, link: &Path) -> Result<()> {
    if let Some(directory) = link.parent() {
        fs::create_dir_all(directory).with_context(|| format!("{} cannot be made", directory.display()))?;
    }
    if link.is_symlink() {
        fs::remove_file(link).with_context(|| format!("{} cannot be replaced", link.display()))?;
    }
    symlink(program, link).with_context(|| format!("{} cannot be made", link.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_that_leads_nowhere_is_replaced() {
        let directory = tempfile::tempdir().unwrap();
        let (link, program) = (directory.path().join("nats/link"), directory.path().join("program"));
        fs::write(&program, b"here").unwrap();
        place(&directory.path().join("gone"), &link).unwrap();
        assert!(!link.exists());
        place(&program, &link).unwrap();
        assert_eq!(fs::read(&link).unwrap(), b"here");
    }
}
