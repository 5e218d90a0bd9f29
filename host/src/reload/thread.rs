//! The thread that reloads.

use super::asked::{Asked, Reloaded, Reloads};
use super::behind;
use super::load::{Loader, Sources};
use super::rollout::{Effect, LOOK, Order, Orders};
use super::status::Status;
use crate::allocator;
use crate::config::{Settings, Watch};
use crate::exchange::Exchange;
use crate::manifest::{Diagnostics, Severity};
use crate::worker::Doors;
use arc_swap::ArcSwap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

/// How often the thread looks whether it should end.
const PATIENCE: Duration = Duration::from_millis(500);
/// How much less than workers the thread matters: on a busy machine it yields to them, and still gets the quarter of a
/// processor that puts a change in force in time. At idle priority it would get nothing for seconds.
const NICE: i32 = 5;

/// What was done, or why it was not.
type Told = Result<String, String>;

/// A running reload thread.
#[derive(Debug)]
pub struct Reload {
    /// What reloads have led to.
    pub status: Arc<ArcSwap<Status>>,
    /// For what operators ask.
    pub orders: Orders,
    /// For reloads that operators ask for.
    pub reloads: Reloads,
    stop: Arc<AtomicBool>,
}

impl Drop for Reload {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// Reloads whenever something is not as it was at `first`: whenever `changed`, which waits for at most as long as it is told, gives what files are now.
pub fn spawn(
    (mut loader, first): (Loader, Sources),
    settings: Arc<Settings>,
    (exchange, doors): (Arc<Exchange>, Doors),
    mut changed: impl FnMut(Duration) -> Option<Sources> + Send + 'static,
) -> std::io::Result<Reload> {
    let status = Arc::new(ArcSwap::from_pointee(loader.status.clone()));
    let stop = Arc::new(AtomicBool::new(false));
    let (orders, ordered) = Orders::new();
    let (reloads, asked) = Reloads::new();
    let reload = Reload { status: Arc::clone(&status), orders, reloads, stop: Arc::clone(&stop) };
    let run = move || {
        // On Linux this is the thread's own priority, not the process's.
        if let Err(error) = rustix::process::setpriority_process(None, NICE) {
            tracing::debug!(%error, "reloads run at normal priority");
        }
        // What lies in the directories at any moment may be half written; the watch knows what has come to rest.
        let mut at_rest = (settings.watch != Watch::Off).then_some(first);
        while !stop.load(Ordering::Relaxed) {
            let due = loader.recheck().map(|at| at.saturating_duration_since(Instant::now()));
            // While spares are to be made, what has changed is only looked for.
            let prepared = settings.watch != Watch::Off && loader.prepare_spare();
            loader.recycle();
            loader.take_instances();
            let patience = match (prepared, loader.behind.is_busy(), loader.is_rolling_out()) {
                (true, ..) => Duration::ZERO,
                (false, true, _) => behind::LOOK,
                (false, false, true) => LOOK,
                (false, false, false) => PATIENCE,
            };
            let changed = changed(due.unwrap_or(patience).min(patience));
            let files = settings.watch != Watch::Off && loader.files_changed();
            let recheck = files || loader.recheck().is_some_and(|at| at <= Instant::now());
            let (ordered, replies) = obey(&mut loader, &ordered, &exchange);
            let advanced = advance(&mut loader, &exchange);
            if ordered.is_some() || advanced {
                status.store(Arc::new(loader.status.clone()));
            }
            // Whoever asked may look at once.
            for (order, outcome) in replies {
                order.reply(outcome);
            }
            let rescan = recheck || ordered == Some(Effect::Files) || loader.behind.is_done();
            let asked: Vec<Asked> = asked.try_iter().collect();
            let due = changed.is_some() || rescan || !asked.is_empty();
            at_rest = changed.or(at_rest);
            // What the watch has read may be older than what an operator wants to have read.
            let scanned = (!asked.is_empty() || at_rest.is_none()).then(|| due.then(|| Loader::scan(&settings)));
            if let Some(sources) = scanned.flatten().as_ref().or(at_rest.as_ref()).filter(|_| due) {
                let reloaded = apply(&mut loader, sources, &exchange, &doors);
                status.store(Arc::new(loader.status.clone()));
                for asked in asked {
                    asked.reply(&reloaded);
                }
                // Compiling takes much that is not needed until the next change.
                allocator::give_back();
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

/// Ends stages of rollouts that are over, and says whether there were any under way.
fn advance(loader: &mut Loader, exchange: &Exchange) -> bool {
    let running = loader.is_rolling_out();
    if let Some(snapshot) = loader.advance(&exchange.snapshot.load()) {
        exchange.snapshot.store(Arc::new(snapshot));
    }
    running
}

/// Carries out what operators have asked for, and says what is different then (none: nobody has asked), and what they are told.
fn obey(loader: &mut Loader, orders: &Receiver<Order>, exchange: &Exchange) -> (Option<Effect>, Vec<(Order, Told)>) {
    let (mut effect, mut replies) = (None, Vec::new());
    while let Ok(order) = orders.try_recv() {
        let done = loader.obey(order.action, &order.filter);
        if let Ok((_, of_order)) = &done {
            if *of_order == Effect::Chain {
                exchange.snapshot.store(Arc::new(loader.rebuilt(&exchange.snapshot.load())));
            }
            effect = if effect == Some(Effect::Files) { effect } else { Some(*of_order) };
        }
        replies.push((order, done.map(|(done, _)| done)));
    }
    (effect, replies)
}

/// Loads, and swaps the snapshot when there is one.
fn apply(loader: &mut Loader, sources: &Sources, exchange: &Exchange, doors: &Doors) -> Reloaded {
    let started = Instant::now();
    let (change, diagnostics) = loader.load(sources);
    log(&diagnostics);
    if let Some(change) = change {
        let generation = change.snapshot.generation;
        exchange.channels.apply(change.channels);
        exchange.snapshot.store(Arc::new(change.snapshot));
        doors.apply(change.listeners);
        let milliseconds = started.elapsed().as_millis();
        if diagnostics.has_errors() {
            tracing::warn!(
                generation,
                milliseconds,
                "what has errors was left out; what was in force before stays in its place"
            );
        } else {
            tracing::info!(generation, milliseconds, "the configuration is in force");
        }
    } else {
        tracing::error!("the change was refused; what was in force stays in force");
    }
    let (generation, compiling) = (exchange.snapshot.load().generation, loader.behind.is_busy());
    Reloaded { generation, took: started.elapsed(), compiling, diagnostics }
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
