//! The thread that reloads.

use super::load::{Loader, Sources};
use super::status::Status;
use crate::config::{Settings, Watch};
use crate::exchange::Exchange;
use crate::manifest::{Diagnostics, Severity};
use crate::worker::Doors;
use arc_swap::ArcSwap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How often the thread looks whether it should end.
const PATIENCE: Duration = Duration::from_millis(500);
/// How much less than workers the thread matters: on a busy machine it yields to them, and still gets the quarter of a
/// processor that puts a change in force in time. At idle priority it would get nothing for seconds.
const NICE: i32 = 5;

/// A running reload thread.
#[derive(Debug)]
pub struct Reload {
    /// What reloads have led to.
    pub status: Arc<ArcSwap<Status>>,
    stop: Arc<AtomicBool>,
}

impl Drop for Reload {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// Reloads whenever `changed`, which waits for at most as long as it is told, gives what files are now.
pub fn spawn(
    mut loader: Loader,
    settings: Arc<Settings>,
    (exchange, doors): (Arc<Exchange>, Doors),
    mut changed: impl FnMut(Duration) -> Option<Sources> + Send + 'static,
) -> std::io::Result<Reload> {
    let status = Arc::new(ArcSwap::from_pointee(loader.status.clone()));
    let stop = Arc::new(AtomicBool::new(false));
    let reload = Reload { status: Arc::clone(&status), stop: Arc::clone(&stop) };
    let run = move || {
        // On Linux this is the thread's own priority, not the process's.
        if let Err(error) = rustix::process::setpriority_process(None, NICE) {
            tracing::debug!(%error, "reloads run at normal priority");
        }
        while !stop.load(Ordering::Relaxed) {
            let due = loader.recheck().map(|at| at.saturating_duration_since(Instant::now()));
            // While spares are to be made, what has changed is only looked for.
            let prepared = settings.watch != Watch::Off && loader.prepare_spare();
            loader.recycle();
            let patience = if prepared { Duration::ZERO } else { PATIENCE };
            let changed = changed(due.unwrap_or(patience).min(patience));
            let files = settings.watch != Watch::Off && loader.files_changed();
            let recheck = files || loader.recheck().is_some_and(|at| at <= Instant::now());
            let sources = changed.or_else(|| recheck.then(|| Loader::scan(&settings)));
            if let Some(sources) = sources {
                apply(&mut loader, &sources, &exchange, &doors);
                status.store(Arc::new(loader.status.clone()));
            } else if loader.names_changed()
                && let Some(snapshot) = loader.renew(&exchange.snapshot.load())
            {
                exchange.snapshot.store(Arc::new(snapshot));
            }
        }
    };
    std::thread::Builder::new().name("reload".into()).spawn(run)?;
    Ok(reload)
}

/// Loads, and swaps the snapshot when there is one.
fn apply(loader: &mut Loader, sources: &Sources, exchange: &Exchange, doors: &Doors) {
    let started = Instant::now();
    let (change, diagnostics) = loader.load(sources);
    log(&diagnostics);
    if let Some(change) = change {
        let generation = change.snapshot.generation;
        exchange.channels.apply(change.channels);
        exchange.snapshot.store(Arc::new(change.snapshot));
        doors.apply(change.listeners);
        tracing::info!(generation, milliseconds = started.elapsed().as_millis(), "the configuration is in force");
    } else {
        tracing::error!("the change was refused; what was in force stays in force");
    }
}

/// Says what was found, each finding on a line.
pub(crate) fn log(diagnostics: &Diagnostics) {
    for diagnostic in diagnostics {
        let line = diagnostic.line();
        match diagnostic.severity {
            Severity::Error => tracing::error!("{line}"),
            Severity::Warning => tracing::warn!("{line}"),
            Severity::Note => tracing::info!("{line}"),
        }
    }
}
