//! The thread that writes for all channels.

use super::log::FileLog;
use crate::event::store::StoreError;
use crate::wasm::bindings::sluicegate::filter::types::Event;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// How long a subscription's place may be behind, which is what is delivered again after a crash: writing it takes a tenth
/// of a millisecond.
const SAVE: Duration = Duration::from_millis(25);
/// How often events are looked at for their age when nothing happens.
const LOOK: Duration = Duration::from_secs(1);

/// Events that a publisher waits for.
#[derive(Debug)]
pub(super) struct Pending {
    /// As they are written, and as they are.
    pub(super) events: Vec<(Vec<u8>, Arc<Event>)>,
    /// What was reserved for them, in bytes.
    pub(super) size: u64,
    pub(super) done: oneshot::Sender<Result<(), StoreError>>,
}

/// What is to be written.
#[derive(Debug, Default)]
pub(super) struct Queue {
    state: Mutex<State>,
    wake: Condvar,
}

#[derive(Debug, Default)]
struct State {
    pending: Vec<(Arc<FileLog>, Pending)>,
    logs: Vec<Weak<FileLog>>,
    /// Whether a place has moved since it was last written.
    moved: bool,
    end: Option<End>,
}

/// How the thread is to end.
#[derive(Debug)]
enum End {
    /// With everything written; tells when.
    Flushed(oneshot::Sender<()>),
    /// At once, as if the process had been killed.
    Abandoned,
}

impl Queue {
    /// Gives events to the thread.
    pub(super) fn push(&self, log: &Arc<FileLog>, pending: Pending) -> Result<(), StoreError> {
        let mut state = self.state();
        if state.end.is_some() {
            return Err(StoreError::Unavailable("the proxy is ending".to_owned()));
        }
        let is_first = state.pending.is_empty();
        state.pending.push((Arc::clone(log), pending));
        drop(state);
        if is_first {
            self.wake.notify_one();
        }
        Ok(())
    }

    /// Looks after a log for as long as it is in use.
    pub(super) fn follow(&self, log: &Arc<FileLog>) {
        let mut state = self.state();
        state.logs.retain(|log| log.strong_count() > 0);
        state.logs.push(Arc::downgrade(log));
    }

    /// A place has moved, and is to be written some time.
    pub(super) fn moved(&self) {
        if !std::mem::replace(&mut self.state().moved, true) {
            self.wake.notify_one();
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for something to do. Says whether it is time to look after the logs, which was last done at `looked`.
    fn wait(&self, looked: Instant) -> (MutexGuard<'_, State>, bool) {
        let mut state = self.state();
        loop {
            let left = if state.moved { SAVE } else { LOOK }.saturating_sub(looked.elapsed());
            if left.is_zero() || state.end.is_some() || !state.pending.is_empty() {
                return (state, left.is_zero());
            }
            state = self.wake.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn run(&self) {
        let mut looked = Instant::now();
        loop {
            let (mut state, due) = self.wait(looked);
            let end = state.end.take();
            if let Some(end) = &end {
                // What comes now comes too late.
                state.end = Some(End::Abandoned);
                if matches!(end, End::Abandoned) {
                    return state.pending.clear();
                }
            }
            let pending = std::mem::take(&mut state.pending);
            let look = due || end.is_some();
            if look {
                state.moved = false;
            }
            let logs: Vec<Arc<FileLog>> = state.logs.iter().filter(|_| look).filter_map(Weak::upgrade).collect();
            drop(state);
            for (log, batch) in by_log(pending) {
                log.write(batch);
            }
            if look {
                for log in &logs {
                    log.maintain(end.is_some());
                }
                looked = Instant::now();
            }
            if let Some(End::Flushed(done)) = end {
                // Whoever wanted to know may have given up.
                let _ = done.send(());
                return;
            }
        }
    }
}

/// Sorts what is to be written by log, each in the order in which it came.
fn by_log(pending: Vec<(Arc<FileLog>, Pending)>) -> Vec<(Arc<FileLog>, Vec<Pending>)> {
    let mut sorted: Vec<(Arc<FileLog>, Vec<Pending>)> = Vec::with_capacity(1);
    for (log, pending) in pending {
        match sorted.iter_mut().find(|(known, _)| Arc::ptr_eq(known, &log)) {
            Some((_, batch)) => batch.push(pending),
            None => sorted.push((log, vec![pending])),
        }
    }
    sorted
}

/// The thread.
#[derive(Debug)]
pub(super) struct Writer {
    queue: Arc<Queue>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    pub(super) fn start() -> io::Result<Self> {
        let queue = Arc::new(Queue::default());
        let shared = Arc::clone(&queue);
        let thread = std::thread::Builder::new().name("event-writer".into()).spawn(move || shared.run())?;
        Ok(Self { queue, thread: Some(thread) })
    }

    pub(super) fn queue(&self) -> &Arc<Queue> {
        &self.queue
    }

    /// Writes everything that waits, and the places of all subscriptions, and ends.
    pub(super) async fn close(&self) {
        let (done, ended) = oneshot::channel();
        {
            let mut state = self.queue.state();
            if state.end.is_some() {
                return;
            }
            state.end = Some(End::Flushed(done));
        }
        self.queue.wake.notify_one();
        // A thread that is gone has nothing left to write.
        let _ = ended.await;
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.queue.state().end.get_or_insert(End::Abandoned);
        self.queue.wake.notify_one();
        if let Some(thread) = self.thread.take() {
            // It says why itself when it has panicked.
            let _ = thread.join();
        }
    }
}
