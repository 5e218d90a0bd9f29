//! Watches directories and says when the content of their files has changed and come to rest.
//!
//! Editors rename over, ConfigMaps swap a symbolic link, copies grow while one looks, network mounts send no events.
//! So events only ever say "look now": what counts is a look at the directory, which is repeated until nothing moves,
//! and then the files' content, read once. What is reported is what was read. Touches that change no content report
//! nothing.

mod settle;
#[cfg(test)]
mod tests;
mod touched;
mod tree;
mod walk;
mod watcher;

use std::path::PathBuf;
use std::sync::mpsc::{self, SyncSender};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use tokio::sync::Notify;

use touched::Touched;
pub use tree::{File, Tree};

/// What to watch: a directory (or one file), and the extensions of the files that count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// It may be absent, appear and be replaced at any time.
    pub path: PathBuf,
    /// Without dots, in lower case.
    pub extensions: &'static [&'static str],
}

/// How changes are noticed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// By events of the system, and by looking now and then; by looking often where there are no events.
    #[default]
    Auto,
    /// By events only.
    Native,
    /// By looking often.
    Poll,
}

/// The trees of all targets, in their order, as of one moment.
pub type Trees = Arc<[Tree]>;

/// A running watch; dropping it ends it.
#[derive(Debug)]
pub struct Watch {
    shared: Arc<Shared>,
    signal: SyncSender<Signal>,
    touched: Arc<Touched>,
    thread: Option<JoinHandle<()>>,
}

/// What the watching thread hears.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Signal {
    /// Something happened.
    Look,
    /// The watch is over.
    Stop,
}

/// What the watching thread and the watch's owner have in common: the newest report, of which only the last counts.
#[derive(Debug, Default)]
struct Shared {
    report: Mutex<Option<Trees>>,
    changed: Condvar,
    notify: Notify,
}

impl Watch {
    /// Reads the targets and begins to watch them. Returns the content as it is now; later changes against it are
    /// reported. Fails only if no thread can be started.
    pub fn start(targets: Vec<Target>, mode: Mode) -> std::io::Result<(Self, Trees)> {
        // One pending signal is enough: it says "look", not what has happened.
        let (signal, signals) = mpsc::sync_channel(1);
        let shared = Arc::new(Shared::default());
        let touched = Arc::new(Touched::default());
        let settle = settle::Settle::new(targets, mode, signal.clone(), Arc::clone(&touched));
        let trees = settle.trees();
        let reports = Arc::clone(&shared);
        let thread = thread::Builder::new().name("watch".into()).spawn(move || settle.run(&signals, &reports))?;
        Ok((Self { shared, signal, touched, thread: Some(thread) }, trees))
    }

    /// Waits for the next change. When several have happened the newest state is returned, once.
    pub async fn changed(&mut self) -> Trees {
        loop {
            if let Some(trees) = self.shared.lock().take() {
                return trees;
            }
            self.shared.notify.notified().await;
        }
    }

    /// The same for a thread, which is blocked for this long at most.
    pub fn wait(&mut self, patience: Duration) -> Option<Trees> {
        let end = Instant::now() + patience;
        let mut report = self.shared.lock();
        while report.is_none() {
            let left = end.checked_duration_since(Instant::now())?;
            let waited = self.shared.changed.wait_timeout(report, left);
            report = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        report.take()
    }

    /// Looks at once and reads every file, such as after a signal of the operator.
    pub fn look(&self) {
        self.touched.add_everything();
        // A full channel means that a look is due already.
        let _ = self.signal.try_send(Signal::Look);
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        // The thread takes signals in order, each within the bound of one round of looking.
        let _ = self.signal.send(Signal::Stop);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn publish(&self, trees: Trees) {
        *self.lock() = Some(trees);
        self.changed.notify_all();
        self.notify.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, Option<Trees>> {
        self.report.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
