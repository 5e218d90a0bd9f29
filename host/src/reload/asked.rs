//! Reloads that an operator asks for, by a signal or by the admin endpoint.
//!
//! The directories are read anew, every file of them, whatever their watch has seen: also where watching is off, or a file
//! system tells nothing of its changes.

use crate::manifest::Diagnostics;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::time::Duration;

/// Reloads that wait for the thread; who comes then is told to try again.
const QUEUE: usize = 16;

/// Asks for reloads. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Reloads(SyncSender<Asked>);

/// What came of a reload.
#[derive(Debug, Clone)]
pub struct Reloaded {
    /// The number of the configuration that is in force now.
    pub generation: u64,
    /// How long it took.
    pub took: Duration,
    /// Whether a large filter is still being compiled, which comes into force by itself.
    pub compiling: bool,
    /// What was found; an error means that what it is about stays as it was.
    pub diagnostics: Diagnostics,
}

/// Why nothing is known of a reload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unanswered {
    /// So many wait already.
    #[error("too many reloads are asked for; try again")]
    TooMany,
    /// It takes longer than somebody wanted to wait.
    #[error("the reload is not done yet; `sluice filter list` and the log show what comes of it")]
    NotYet,
    /// The thread that reloads has ended.
    #[error("nothing is reloaded any more: the proxy ends, or its log says why")]
    Ended,
}

/// One reload that is asked for.
#[derive(Debug)]
pub struct Asked(Option<SyncSender<Reloaded>>);

impl Reloads {
    /// A way to ask, and where it arrives.
    pub fn new() -> (Self, Receiver<Asked>) {
        let (sender, receiver) = sync_channel(QUEUE);
        (Self(sender), receiver)
    }

    /// Asks for a reload, of which the log will say what came of it.
    pub fn ask(&self) -> Result<(), Unanswered> {
        self.send(None)
    }

    /// Asks for a reload and waits for what comes of it, for so long at most.
    pub fn wait(&self, patience: Duration) -> Result<Reloaded, Unanswered> {
        let (reply, answer) = sync_channel(1);
        self.send(Some(reply))?;
        answer.recv_timeout(patience).map_err(|error| match error {
            RecvTimeoutError::Timeout => Unanswered::NotYet,
            RecvTimeoutError::Disconnected => Unanswered::Ended,
        })
    }

    fn send(&self, reply: Option<SyncSender<Reloaded>>) -> Result<(), Unanswered> {
        self.0.try_send(Asked(reply)).map_err(|error| match error {
            TrySendError::Full(_) => Unanswered::TooMany,
            TrySendError::Disconnected(_) => Unanswered::Ended,
        })
    }
}

impl Asked {
    /// Says what came of it.
    pub(super) fn reply(self, reloaded: &Reloaded) {
        // Whoever asked may have gone.
        let _ = self.0.map(|reply| reply.try_send(reloaded.clone()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_asks_is_told_what_came_of_it_or_why_nothing_did() {
        let (reloads, asked) = Reloads::new();
        assert_eq!(reloads.wait(Duration::ZERO).unwrap_err(), Unanswered::NotYet);
        reloads.ask().unwrap();
        assert_eq!(asked.try_iter().count(), 2);
        let done = Reloaded { generation: 7, took: Duration::ZERO, compiling: false, diagnostics: Diagnostics::new() };
        let thread = std::thread::spawn(move || {
            asked.recv().unwrap().reply(&done);
            asked.recv().map(drop)
        });
        assert_eq!(reloads.wait(Duration::from_secs(10)).unwrap().generation, 7);
        reloads.ask().unwrap();
        thread.join().unwrap().unwrap();
        assert_eq!(reloads.wait(Duration::from_secs(10)).unwrap_err(), Unanswered::Ended);
    }

    #[test]
    fn so_many_may_wait() {
        let (reloads, _asked) = Reloads::new();
        let refused = (0..=QUEUE).map(|_| reloads.ask()).find(Result::is_err);
        assert_eq!(refused, Some(Err(Unanswered::TooMany)));
    }
}
