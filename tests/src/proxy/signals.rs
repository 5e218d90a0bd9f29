//! What the process can be asked by signals.

use super::Proxy;
use rustix::process::{Pid, Signal, kill_process};

impl Proxy {
    /// Asks it to end, as an orchestrator does: SIGTERM.
    pub fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    /// Asks it to start its successor: SIGUSR2.
    pub fn succeed(&self) {
        self.signal(Signal::USR2);
    }

    /// Asks it to read its directories anew: SIGHUP.
    pub fn hang_up(&self) {
        self.signal(Signal::HUP);
    }

    /// Has it stand still: SIGSTOP.
    pub fn halt(&self) {
        self.signal(Signal::STOP);
    }

    /// Has it go on: SIGCONT.
    pub fn go_on(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.process()).ok().and_then(Pid::from_raw).expect("a process has a number");
        kill_process(pid, signal).expect("the proxy is running");
    }
}
