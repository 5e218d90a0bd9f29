//! What is compared, and how each one is started.

use super::peers::Peers;
use super::{PROXY_CORE, processor};
use crate::build::Profile;
use crate::workspace::Workspace;
use anyhow::{Context, Result};
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The test filter that reads two request headers and sets one header each way.
const FILTER: &str = "headers";

/// One proxy in one setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Subject {
    /// Envoy, passing on.
    Envoy,
    /// The least that a proxy can do: hyper on both sides.
    Hyper,
    /// Sluicegate, passing on.
    Sluice,
    /// Envoy with one WebAssembly filter, in V8.
    EnvoyWasm,
    /// Sluicegate with one filter.
    #[value(name = "sluice-1")]
    Sluice1,
    /// Sluicegate with two filters.
    #[value(name = "sluice-2")]
    Sluice2,
    /// Sluicegate with five filters.
    #[value(name = "sluice-5")]
    Sluice5,
}

impl Subject {
    /// All, in the order of a round.
    pub(crate) const ALL: [Self; 7] =
        [Self::Envoy, Self::Hyper, Self::Sluice, Self::EnvoyWasm, Self::Sluice1, Self::Sluice2, Self::Sluice5];

    /// The name on the command line, in the report and of its log.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Envoy => "envoy",
            Self::Hyper => "hyper",
            Self::Sluice => "sluice",
            Self::EnvoyWasm => "envoy-wasm",
            Self::Sluice1 => "sluice-1",
            Self::Sluice2 => "sluice-2",
            Self::Sluice5 => "sluice-5",
        }
    }

    /// How many times the header filter stands in its chain.
    pub(crate) fn filters(self) -> u32 {
        match self {
            Self::Envoy | Self::Hyper | Self::Sluice => 0,
            Self::EnvoyWasm | Self::Sluice1 => 1,
            Self::Sluice2 => 2,
            Self::Sluice5 => 5,
        }
    }

    /// Whether it is this project's proxy.
    pub(crate) fn is_sluice(self) -> bool {
        matches!(self, Self::Sluice | Self::Sluice1 | Self::Sluice2 | Self::Sluice5)
    }
}

/// What starting a subject takes.
pub(crate) struct Bench<'a> {
    /// Where the programs are.
    pub(crate) workspace: &'a Workspace,
    /// The other proxies.
    pub(crate) peers: &'a Peers,
    /// For logs and configurations.
    pub(crate) directory: &'a Path,
    /// What all of them forward to.
    pub(crate) origin: SocketAddr,
}

impl Bench<'_> {
    /// The command that starts a subject on an address: one worker, on its core, without access log.
    pub(crate) fn command(&self, subject: Subject, listen: SocketAddr) -> Result<Command> {
        match subject {
            Subject::Envoy => self.envoy(subject, listen, None),
            Subject::EnvoyWasm => self.envoy(subject, listen, self.peers.wasm_filter.as_deref()),
            Subject::Hyper => {
                let mut command =
                    processor::pinned(PROXY_CORE, &self.workspace.program(Profile::Release, "bench-hyper"));
                command.arg(listen.to_string()).arg(self.origin.to_string());
                Ok(command)
            }
            Subject::Sluice | Subject::Sluice1 | Subject::Sluice2 | Subject::Sluice5 => self.sluice(subject, listen),
        }
    }

    fn envoy(&self, subject: Subject, listen: SocketAddr, wasm: Option<&Path>) -> Result<Command> {
        let file = self.directory.join(subject.name()).with_extension("json");
        fs::write(&file, envoy_configuration(listen, self.origin, wasm).to_string())
            .with_context(|| format!("{} cannot be written", file.display()))?;
        let program = self.peers.envoy.as_deref().context("Envoy is not installed")?;
        let mut command = processor::pinned(PROXY_CORE, program);
        command
            .args(["--concurrency", "1", "--disable-hot-restart", "--log-level", "error", "--config-path"])
            .arg(file);
        Ok(command)
    }

    fn sluice(&self, subject: Subject, listen: SocketAddr) -> Result<Command> {
        let filters = self.empty_directory(subject, "filters")?;
        let component = self.workspace.test_filter_directory().join(FILTER).with_extension("wasm");
        // A filter is named after its file, so each copy is one more in the chain.
        for number in 1..=subject.filters() {
            let copy = filters.join(format!("{FILTER}-{number}.wasm"));
            fs::copy(&component, &copy)
                .with_context(|| format!("{} cannot be copied to {}", component.display(), copy.display()))?;
        }
        let mut command = processor::pinned(PROXY_CORE, &self.workspace.program(Profile::Release, "sluice"));
        command.arg("run").arg("--filters").arg(filters);
        // The stock filters have nothing to do here, and Envoy is measured without routing by filters too.
        command.arg("--stock-filters").arg(self.empty_directory(subject, "stock")?);
        command.arg("--manifests").arg(self.empty_directory(subject, "manifests")?);
        command.arg("--listen").arg(listen.to_string()).arg("--admin").arg(crate::port::free()?.to_string());
        command.arg("--upstream").arg(format!("origin={}", self.origin));
        command.args(["--workers", "1", "--access-log", "off"]);
        Ok(command)
    }

    fn empty_directory(&self, subject: Subject, purpose: &str) -> Result<PathBuf> {
        let directory = self.directory.join(format!("{}-{purpose}", subject.name()));
        fs::create_dir_all(&directory).with_context(|| format!("{} cannot be made", directory.display()))?;
        Ok(directory)
    }
}

