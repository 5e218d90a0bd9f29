//! What is compiled from `tests/peers`: each is a workspace of its own, so that nothing else here has to build what only
//! a peer needs.

use super::Installed;
use crate::build::ensure_target;
use crate::command::{cargo, run, step};
use crate::workspace::Workspace;
use anyhow::{Result, ensure};
use std::path::PathBuf;
use std::process::Command;

/// What Proxy-Wasm filters are compiled for.
const PROXY_WASM_TARGET: &str = "wasm32-wasip1";

/// Compiles a filter for Envoy.
pub(super) fn filter(workspace: &Workspace, name: &str) -> Result<Installed> {
    ensure_target(PROXY_WASM_TARGET)?;
    let directory = build(workspace, name, &["--target", PROXY_WASM_TARGET])?;
    let library = directory.join(PROXY_WASM_TARGET).join("release").join(name.replace('-', "_"));
    installed(library.with_extension("wasm"))
}

/// Compiles a program.
pub(super) fn program(workspace: &Workspace, name: &str) -> Result<Installed> {
    let directory = build(workspace, name, &[])?;
    installed(directory.join("release").join(name))
}

/// Returns the directory that holds the result.
fn build(workspace: &Workspace, name: &str, arguments: &[&str]) -> Result<PathBuf> {
    step(&format!("building {name}"));
    let target = workspace.target.join("peers").join(name);
    let mut build: Command = cargo();
    build.args(["build", "--release"]).args(arguments);
    build.arg("--manifest-path").arg(super::source(workspace, name).join("Cargo.toml"));
    run(build.arg("--target-dir").arg(&target))?;
    Ok(target)
}

fn installed(program: PathBuf) -> Result<Installed> {
    ensure!(program.exists(), "the build left no {}", program.display());
    Ok(Installed { program, libraries: None, version: None })
}
