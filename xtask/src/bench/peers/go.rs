//! The composing service in Go.

use super::{Installed, wheel};
use crate::command::{run, step};
use crate::workspace::Workspace;
use anyhow::{Context, Result};
use std::fs;
use std::path::Path;
use std::process::Command;

/// Compiles it with the compiler that is fetched for it. Its caches are there too, and the network is not asked.
pub(super) fn build(workspace: &Workspace, directory: &Path) -> Result<Installed> {
    let home = directory.join("go");
    let compiler = wheel::GO.install(&home)?;
    let root = home.join("go");
    for program in tools(&root)? {
        wheel::executable(&program)?;
    }
    step("building compose-go");
    let program = directory.join("compose-go");
    let mut build = Command::new(&compiler.program);
    build.args(["build", "-trimpath", "-o"]).arg(&program).arg(".");
    build.current_dir(super::source(workspace, "compose-go"));
    build.env("GOROOT", &root).env("GOCACHE", home.join("cache")).env("GOPATH", home.join("path"));
    run(build.envs([
        ("CGO_ENABLED", "0"),
        ("GOTOOLCHAIN", "local"),
        ("GOFLAGS", ""),
        ("GOPROXY", "off"),
        ("GOENV", "off"),
    ]))?;
    Ok(Installed { program, ..compiler })
}

/// The programs that the compiler's driver starts.
fn tools(root: &Path) -> Result<Vec<std::path::PathBuf>> {
    let directory = root.join("pkg/tool");
    let mut tools = Vec::new();
    for platform in entries(&directory)? {
        tools.extend(entries(&platform)?);
    }
    Ok(tools)
}

fn entries(directory: &Path) -> Result<Vec<std::path::PathBuf>> {
    let entries = fs::read_dir(directory).with_context(|| format!("{} cannot be read", directory.display()))?;
    Ok(entries.filter_map(|entry| entry.ok().map(|entry| entry.path())).collect())
}
