//! How the process is started, and where it says what it does.

use crate::artifact;
use crate::directory::Directory;
use crate::options::Options;
use serde_json::Value;
use std::fs::File;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};

pub(super) fn command(options: Options, manifests: &Directory, filters: &Directory, state: &Directory) -> Command {
    let log = File::create(log_file(state)).expect("a log can be written");
    let mut command = Command::new(options.program.unwrap_or_else(artifact::sluice));
    command.arg("run").arg("--manifests").arg(manifests.path()).arg("--filters").arg(filters.path());
    command.arg("--ready-file").arg(ready_file(state));
    if !options.arguments.iter().any(|argument| argument == "--workers") {
        command.args(["--workers", "1"]);
    }
    command.args(options.arguments).envs(options.environment).current_dir(state.path());
    command.stdin(Stdio::null()).stdout(log.try_clone().expect("a file can be shared")).stderr(log);
    command
}

pub(super) fn log_file(state: &Directory) -> impl AsRef<Path> + use<> {
    state.file("log")
}

pub(super) fn ready_file(state: &Directory) -> impl AsRef<Path> + AsRef<std::ffi::OsStr> + use<> {
    state.file("ready.json")
}

/// The addresses in a ready file, once it is complete.
pub(super) fn addresses_in(text: &str) -> Option<(SocketAddr, Option<SocketAddr>)> {
    let ready: Value = serde_json::from_str(text.trim()).ok()?;
    let address = ready["listening"].get(0)?.as_str()?.parse().ok()?;
    Some((address, ready["admin"].as_str().and_then(|admin| admin.parse().ok())))
}
