//! Tells the service manager what becomes of this process: sd_notify(3), where `NOTIFY_SOCKET` names a socket.

use rustix::time::{ClockId, clock_gettime};
use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::sync::Arc;
use std::time::Duration;

/// Speaks to the service manager, or to nobody. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Notifier(Option<Arc<Manager>>);

#[derive(Debug)]
struct Manager {
    socket: UnixDatagram,
    address: SocketAddr,
    watchdog: Option<Duration>,
}

impl Notifier {
    /// As the environment says.
    pub fn from_environment() -> Self {
        let variable = |name: &str| std::env::var(name).ok();
        let Some(name) = std::env::var_os("NOTIFY_SOCKET").filter(|name| !name.is_empty()) else { return Self(None) };
        let mine = variable("WATCHDOG_PID").is_none_or(|process| process == std::process::id().to_string());
        let watchdog = variable("WATCHDOG_USEC").filter(|_| mine).and_then(|time| time.parse().ok());
        match Self::to(&name, watchdog.map(Duration::from_micros)) {
            Ok(notifier) => notifier,
            Err(error) => {
                tracing::warn!(%error, "the service manager at NOTIFY_SOCKET cannot be told anything");
                Self(None)
            }
        }
    }

    fn to(name: &OsStr, watchdog: Option<Duration>) -> io::Result<Self> {
        let address = match name.as_bytes() {
            [b'@', rest @ ..] => SocketAddr::from_abstract_name(rest)?,
            _ => SocketAddr::from_pathname(name)?,
        };
        let socket = UnixDatagram::unbound()?;
        socket.set_nonblocking(true)?;
        Ok(Self(Some(Arc::new(Manager { socket, address, watchdog }))))
    }

    /// Requests are taken, and what is in force is as the files say.
    pub fn ready(&self) {
        self.tell("READY=1");
    }

    /// The files are being read anew; [`Notifier::ready`] says when that is done.
    pub fn reloading(&self) {
        let now = clock_gettime(ClockId::Monotonic);
        let microseconds = i128::from(now.tv_sec) * 1_000_000 + i128::from(now.tv_nsec) / 1_000;
        self.tell(&format!("RELOADING=1\nMONOTONIC_USEC={microseconds}"));
    }

    /// The process is ending.
    pub fn stopping(&self) {
        self.tell("STOPPING=1");
    }

    /// Another process has taken over, which is the service from now on.
    pub fn succeeded_by(&self, process: u32) {
        self.tell(&format!("MAINPID={process}"));
    }

    /// The process lives; to be said as often as [`Notifier::watchdog`] says.
    pub fn alive(&self) {
        self.tell("WATCHDOG=1");
    }

    /// How often the manager wants to hear that the process lives: twice as often as it would give up.
    pub fn watchdog(&self) -> Option<Duration> {
        self.0.as_ref()?.watchdog.map(|limit| limit / 2).filter(|pause| !pause.is_zero())
    }

    /// Whether anybody listens.
    pub fn is_on(&self) -> bool {
        self.0.is_some()
    }

    fn tell(&self, state: &str) {
        let Some(manager) = &self.0 else { return };
        if let Err(error) = manager.socket.send_to_addr(state.as_bytes(), &manager.address) {
            tracing::debug!(%error, state, "the service manager was not told");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manager_is_told_in_its_words() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("notify");
        let manager = UnixDatagram::bind(&path).unwrap();
        let notifier = Notifier::to(path.as_os_str(), Some(Duration::from_secs(4))).unwrap();
        let heard = || {
            let mut bytes = [0; 100];
            let length = manager.recv(&mut bytes).unwrap();
            String::from_utf8_lossy(&bytes[..length]).into_owned()
        };
        notifier.ready();
        assert_eq!(heard(), "READY=1");
        notifier.reloading();
        let (reloading, time) =
            heard().split_once('\n').map(|(one, other)| (one.to_owned(), other.to_owned())).unwrap();
        assert_eq!(reloading, "RELOADING=1");
        assert!(time.strip_prefix("MONOTONIC_USEC=").unwrap().parse::<u64>().unwrap() > 0);
        notifier.succeeded_by(7);
        assert_eq!(heard(), "MAINPID=7");
        assert_eq!(notifier.watchdog(), Some(Duration::from_secs(2)));
        notifier.stopping();
        assert_eq!(heard(), "STOPPING=1");
    }

    #[test]
    fn an_abstract_name_begins_with_an_at_sign_and_nobody_is_told_without_a_manager() {
        let name = format!("@sluice-test-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name.as_bytes()[1..]).unwrap();
        let manager = UnixDatagram::bind_addr(&address).unwrap();
        Notifier::to(OsStr::new(&name), None).unwrap().stopping();
        let mut bytes = [0; 20];
        assert_eq!(manager.recv(&mut bytes).unwrap(), "STOPPING=1".len());
        let nobody = Notifier::default();
        nobody.ready();
        assert!(!nobody.is_on() && nobody.watchdog().is_none());
    }
}
