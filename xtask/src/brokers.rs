//! The servers that tests of events start, below `target/peers`; nothing is installed system-wide.

use crate::bench::peers::debian::Packages;
use crate::bench::peers::{Peer, Peers};
use crate::command::{find, output, step};
use crate::workspace::Workspace;
use anyhow::{Context, Result};
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Makes the servers available to tests.
pub(crate) fn ensure(workspace: &Workspace) -> Result<()> {
    let peers = workspace.target.join("peers");
    nats(workspace, &peers.join("nats/nats-server"))?;
    packaged(&peers.join("redis"), "redis-server", &REDIS)?;
    packaged(&peers.join("mosquitto"), "mosquitto", &MOSQUITTO)?;
    rabbitmq(&peers.join("rabbitmq"))
}

const REDIS: Packages = Packages {
    programs: &["redis-server", "redis-tools"],
    libraries: &["libjemalloc2", "liblzf1", "libssl3", "libsystemd0"],
    executable: "usr/bin/redis-server",
};
const MOSQUITTO: Packages = Packages {
    programs: &["mosquitto"],
    libraries: &["libcjson1", "libdlt2", "libmosquitto1", "libwrap0", "libssl3", "libsystemd0"],
    executable: "usr/sbin/mosquitto",
};
/// With the parts of Erlang that it is made of.
const RABBITMQ: Packages = Packages {
    programs: &["rabbitmq-server"],
    libraries: &[
        "erlang-base",
        "erlang-asn1",
        "erlang-crypto",
        "erlang-eldap",
        "erlang-ftp",
        "erlang-inets",
        "erlang-mnesia",
        "erlang-os-mon",
        "erlang-parsetools",
        "erlang-public-key",
        "erlang-runtime-tools",
        "erlang-snmp",
        "erlang-ssl",
        "erlang-syntax-tools",
        "erlang-tftp",
        "erlang-tools",
        "erlang-xmerl",
        "libssl3",
    ],
    executable: "usr/lib/erlang/bin/erl",
};

/// The system's, or else the one that is measured against.
fn nats(workspace: &Workspace, link: &Path) -> Result<()> {
    if link.exists() {
        return Ok(());
    }
    let program = find("nats-server").map_or_else(|| fetch_nats(workspace), Ok)?;
    place(&program, link)?;
    step(output(Command::new(link).arg("--version"))?.trim());
    Ok(())
}

fn fetch_nats(workspace: &Workspace) -> Result<PathBuf> {
    let peers = Peers::install(workspace, &BTreeSet::from([Peer::Nats]))
        .context("the NATS server of the tests is not to be had; `nats-server` of this system would do")?;
    Ok(peers.get(Peer::Nats)?.program.clone())
}

/// The system's, or else Debian's.
fn packaged(directory: &Path, name: &str, packages: &Packages) -> Result<()> {
    let link = directory.join(name);
    if link.exists() {
        return Ok(());
    }
    if let Some(program) = find(name) {
        return place(&program, &link);
    }
    let installed = packages.install(directory).with_context(|| not_to_be_had(name))?;
    step(&installed.version.clone().unwrap_or_default());
    let libraries = libraries(installed.libraries.as_ref());
    script(&link, &format!("{libraries}exec '{}' \"$@\"", installed.program.display()))
}

/// Debian's, told where it is, since Erlang believes that it is in `/usr`.
fn rabbitmq(directory: &Path) -> Result<()> {
    let link = directory.join("rabbitmq-server");
    if link.exists() {
        return Ok(());
    }
    let installed = RABBITMQ.install(directory).with_context(|| not_to_be_had("rabbitmq-server"))?;
    step(&installed.version.clone().unwrap_or_default());
    let erlang = directory.join("usr/lib/erlang");
    let runtime = only(&erlang, "erts-")?.join("bin");
    let server = only(&directory.join("usr/lib/rabbitmq/lib"), "rabbitmq_server-")?.join("sbin/rabbitmq-server");
    let libraries = libraries(installed.libraries.as_ref());
    let own = directory.join("bin");
    let (erlang, shown) = (erlang.display(), runtime.display());
    let erl = format!(
        "ROOTDIR='{erlang}' BINDIR='{shown}' EMU=beam PROGNAME=erl\nexport ROOTDIR BINDIR EMU PROGNAME\nexec '{shown}/erlexec' \"$@\""
    );
    script(&own.join("erl"), &erl)?;
    script(&directory.join("epmd"), &format!("exec '{shown}/epmd' \"$@\""))?;
    let path = format!("PATH='{}':\"$PATH\"\nexport PATH\n", own.display());
    script(&link, &format!("{libraries}{path}exec '{}' \"$@\"", server.display()))
}

fn not_to_be_had(name: &str) -> String {
    format!("the {name} of the tests is not to be had; Debian's package of that name would do")
}

/// What makes libraries known to a program of a script.
fn libraries(path: Option<&OsString>) -> String {
    let path = path.map(|path| path.to_string_lossy());
    path.map(|path| format!("LD_LIBRARY_PATH='{path}'\nexport LD_LIBRARY_PATH\n")).unwrap_or_default()
}

/// Writes a script that the system can run.
pub(crate) fn script(file: &Path, text: &str) -> Result<()> {
    if let Some(directory) = file.parent() {
        fs::create_dir_all(directory).with_context(|| format!("{} cannot be made", directory.display()))?;
    }
    fs::write(file, format!("#!/bin/sh\n{text}\n")).with_context(|| format!("{} cannot be written", file.display()))?;
    let executable = fs::set_permissions(file, Permissions::from_mode(0o755));
    executable.with_context(|| format!("{} cannot be made executable", file.display()))
}

/// The one entry of a directory that begins so: what follows is a version.
fn only(directory: &Path, beginning: &str) -> Result<PathBuf> {
    let entries = fs::read_dir(directory).with_context(|| format!("{} cannot be read", directory.display()))?;
    let mut found = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.starts_with(beginning)));
    found.next().with_context(|| format!("{} holds no {beginning}", directory.display()))
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

    #[test]
    fn a_script_runs_what_it_names_with_its_arguments_and_libraries() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("bin/echo");
        let libraries = libraries(Some(&"/there".into()));
        script(&file, &format!("{libraries}exec /bin/sh -c 'echo \"$LD_LIBRARY_PATH $0\"' \"$@\"")).unwrap();
        assert_eq!(output(Command::new(&file).arg("one")).unwrap().trim(), "/there one");
    }

    #[test]
    fn a_version_is_found_by_what_is_before_it() {
        let directory = tempfile::tempdir().unwrap();
        assert!(only(directory.path(), "erts-").is_err());
        fs::create_dir(directory.path().join("erts-13")).unwrap();
        assert_eq!(only(directory.path(), "erts-").unwrap(), directory.path().join("erts-13"));
    }
}
