//! Host names to addresses, within a bound of time.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

/// One name: well above a working resolver's answer, below its own patience of several seconds for one that is gone.
const LOOK_UP: Duration = Duration::from_secs(1);
/// All names of one load, so that a dead resolver cannot hold up a reload for long.
const ALL_LOOK_UPS: Duration = Duration::from_secs(3);

/// Looks names up and remembers them for one load.
#[derive(Debug, Default)]
pub(super) struct Resolver {
    known: HashMap<String, Result<Vec<IpAddr>, String>>,
    spent: Duration,
}

impl Resolver {
    /// The addresses of a name.
    pub(super) fn look_up(&mut self, name: &str) -> Result<Vec<IpAddr>, String> {
        if let Some(known) = self.known.get(name) {
            return known.clone();
        }
        let patience = LOOK_UP.min(ALL_LOOK_UPS.saturating_sub(self.spent));
        let start = Instant::now();
        let found = if patience.is_zero() {
            Err("the time for looking up names is used up".into())
        } else {
            look_up_within(name, patience)
        };
        self.spent += start.elapsed();
        self.known.insert(name.into(), found.clone());
        found
    }
}

/// The system's lookup knows no deadline, so it runs on a thread of its own, which ends when the system answers.
fn look_up_within(name: &str, patience: Duration) -> Result<Vec<IpAddr>, String> {
    let (sender, receiver) = mpsc::sync_channel(1);
    let host = name.to_owned();
    let started = thread::Builder::new().name("resolve".into()).spawn(move || {
        let found = (host.as_str(), 0).to_socket_addrs().map(Iterator::collect::<Vec<_>>);
        // Nobody waits any more once the time is up.
        let _ = sender.send(found);
    });
    started.map_err(|error| error.to_string())?;
    match receiver.recv_timeout(patience) {
        Ok(Ok(addresses)) => Ok(preferred(&addresses)),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err(format!("no answer within {} ms", patience.as_millis())),
    }
}

/// The IPv4 addresses, or else the IPv6 ones: a name such as `localhost` has both while its server often listens on the
/// first only.
fn preferred(addresses: &[SocketAddr]) -> Vec<IpAddr> {
    let mut found: Vec<IpAddr> = addresses.iter().map(SocketAddr::ip).collect();
    if found.iter().any(IpAddr::is_ipv4) {
        found.retain(IpAddr::is_ipv4);
    }
    let mut seen = std::collections::HashSet::new();
    found.retain(|address| seen.insert(*address));
    found
}
