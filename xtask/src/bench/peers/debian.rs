//! Programs from Debian's packages, unpacked without being installed.

use super::Installed;
use crate::command::{find, run, step};
use anyhow::{Context, Result, bail};
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Programs that come together.
pub(crate) struct Packages {
    /// What is wanted. Their versions are part of the report.
    pub(crate) programs: &'static [&'static str],
    /// What they need, and a small system lacks.
    pub(crate) libraries: &'static [&'static str],
    /// The executable, from the root.
    pub(crate) executable: &'static str,
}

impl Packages {
    /// Unpacks them below a directory unless the executable is there already.
    pub(crate) fn install(&self, directory: &Path) -> Result<Installed> {
        let program = directory.join(self.executable);
        if !program.exists() {
            let names = self.programs.join(" and ");
            step(&format!("fetching {names}"));
            if find("apt-get").is_none() || find("dpkg-deb").is_none() {
                bail!("{names} cannot be fetched: this system has no packages of Debian");
            }
            fs::create_dir_all(directory).with_context(|| format!("{} cannot be made", directory.display()))?;
            self.download(directory)?;
            for package in files(directory, "deb")? {
                run(Command::new("dpkg-deb").arg("--extract").arg(package).arg(directory))?;
            }
        }
        let version = Some(self.version(&files(directory, "deb")?));
        Ok(Installed { program, libraries: libraries(directory)?, version })
    }

    /// On a system whose package lists are not there yet, after fetching these.
    fn download(&self, directory: &Path) -> Result<()> {
        let download = || {
            let mut download = Command::new("apt-get");
            download.arg("download").args(self.programs).args(self.libraries).current_dir(directory);
            download
        };
        if run(&mut download()).is_ok() {
            return Ok(());
        }
        run(Command::new("apt-get").arg("update"))
            .and_then(|()| run(&mut download()))
            .with_context(|| format!("{} cannot be fetched", self.programs.join(" and ")))
    }

    /// The programs with their versions, which stand in the names of the files: `NAME_VERSION_PLATFORM.deb`.
    fn version(&self, packages: &[PathBuf]) -> String {
        let stems: Vec<&str> = packages.iter().filter_map(|package| package.file_stem()?.to_str()).collect();
        let version = |name: &&str| stems.iter().find_map(|stem| stem.strip_prefix(*name)?.strip_prefix('_'));
        let versions = self.programs.iter().map(|name| {
            let version = version(name).and_then(|rest| rest.split('_').next());
            format!("{name} {}", version.unwrap_or("of unknown version"))
        });
        versions.collect::<Vec<_>>().join(", ")
    }
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
    fn versions_come_from_the_names_of_packages() {
        let nginx = Packages {
            programs: &["nginx", "libnginx-mod-http-js"],
            libraries: &["libssl3"],
            executable: "usr/sbin/nginx",
        };
        let files = ["libssl3_3.0_amd64.deb", "libnginx-mod-http-js_0.7.9-2_amd64.deb", "nginx_1.22.1-9_amd64.deb"];
        assert_eq!(nginx.version(&files.map(PathBuf::from)), "nginx 1.22.1-9, libnginx-mod-http-js 0.7.9-2");
        assert_eq!(nginx.version(&[]), "nginx of unknown version, libnginx-mod-http-js of unknown version");
    }
}