/// Envoy's configuration (JSON is one of its formats): one listener, one route, one cluster, nothing else switched on.
fn envoy_configuration(listen: SocketAddr, origin: SocketAddr, wasm: Option<&Path>) -> serde_json::Value {
    let kind = |name: &str| format!("type.googleapis.com/envoy.extensions.filters.{name}");
    let socket = |address: SocketAddr| serde_json::json!({"socket_address": {"address": address.ip().to_string(), "port_value": address.port()}});
    let wasm = wasm.map(|file| {
        serde_json::json!({"name": "headers", "typed_config": {"@type": kind("http.wasm.v3.Wasm"), "config": {
            "name": "headers",
            "vm_config": {"runtime": "envoy.wasm.runtime.v8", "code": {"local": {"filename": file}}},
        }}})
    });
    // Without it every request would get headers that no other proxy adds.
    let router = serde_json::json!({"name": "router", "typed_config": {
        "@type": kind("http.router.v3.Router"), "suppress_envoy_headers": true,
    }});
    let filters: Vec<serde_json::Value> = wasm.into_iter().chain([router]).collect();
    serde_json::json!({"static_resources": {
        "listeners": [{"name": "bench", "address": socket(listen), "filter_chains": [{"filters": [{
            "name": "http",
            "typed_config": {
                "@type": kind("network.http_connection_manager.v3.HttpConnectionManager"),
                "stat_prefix": "bench",
                "http_filters": filters,
                "route_config": {"virtual_hosts": [{"name": "origin", "domains": ["*"], "routes": [
                    {"match": {"prefix": "/"}, "route": {"cluster": "origin"}},
                ]}]},
            },
        }]}]}],
        "clusters": [{"name": "origin", "type": "STATIC", "load_assignment": {
            "cluster_name": "origin",
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": socket(origin)}}]}],
        }}],
    }})
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::ValueEnum;

    #[test]
    fn a_subject_has_one_name_everywhere() {
        for subject in Subject::ALL {
            assert_eq!(subject.to_possible_value().unwrap().get_name(), subject.name());
        }
        assert_eq!(Subject::value_variants().len(), Subject::ALL.len(), "one is never measured");
    }

    #[test]
    fn envoy_gets_the_filter_before_its_router() {
        let address = ([127, 0, 0, 1], 1).into();
        let text = envoy_configuration(address, address, Some(Path::new("/f.wasm"))).to_string();
        assert!(text.find("envoy.wasm.runtime.v8").unwrap() < text.find("router.v3").unwrap());
        assert!(!envoy_configuration(address, address, None).to_string().contains("wasm"));
    }
}
