//! Programs from Debian's packages, unpacked without being installed.

use super::Installed;
use crate::command::{find, run, step};
use anyhow::{Context, Result, bail};
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Unpacks these packages below a directory unless the program is there already. The first package gives the version.
pub(super) fn install(directory: &Path, packages: &[&str], program: &str) -> Result<Installed> {
    let name = packages.first().copied().unwrap_or_default();
    let program = directory.join(program);
    if !program.exists() {
        step(&format!("fetching {name}"));
        if find("apt-get").is_none() || find("dpkg-deb").is_none() {
            bail!("{name} is not installed, and this system has no packages of Debian to take it from");
        }
        fs::create_dir_all(directory).with_context(|| format!("{} cannot be made", directory.display()))?;
        download(directory, packages)?;
        for package in files(directory, "deb")? {
            run(Command::new("dpkg-deb").arg("--extract").arg(package).arg(directory))?;
        }
    }
    let version = version(&files(directory, "deb")?);
    Ok(Installed { program, libraries: libraries(directory)?, version: Some(version) })
}

/// On a system whose package lists are not there yet, after fetching these.
fn download(directory: &Path, packages: &[&str]) -> Result<()> {
    let download = || {
        let mut download = Command::new("apt-get");
        download.arg("download").args(packages).current_dir(directory);
        download
    };
    if run(&mut download()).is_ok() {
        return Ok(());
    }
    run(Command::new("apt-get").arg("update"))
        .and_then(|()| run(&mut download()))
        .with_context(|| format!("{} cannot be fetched", packages.join(", ")))
}

/// Names and versions of programs among packages, which stand in the names of their files: `NAME_VERSION_PLATFORM.deb`.
/// Libraries are left out.
fn version(packages: &[PathBuf]) -> String {
    let stems = packages.iter().filter_map(|package| package.file_stem()?.to_str());
    let parts = stems.filter_map(|stem| stem.split_once('_').map(|(name, rest)| (name, rest.split('_').next())));
    let programs = parts.filter(|(name, _)| !name.starts_with("lib") || name.contains("-mod-"));
    let mut words: Vec<String> =
        programs.map(|(name, version)| format!("{name} {}", version.unwrap_or_default())).collect();
    words.sort_by_key(|words| words.starts_with("lib"));
    words.join(", ")
}

/// Where the libraries of a platform are below a directory.
fn libraries(directory: &Path) -> Result<Option<OsString>> {
    let mut found = Vec::new();
    for parent in ["usr/lib", "lib"].map(|parent| directory.join(parent)).into_iter().filter(|parent| parent.is_dir()) {
        let entries = fs::read_dir(&parent).with_context(|| format!("{} cannot be read", parent.display()))?;
        let platforms = entries.filter_map(|entry| entry.ok().map(|entry| entry.path()));
        found.extend(platforms.filter(|path| path.to_string_lossy().ends_with("-linux-gnu")));
    }
    Ok(if found.is_empty() { None } else { Some(std::env::join_paths(found)?) })
}

fn files(directory: &Path, extension: &str) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(directory).with_context(|| format!("{} cannot be read", directory.display()))?;
    let files = entries.filter_map(|entry| entry.ok().map(|entry| entry.path()));
    Ok(files.filter(|file| file.extension().is_some_and(|one| one == extension)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_are_found_whatever_the_platform_is_called() {
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(libraries(directory.path()).unwrap(), None);
        fs::create_dir_all(directory.path().join("usr/lib/some-linux-gnu")).unwrap();
        fs::create_dir_all(directory.path().join("usr/lib/nginx")).unwrap();
        let found = libraries(directory.path()).unwrap().unwrap();
        assert!(Path::new(&found).ends_with("usr/lib/some-linux-gnu"), "{}", found.display());
    }

    #[test]
    fn versions_come_from_the_names_of_packages_without_their_libraries() {
        let packages = ["libssl3_3.0_amd64.deb", "libnginx-mod-http-js_0.7.9-2_amd64.deb", "nginx_1.22.1-9_amd64.deb"];
        assert_eq!(version(&packages.map(PathBuf::from)), "nginx 1.22.1-9, libnginx-mod-http-js 0.7.9-2");
    }
}
