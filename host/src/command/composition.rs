//! What commands need of the composition root. Every call of it from the command line stands here.

use anyhow::Context;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use sluicegate::admin::view::{ExplainAnswer, ExplainRequest};
use sluicegate::config::{AdminAddress, Settings};
use sluicegate::drain::Drained;
use sluicegate::manifest::Diagnostics;
use sluicegate::proxy::{self, ExplainError, Proxy, StartError};
use sluicegate::snapshot::Snapshot;
use sluicegate::telemetry::Telemetry;
use sluicegate::telemetry::log::LogLevels;
use std::path::Path;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Serves requests until it is asked to end. Calls `listening` once it takes them.
pub(crate) fn serve(
    settings: Settings,
    telemetry: Telemetry,
    levels: LogLevels,
    listening: impl FnOnce(&Proxy) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    raise_descriptors(settings.connections);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let _entered = runtime.enter();
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    // A write beyond a limit on the size of files is to fail, as one to a full disk does, and not to end the process.
    let _file_size = signal(SignalKind::from_raw(rustix::process::Signal::XFSZ.as_raw()))?;
    let proxy = Proxy::start(settings, telemetry, levels).map_err(shown)?;
    for address in proxy.addresses() {
        tracing::info!(%address, "listening");
    }
    listening(&proxy)?;
    runtime.block_on(async {
        asked(&mut terminate, &mut interrupt).await;
        tracing::info!("ending: requests in flight may finish");
        let handle = proxy.drain_handle();
        let drained = tokio::select! {
            drained = proxy.drain() => drained,
            () = async {
                asked(&mut terminate, &mut interrupt).await;
                handle.abort();
                std::future::pending::<()>().await;
            } => Drained::Aborted(0),
        };
        match drained {
            Drained::Completed => tracing::info!("ended"),
            Drained::Aborted(left) => tracing::warn!(left, "ended before all was finished"),
        }
    });
    Ok(())
}

/// Has the system allow as many descriptors as it will. A connection takes one, and its request another.
fn raise_descriptors(connections: usize) {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }) {
        tracing::info!(%error, "the limit of descriptors stays as it is");
    }
    let wanted = u64::try_from(connections).unwrap_or(u64::MAX).saturating_mul(2);
    if let Some(allowed) = getrlimit(Resource::Nofile).current.filter(|allowed| *allowed < wanted) {
        tracing::info!(allowed, connections, "descriptors do not suffice for all connections; some may have to wait");
    }
}

async fn asked(terminate: &mut Signal, interrupt: &mut Signal) {
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}

/// Writes where it listens as one line of JSON, whole or not at all.
pub(crate) fn announce(path: &Path, proxy: &Proxy) -> anyhow::Result<()> {
    let listening: Vec<String> = proxy.addresses().iter().map(ToString::to_string).collect();
    let admin = match proxy.admin() {
        AdminAddress::Tcp(address) => address.to_string(),
        AdminAddress::Unix(path) => format!("unix:{}", path.display()),
    };
    let line = serde_json::json!({ "listening": listening, "admin": admin });
    let unfinished = path.with_extension("part");
    std::fs::write(&unfinished, format!("{line}\n"))
        .and_then(|()| std::fs::rename(unfinished, path))
        .with_context(|| format!("the ready file {}", path.display()))
}

/// Everything that is wrong with manifests and filters.
pub(crate) fn check(settings: &Settings) -> anyhow::Result<Diagnostics> {
    Ok(proxy::check(settings)?)
}

/// What would become of a request.
pub(crate) fn explain(settings: &Settings, request: ExplainRequest) -> anyhow::Result<ExplainAnswer> {
    proxy::explain(settings, request).map_err(|error| match error {
        ExplainError::Load(error) => shown(error),
        error @ ExplainError::Request(_) => error.into(),
    })
}

/// The configuration, to be asked what it would do.
pub(crate) fn rehearse(settings: &Settings) -> anyhow::Result<Snapshot> {
    proxy::rehearse(settings).map_err(shown)
}

/// Prints what was refused, with snippets; the error itself is the summary.
fn shown(error: StartError) -> anyhow::Error {
    if let StartError::Refused(diagnostics) = &error {
        let colored = std::io::IsTerminal::is_terminal(&std::io::stderr());
        // Nobody is left to tell when standard error is gone.
        let _ = diagnostics.render(&mut std::io::stderr().lock(), colored);
    }
    error.into()
}
