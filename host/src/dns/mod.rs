//! Host names to addresses: asked for on a thread of its own, and again whenever an answer's time is over.
//!
//! Whoever builds a registry asks [`Names`] and gets what is known; a name that is new is waited for, within a bound. When
//! an answer changes, [`Names::changes`] does, and the registry is built anew. A resolver that fails changes nothing: the
//! last good answer stays.

mod task;
#[cfg(test)]
mod tests;

use crate::config::limits;
use crate::telemetry::metrics::DnsMetrics;
use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

/// All names that the configuration has. Dropping it ends the thread.
#[derive(Debug)]
pub struct Names {
    shared: Arc<Shared>,
    wanted: mpsc::Sender<String>,
}

#[derive(Debug, Default)]
struct Shared {
    table: Mutex<Table>,
    answered: Condvar,
    changes: AtomicU64,
    metrics: DnsMetrics,
}

#[derive(Debug, Default)]
struct Table {
    names: HashMap<String, Known>,
    /// Counts the loads.
    load: u64,
    /// What this load has spent waiting.
    spent: Duration,
}

/// What is known of a name.
#[derive(Debug, Default)]
struct Known {
    /// The last good answer.
    addresses: Option<Vec<IpAddr>>,
    /// Why the last look-up failed; none when it did not, or there was none.
    failure: Option<String>,
    /// The last load that asked.
    load: u64,
}

impl Names {
    /// Starts the thread. `server` is asked instead of the system's resolvers.
    ///
    /// # Errors
    /// When the system gives no thread, or its resolvers cannot be read.
    pub fn start(server: Option<SocketAddr>, metrics: DnsMetrics) -> io::Result<Self> {
        let shared = Arc::new(Shared { metrics, ..Shared::default() });
        let (wanted, asked) = mpsc::channel(limits::DNS_NAMES);
        task::spawn(server, Arc::clone(&shared), asked)?;
        Ok(Self { shared, wanted })
    }

    /// Begins a load: what is asked until [`Names::settle`] is wanted.
    pub fn begin(&self) {
        let mut table = self.shared.lock();
        table.load += 1;
        table.spent = Duration::ZERO;
    }

    /// Ends a load: names that it did not ask for are forgotten.
    pub fn settle(&self) {
        let mut table = self.shared.lock();
        let load = table.load;
        table.names.retain(|_, known| known.load == load);
    }

    /// Changes whenever an answer does.
    pub fn changes(&self) -> u64 {
        self.shared.changes.load(Ordering::Acquire)
    }

    /// The addresses of a name; a new one is waited for.
    ///
    /// # Errors
    /// Why there are none yet, for people to read.
    pub fn look_up(&self, name: &str) -> Result<Vec<IpAddr>, String> {
        let mut table = self.shared.lock();
        let load = table.load;
        if let Some(known) = table.names.get_mut(name) {
            known.load = load;
        } else {
            self.wanted.try_send(name.to_owned()).map_err(|_| "too many names are looked up".to_owned())?;
            table.names.insert(name.to_owned(), Known { load, ..Known::default() });
        }
        let patience = limits::DNS_FIRST_ANSWER.min(limits::DNS_FIRST_ANSWERS.saturating_sub(table.spent));
        let began = Instant::now();
        let unknown = |table: &mut Table| table.names.get(name).is_some_and(Known::is_new);
        let waited = self.shared.answered.wait_timeout_while(table, patience, unknown);
        let (mut table, _) = waited.unwrap_or_else(PoisonError::into_inner);
        table.spent += began.elapsed();
        match table.names.get(name) {
            Some(Known { addresses: Some(addresses), .. }) => Ok(addresses.clone()),
            Some(Known { failure: Some(failure), .. }) => Err(failure.clone()),
            _ => Err(format!("no answer within {} ms", patience.as_millis())),
        }
    }
}

impl crate::manifest::endpoints::LookUp for Names {
    fn look_up(&self, name: &str) -> Result<Vec<IpAddr>, String> {
        self.look_up(name)
    }
}

impl Known {
    fn is_new(&self) -> bool {
        self.addresses.is_none() && self.failure.is_none()
    }
}

/// What a look-up brought: addresses and for how long they are good.
type Answer = Result<(Vec<IpAddr>, Duration), String>;

impl Shared {
    /// Keeps an answer, and says in how long to ask again; none when nobody wants to know any more.
    fn take_in(&self, name: &str, answer: Answer) -> Option<Duration> {
        self.metrics.looked_up(answer.is_ok());
        let mut table = self.lock();
        let known = table.names.get_mut(name)?;
        let pause = match answer {
            Ok((addresses, life)) => {
                let addresses = usable(addresses);
                if known.failure.take().is_some() {
                    tracing::info!(name, "a host name can be looked up again");
                }
                if known.addresses.as_ref() != Some(&addresses) {
                    tracing::info!(name, ?addresses, "a host name has new addresses");
                    known.addresses = Some(addresses);
                    self.changes.fetch_add(1, Ordering::Release);
                }
                life.clamp(limits::DNS_SHORTEST, limits::DNS_LONGEST)
            }
            Err(failure) => {
                if known.failure.is_none() {
                    let kept = known.addresses.as_ref().map_or(0, Vec::len);
                    tracing::warn!(name, kept, "a host name cannot be looked up; its last answer is kept: {failure}");
                }
                known.failure = Some(failure);
                limits::DNS_AGAIN
            }
        };
        self.answered.notify_all();
        Some(pause)
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The addresses that this machine has a way to (RFC 6724, section 5, rule 1), in order.
fn usable(mut addresses: Vec<IpAddr>) -> Vec<IpAddr> {
    addresses.sort_unstable();
    addresses.dedup();
    let reached: Vec<IpAddr> = addresses.iter().copied().filter(|address| has_route(*address)).collect();
    if reached.is_empty() { addresses } else { reached }
}

/// Nothing is sent: the system only says which of its addresses it would use.
fn has_route(address: IpAddr) -> bool {
    let any: IpAddr = match address {
        IpAddr::V4(_) => std::net::Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => std::net::Ipv6Addr::UNSPECIFIED.into(),
    };
    UdpSocket::bind((any, 0)).and_then(|socket| socket.connect((address, 9))).is_ok()
}
