//! What commands need of the composition root. Every call of it from the command line stands here.

use super::signals::{Asked, Signals};
use super::successor;
use anyhow::Context;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use sluicegate::admin::view::{ExplainAnswer, ExplainRequest};
use sluicegate::config::{AdminAddress, Settings, limits};
use sluicegate::drain::Drained;
use sluicegate::listener::Inherited;
use sluicegate::manifest::Diagnostics;
use sluicegate::notify::Notifier;
use sluicegate::proxy::{self, ExplainError, Proxy, StartError};
use sluicegate::snapshot::Snapshot;
use sluicegate::take_over::Handed;
use sluicegate::telemetry::Telemetry;
use sluicegate::telemetry::log::LogLevels;
use std::path::Path;
use std::time::Duration;

/// Serves requests until it is asked to end, or another process has taken over. Calls `listening` once it is ready to.
pub(crate) fn serve(
    mut settings: Settings,
    inherited: Inherited,
    (telemetry, levels): (Telemetry, LogLevels),
    listening: impl FnOnce(&Proxy) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    settings.connections = descriptors_for(settings.connections);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let _entered = runtime.enter();
    let mut signals = Signals::listen()?;
    let notifier = Notifier::from_environment();
    let takes_over = settings.take_over.is_some();
    let mut proxy = Proxy::start(settings, telemetry, levels, inherited).map_err(shown)?;
    if runtime.block_on(signals.have_asked_for_the_end()) {
        tracing::info!("ending without having served: that was asked for while everything was loaded");
        runtime.block_on(end(proxy, &mut signals));
        return Ok(());
    }
    for address in proxy.addresses() {
        tracing::info!(%address, "listening");
    }
    listening(&proxy)?;
    if let Err(error) = proxy.serves() {
        runtime.block_on(proxy.drain());
        return Err(shown(error));
    }
    notifier.ready();
    runtime.block_on(async {
        match until_the_end(&mut proxy, &mut signals, &notifier, takes_over).await {
            None => {
                notifier.stopping();
                tracing::info!("ending: requests in flight may finish");
            }
            Some(Handed { process }) => {
                notifier.succeeded_by(process);
                tracing::info!(process, "ending: another process has taken over; requests in flight may finish");
            }
        }
        end(proxy, &mut signals).await;
    });
    Ok(())
}

/// Lets what is in flight finish; who asks for the end once more has it at once.
async fn end(proxy: Proxy, signals: &mut Signals) {
    let end = proxy.end();
    let drained = tokio::select! {
        drained = proxy.drain() => drained,
        () = async {
            signals.end().await;
            end.now();
            std::future::pending::<()>().await;
        } => Drained::Aborted(0),
    };
    match drained {
        Drained::Completed => tracing::info!("ended"),
        Drained::Aborted(left) => tracing::warn!(left, "ended before all was finished"),
    }
}

/// Has the system allow as many descriptors as it will, and gives how many of these connections they suffice for: each takes
/// one, and its request to a service another, which is not to be had any more where connections have them all.
fn descriptors_for(connections: usize) -> usize {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }) {
        tracing::info!(%error, "the limit of descriptors stays as it is");
    }
    let allowed = getrlimit(Resource::Nofile).current.and_then(|allowed| usize::try_from(allowed).ok());
    match allowed.map(|allowed| allowed / 2) {
        Some(suffice) if suffice < connections => {
            tracing::info!(
                allowed,
                asked = connections,
                connections = suffice,
                "descriptors suffice for fewer connections"
            );
            suffice
        }
        _ => connections,
    }
}

/// Does what signals ask for until one asks for the end, or until another process serves.
async fn until_the_end(
    proxy: &mut Proxy,
    signals: &mut Signals,
    notifier: &Notifier,
    takes_over: bool,
) -> Option<Handed> {
    let pause = notifier.watchdog();
    let mut watchdog = tokio::time::interval(pause.unwrap_or(Duration::from_hours(1)));
    loop {
        tokio::select! {
            asked = signals.next() => match asked {
                Asked::End => return None,
                Asked::Reload => reload(proxy, notifier),
                Asked::Successor => successor::start(takes_over),
            },
            handed = proxy.handed_over() => return Some(handed),
            _ = watchdog.tick(), if pause.is_some() => notifier.alive(),
        }
    }
}

/// Reloads, and tells the service manager when that is done.
fn reload(proxy: &Proxy, notifier: &Notifier) {
    if !notifier.is_on() {
        return proxy.reload();
    }
    let (reloads, notifier) = (proxy.reopen_log(), notifier.clone());
    notifier.reloading();
    std::thread::spawn(move || {
        if let Err(reason) = reloads.wait(limits::RELOAD_ANSWER) {
            tracing::error!("nothing is known of the reload: {reason}");
        }
        notifier.ready();
    });
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
