//! The proxy as a process, with this example's manifests.

use anyhow::{Context, Result, bail, ensure};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Beside this example's sources.
pub(crate) const MANIFESTS: &str = "examples/order-events/manifests";
/// A development build compiles its filters at the start.
const START: Duration = Duration::from_mins(1);

/// Ends with the example.
pub(crate) struct Proxy {
    child: Child,
    address: SocketAddr,
    program: PathBuf,
    state: TempDir,
}

impl Proxy {
    /// Starts the proxy that lies beside this program, with these services behind it.
    pub(crate) async fn start(services: &[(&str, SocketAddr)]) -> Result<Self> {
        let beside = std::env::current_exe()?.parent().map(Path::to_owned).unwrap_or_default();
        let program = beside.join("sluice");
        let state = tempfile::tempdir()?;
        let (log, ready) = (state.path().join("log"), state.path().join("ready.json"));
        let file = std::fs::File::create(&log)?;
        let mut command = Command::new(&program);
        command.arg("run").arg("--manifests").arg(manifests()).arg("--filters").arg(beside.join("filters"));
        command.args(["--listen", "127.0.0.1:0", "--workers", "1", "--ready-file"]).arg(&ready);
        command.arg("--admin").arg(admin(&state));
        for (name, address) in services {
            command.arg("--upstream").arg(format!("{name}={address}"));
        }
        command.current_dir(state.path()).stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file);
        let child = command.spawn();
        let child =
            child.with_context(|| format!("{} cannot be run; `cargo xtask build` makes it", program.display()))?;
        let mut proxy = Self { child, address: ([127, 0, 0, 1], 0).into(), program, state };
        proxy.address = proxy.listening(&ready, &log).await?;
        Ok(proxy)
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// What an operator's command prints who asks the proxy.
    pub(crate) fn ask(&self, arguments: &[&str]) -> Result<String> {
        let mut command = Command::new(&self.program);
        let output = command.args(arguments).arg("--admin").arg(admin(&self.state)).output()?;
        let (said, wrong) = (String::from_utf8(output.stdout)?, String::from_utf8_lossy(&output.stderr).into_owned());
        ensure!(wrong.is_empty(), "`sluice {}` says: {wrong}", arguments.join(" "));
        Ok(said)
    }

    async fn listening(&mut self, ready: &Path, log: &Path) -> Result<SocketAddr> {
        let said = || std::fs::read_to_string(log).unwrap_or_default();
        let start = Instant::now();
        while start.elapsed() < START {
            if let Some(address) = std::fs::read_to_string(ready).ok().and_then(|text| first_address(&text)) {
                return Ok(address);
            }
            if let Some(status) = self.child.try_wait()? {
                bail!("the proxy ended ({status}):\n{}", said());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        bail!("the proxy is not ready:\n{}", said())
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // Both fail only when it is gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Its admin endpoint, which this user alone can reach.
fn admin(state: &TempDir) -> String {
    format!("unix:{}", state.path().join("admin.sock").display())
}

fn manifests() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("manifests")
}

fn first_address(text: &str) -> Option<SocketAddr> {
    let ready: serde_json::Value = serde_json::from_str(text).ok()?;
    ready.get("listening")?.get(0)?.as_str()?.parse().ok()
}
