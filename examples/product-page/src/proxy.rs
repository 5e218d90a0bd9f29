//! The proxy, as a process of its own.

use anyhow::{Context, Result, bail};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

/// A development build compiles its filters at the start.
const START: Duration = Duration::from_mins(1);
/// How often to look whether something has happened.
const LOOK: Duration = Duration::from_millis(50);

/// A running proxy. Dropping it ends it.
#[derive(Debug)]
pub(crate) struct Proxy {
    child: Child,
    /// The filter of this example, and the proxy's ready file.
    directory: TempDir,
}

impl Proxy {
    /// Starts the proxy in front of these services.
    pub(crate) fn start(
        listen: SocketAddr,
        program: Option<PathBuf>,
        filter: Option<PathBuf>,
        upstreams: &[(&str, SocketAddr)],
    ) -> Result<Self> {
        let beside = std::env::current_exe()?.parent().map(Path::to_owned).unwrap_or_default();
        let program = built(program.unwrap_or_else(|| beside.join("sluice")))?;
        let filter = built(filter.unwrap_or_else(|| beside.join("../test-filters/product-filter.wasm")))?;
        let directory = tempfile::tempdir()?;
        let filters = directory.path().join("filters");
        std::fs::create_dir(&filters)?;
        std::fs::copy(filter, filters.join("product-filter.wasm"))?;
        let mut command = Command::new(program);
        command.arg("run").arg("--manifests").arg(manifests()).arg("--filters").arg(filters);
        command.arg("--listen").arg(listen.to_string()).args(["--admin", "127.0.0.1:0", "--workers", "1"]);
        command.arg("--ready-file").arg(directory.path().join("ready.json"));
        for (name, address) in upstreams {
            command.arg("--upstream").arg(format!("{name}={address}"));
        }
        let child =
            command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().context("the proxy cannot be started")?;
        Ok(Self { child, directory })
    }

    /// Where it listens, once it does.
    pub(crate) async fn ready(&mut self) -> Result<SocketAddr> {
        let limit = Instant::now() + START;
        while Instant::now() < limit {
            if let Some(status) = self.child.try_wait()? {
                bail!("the proxy ended: {status}");
            }
            let ready = std::fs::read_to_string(self.directory.path().join("ready.json")).unwrap_or_default();
            let ready: serde_json::Value = serde_json::from_str(&ready).unwrap_or_default();
            if let Some(address) = ready["listening"][0].as_str() {
                return Ok(address.parse()?);
            }
            sleep(LOOK).await;
        }
        bail!("the proxy is not ready after {START:?}")
    }

    /// Waits until it ends by itself, which it should not.
    pub(crate) async fn ended(&mut self) -> Result<()> {
        loop {
            if let Some(status) = self.child.try_wait()? {
                bail!("the proxy ended: {status}");
            }
            sleep(LOOK).await;
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // Both fail only when it is gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The manifests of this example.
pub(crate) fn manifests() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("manifests")
}

fn built(file: PathBuf) -> Result<PathBuf> {
    if !file.is_file() {
        bail!("{} is not built; `cargo xtask build` does so", file.display());
    }
    Ok(file)
}
