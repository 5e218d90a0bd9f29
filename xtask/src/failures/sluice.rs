//! This project's proxy, with the filter `failing` before the stock ones.

use super::Stage;
use super::origin::Origin;
use super::proxy::{Proxy, Seen, ask, status};
use crate::build::Profile;
use crate::child::RunningChild;
use crate::port;
use anyhow::{Context, Result};
use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// For compiling filters in a development build.
const START: Duration = Duration::from_mins(1);
/// The filters' counters, of which one says what happened; refusals name the bound.
const COUNTERS: [&str; 3] =
    ["sluicegate_filter_refusals_total{", "sluicegate_filter_calls_total{", "sluicegate_config_reloads_total{"];

/// A running one.
pub(crate) struct Sluice {
    _child: RunningChild,
    address: SocketAddr,
    admin: SocketAddr,
    directory: PathBuf,
    components: PathBuf,
}

fn policy(configure: &str) -> String {
    let settings =
        if configure.is_empty() { String::new() } else { format!("  settings: {{configure: {configure}}}\n") };
    let head = "apiVersion: sluicegate.dev/v1alpha1\nkind: Filter\nmetadata:\n  name: failing\n";
    format!("{head}spec:\n  grants: {{call: [origin]}}\n{settings}")
}

impl Sluice {
    /// Starts it, with this setting `configure`.
    pub(crate) fn start(stage: &Stage<'_>, origin: &Origin, configure: &str) -> Result<Self> {
        let directory = stage.directory.join(format!("sluice-{configure}"));
        let _ = fs::remove_dir_all(&directory);
        let (manifests, filters) = (directory.join("manifests"), directory.join("filters"));
        fs::create_dir_all(&manifests)?;
        fs::create_dir_all(&filters)?;
        fs::write(manifests.join("failing.yaml"), policy(configure))?;
        let components = stage.workspace.test_filter_directory();
        copy(&components, "failing", &filters)?;
        let (address, admin) = (port::free()?, port::free()?);
        let mut command = Command::new(stage.workspace.program(Profile::Development, "sluice"));
        command.arg("run").arg("--manifests").arg(&manifests).arg("--filters").arg(&filters);
        command.args(["--workers", "1", "--listen", &address.to_string(), "--admin", &admin.to_string()]);
        command.arg("--upstream").arg(format!("origin={}", origin.address));
        let mut child = RunningChild::start("sluice", &mut command, &directory.join("log"))?;
        child.ready(START, || port::answers(address))?;
        Ok(Self { _child: child, address, admin, directory, components })
    }

    /// What comes of a filter that traps when the proxy starts.
    pub(crate) fn at_start(stage: &Stage<'_>, origin: &Origin) -> Seen {
        match Self::start(stage, origin, "trap") {
            Ok(running) => {
                let asked = || status(ask(running.address, None, "").as_deref());
                Seen { outcome: "it starts".into(), beside: asked(), next: asked(), counter: None }
            }
            Err(error) => {
                let said = format!("{error:#}");
                let reason = said.contains("SG0602");
                let counter = reason.then(|| "exit code 1, error SG0602 with the reason".to_owned());
                Seen { outcome: "it does not start".into(), beside: None, next: None, counter }
            }
        }
    }
}

impl Proxy for Sluice {
    fn address(&self) -> SocketAddr {
        self.address
    }

    fn counters(&self) -> BTreeMap<String, u64> {
        let metrics = port::get(self.admin, "/metrics", &["Host: localhost"]).unwrap_or_default();
        let counted = |line: &str| {
            let place = COUNTERS.iter().position(|name| line.starts_with(name))?;
            let (name, count) = line.rsplit_once(' ')?;
            // A reload is nothing usual, also where it succeeds.
            let usual = ["result=\"next\"", "result=\"gather\"", "result=\"success\""];
            let tells = name.contains("_reloads_") || !usual.iter().any(|usual| line.contains(usual));
            let mine = place == 2 || line.contains("filter=\"failing\"");
            // The most telling one first.
            (tells && mine).then(|| Some((format!("{place}{name}"), count.parse().ok()?)))?
        };
        metrics.lines().filter_map(counted).collect()
    }

    fn reconfigure(&mut self) -> Result<()> {
        replace(&self.directory.join("manifests"), "failing.yaml", policy("trap").as_bytes())
    }

    fn replace(&mut self) -> Result<()> {
        // What the change before has left is not to hold this one up.
        replace(&self.directory.join("manifests"), "failing.yaml", policy("").as_bytes())?;
        let headers = fs::read(self.components.join("headers.wasm")).context("headers.wasm is not built")?;
        replace(&self.directory.join("filters"), "failing.wasm", &headers)?;
        Ok(())
    }
}

fn copy(from: &Path, name: &str, to: &Path) -> Result<()> {
    let file = Path::new(name).with_extension("wasm");
    fs::copy(from.join(&file), to.join(&file)).with_context(|| format!("{} is not built", file.display()))?;
    Ok(())
}

/// Puts a file in the place of another in one step.
pub(super) fn replace(directory: &Path, name: &str, content: &[u8]) -> Result<()> {
    let beside = directory.join(format!(".{name}.new"));
    fs::write(&beside, content)?;
    fs::rename(&beside, directory.join(name))?;
    Ok(())
}
