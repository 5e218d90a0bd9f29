//! Envoy with the filter `envoy-failing`, its listener in a file that it watches.

use super::Stage;
use super::origin::Origin;
use super::proxy::{Proxy, Seen, ask, status};
use super::sluice::replace;
use crate::bench::peers::Peer;
use crate::child::RunningChild;
use crate::port;
use crate::wait;
use anyhow::Result;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// For the start, and for a listener that may never come.
const START: Duration = Duration::from_secs(15);

/// A running one.
pub(crate) struct Envoy {
    _child: RunningChild,
    address: SocketAddr,
    admin: SocketAddr,
    directory: PathBuf,
    component: PathBuf,
    headers: PathBuf,
}

impl Envoy {
    /// Starts it, with this configuration of its filter.
    pub(crate) fn start(stage: &Stage<'_>, origin: &Origin, configuration: &str) -> Result<Self> {
        let running = Self::spawn(stage, origin, configuration)?;
        anyhow::ensure!(wait::until(START, || port::answers(running.address)), "Envoy does not listen");
        Ok(running)
    }

    fn spawn(stage: &Stage<'_>, origin: &Origin, configuration: &str) -> Result<Self> {
        let directory = stage.directory.join("envoy");
        let _ = fs::remove_dir_all(&directory);
        fs::create_dir_all(&directory)?;
        let component = directory.join("failing.wasm");
        fs::copy(&stage.peers.get(Peer::EnvoyFailing)?.program, &component)?;
        let headers = stage.peers.get(Peer::EnvoyHeaders)?.program.clone();
        let (address, admin) = (port::free()?, port::free()?);
        let listeners = directory.join("listeners.json");
        fs::write(&listeners, listener(address, &component, configuration).to_string())?;
        let bootstrap = directory.join("envoy.json");
        fs::write(&bootstrap, self::bootstrap(admin, origin.address, &listeners).to_string())?;
        let mut command = Command::new(&stage.peers.get(Peer::Envoy)?.program);
        command.args(["--concurrency", "1", "--disable-hot-restart", "--log-level", "error", "--config-path"]);
        command.arg(bootstrap);
        let mut child = RunningChild::start("envoy", &mut command, &directory.join("log"))?;
        child.ready(START, || port::answers(admin))?;
        Ok(Self { _child: child, address, admin, directory, component, headers })
    }

    /// What comes of a filter that traps when the proxy starts.
    pub(crate) fn at_start(stage: &Stage<'_>, origin: &Origin) -> Result<Seen> {
        let running = Self::spawn(stage, origin, "trap")?;
        let listens = wait::until(Duration::from_secs(5), || port::answers(running.address));
        let asked = || status(ask(running.address, None, "").as_deref());
        let outcome = if listens { "it starts" } else { "it starts without the listener" };
        let counter = running.counters().into_iter().find(|(_, count)| *count > 0).map(|(name, _)| name);
        Ok(Seen { outcome: outcome.into(), beside: asked(), next: asked(), counter })
    }
}

impl Proxy for Envoy {
    fn address(&self) -> SocketAddr {
        self.address
    }

    fn counters(&self) -> BTreeMap<String, u64> {
        let stats = port::get(self.admin, "/stats?usedonly", &["Host: localhost"]).unwrap_or_default();
        let counted = |line: &str| {
            let (name, count) = line.split_once(": ")?;
            let tells = (name.contains("wasm")
                && !name.contains("created")
                && !name.contains("cloned")
                && !name.contains("active"))
                || name.ends_with("lds.update_rejected");
            tells.then(|| Some((name.to_owned(), count.trim().parse().ok()?)))?
        };
        stats.lines().filter_map(counted).collect()
    }

    fn reconfigure(&mut self) -> Result<()> {
        let changed = listener(self.address, &self.component, "trap").to_string();
        replace(&self.directory, "listeners.json", changed.as_bytes())
    }

    fn replace(&mut self) -> Result<()> {
        replace(&self.directory, "failing.wasm", &fs::read(&self.headers)?)
    }
}

fn socket(address: SocketAddr) -> Value {
    json!({"socket_address": {"address": address.ip().to_string(), "port_value": address.port()}})
}

fn kind(name: &str) -> String {
    format!("type.googleapis.com/envoy.{name}")
}

/// JSON is one of its formats.
fn bootstrap(admin: SocketAddr, origin: SocketAddr, listeners: &Path) -> Value {
    json!({
        "node": {"id": "failures", "cluster": "failures"},
        "admin": {"address": socket(admin)},
        "dynamic_resources": {"lds_config": {"resource_api_version": "V3", "path_config_source": {"path": listeners}}},
        "static_resources": {"clusters": [{"name": "origin", "type": "STATIC", "load_assignment": {
            "cluster_name": "origin",
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": socket(origin)}}]}],
        }}]},
    })
}

/// The listener with its filter, as a file of the discovery service.
fn listener(address: SocketAddr, component: &Path, configuration: &str) -> Value {
    let text = json!({"@type": "type.googleapis.com/google.protobuf.StringValue", "value": configuration});
    let wasm = json!({"name": "wasm", "typed_config": {
        "@type": kind("extensions.filters.http.wasm.v3.Wasm"),
        "config": {
            "name": "failing",
            "configuration": text,
            "vm_config": {"runtime": "envoy.wasm.runtime.v8", "code": {"local": {"filename": component}}},
        },
    }});
    let router = json!({"name": "router", "typed_config": {"@type": kind("extensions.filters.http.router.v3.Router")}});
    let all = json!([{"match": {"prefix": "/"}, "route": {"cluster": "origin"}}]);
    json!({"resources": [{
        "@type": kind("config.listener.v3.Listener"),
        "name": "failures",
        "address": socket(address),
        "filter_chains": [{"filters": [{"name": "http", "typed_config": {
            "@type": kind("extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"),
            "stat_prefix": "failures",
            "http_filters": [wasm, router],
            "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": all}]},
        }}]}],
    }]})
}
