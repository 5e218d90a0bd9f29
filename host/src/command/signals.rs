//! What signals ask of a running proxy.

use std::io;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    /// SIGTERM, or SIGINT: the end.
    End,
    /// SIGHUP: the directories are to be read anew.
    Reload,
    /// SIGUSR2: a process is to be started that takes the place of this one.
    Successor,
}

/// The signals that mean something.
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
    successor: Signal,
    /// A write beyond a limit on the size of files is to fail, as one to a full disk does, and not to end the process.
    _file_size: Signal,
}

impl Signals {
    /// Listens from now on; it takes a runtime.
    pub(super) fn listen() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
            successor: signal(SignalKind::user_defined2())?,
            _file_size: signal(SignalKind::from_raw(rustix::process::Signal::XFSZ.as_raw()))?,
        })
    }

    /// The next thing that is asked for.
    pub(super) async fn next(&mut self) -> Asked {
        tokio::select! {
            _ = self.terminate.recv() => Asked::End,
            _ = self.interrupt.recv() => Asked::End,
            _ = self.hangup.recv() => Asked::Reload,
            _ = self.successor.recv() => Asked::Successor,
        }
    }

    /// Whether the end has been asked for already. What else was asked for meanwhile is still to come.
    pub(super) async fn have_asked_for_the_end(&mut self) -> bool {
        // The runtime looks for signals when its tasks let it.
        tokio::task::yield_now().await;
        tokio::select! {
            biased;
            _ = self.terminate.recv() => true,
            _ = self.interrupt.recv() => true,
            () = std::future::ready(()) => false,
        }
    }

    /// Resolves once the end is asked for.
    pub(super) async fn end(&mut self) {
        while self.next().await != Asked::End {}
    }
}
