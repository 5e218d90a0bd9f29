//! What one client may do: so many requests in flight, until their responses begin, and so many in a time. Off unless a
//! document says otherwise.
//!
//! A client is an address; of IPv6 the first 64 bits, as a household or a server has all of the rest to choose from. Its
//! entry is looked up once for each connection, and counts with atomics from then on. Rates follow the generic cell rate
//! algorithm (ITU-T I.371, annex A): one moment is all that is kept of a bucket. An entry of a client without connections
//! whose bucket is full again says nothing, and makes room for others.

use crate::config::limits;
use crate::priority::Priority;
use crate::shed::{Shed, ShedReason};
use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The part of an IPv6 address that a client cannot choose.
const PREFIX: u128 = !(u64::MAX as u128);
/// As many entries are looked at for one that may go, so that a full table is no reason to wait.
const LOOKED_AT: usize = 64;

/// What one client may do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ClientLimits {
    /// Requests in flight: until their responses begin.
    pub requests: Option<u32>,
    /// Requests in a time.
    pub rate: Option<Rate>,
}

/// A bucket of tokens, one of which each request takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// How long it takes for one more.
    pub every: Duration,
    /// How many there are at most; at least one.
    pub burst: u32,
}

impl ClientLimits {
    /// Whether there are any.
    pub fn are_set(&self) -> bool {
        self.requests.is_some() || self.rate.is_some()
    }
}

/// One client.
#[derive(Debug, Default)]
pub struct Client {
    in_flight: AtomicU32,
    /// When its bucket is full, in nanoseconds from the beginning of the table.
    full_at: AtomicU64,
}

/// A request of a client, until it is dropped.
#[derive(Debug)]
pub struct OfClient(Arc<Client>);

impl Drop for OfClient {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

/// All clients of which something is known.
#[derive(Debug)]
pub struct Clients {
    known: Mutex<HashMap<IpAddr, Arc<Client>>>,
    most: usize,
    began: Instant,
}

impl Default for Clients {
    fn default() -> Self {
        Self { known: Mutex::default(), most: limits::CLIENTS, began: Instant::now() }
    }
}

impl Clients {
    /// The entry of a client: the one that is there, or a new one.
    pub fn of(&self, address: IpAddr) -> Arc<Client> {
        let key = key(address);
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = known.get(&key) {
            return Arc::clone(client);
        }
        if known.len() >= self.most {
            self.make_room(&mut known);
        }
        let client = Arc::<Client>::default();
        known.insert(key, Arc::clone(&client));
        client
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Takes a request of a client, unless it has to wait.
    pub fn admit(&self, client: &Arc<Client>, limits: ClientLimits, priority: Priority) -> Result<OfClient, Shed> {
        // Counted before it is compared, so that two at the same time cannot both be the last one.
        let counted = OfClient(Arc::clone(client));
        let before = client.in_flight.fetch_add(1, Ordering::Relaxed);
        if limits.requests.is_some_and(|most| before >= most) {
            return Err(Shed::new(ShedReason::ClientRequests, priority));
        }
        match limits.rate.map_or(Ok(()), |rate| client.take(rate, self.now())) {
            Ok(()) => Ok(counted),
            Err(wait) => {
                let retry_after = u32::try_from(wait.as_nanos().div_ceil(1_000_000_000)).unwrap_or(u32::MAX).max(1);
                Err(Shed { retry_after, ..Shed::new(ShedReason::ClientRate, priority) })
            }
        }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    /// Forgets those of the first few that say nothing, or else one that has no connection: at worst a client that comes
    /// back finds its bucket full.
    fn make_room(&self, known: &mut HashMap<IpAddr, Arc<Client>>) {
        let now = self.now();
        let unused = |client: &Arc<Client>| Arc::strong_count(client) == 1;
        let looked_at = || known.iter().take(LOOKED_AT).filter(|(_, client)| unused(client));
        let idle = looked_at().filter(|(_, client)| client.full_at.load(Ordering::Relaxed) <= now);
        let mut gone: Vec<IpAddr> = idle.map(|(address, _)| *address).collect();
        if gone.is_empty() {
            gone.extend(looked_at().map(|(address, _)| *address).next());
        }
        for address in &gone {
            known.remove(address);
        }
        if known.len() >= self.most {
            // All of those have connections, which are limited themselves.
            known.retain(|_, client| !unused(client));
        }
    }
}

impl Client {
    /// Takes a token, or says how long it takes until there is one.
    fn take(&self, rate: Rate, now: u64) -> Result<(), Duration> {
        let every = u64::try_from(rate.every.as_nanos()).unwrap_or(u64::MAX);
        let depth = every.saturating_mul(u64::from(rate.burst.max(1)));
        let mut full_at = self.full_at.load(Ordering::Relaxed);
        loop {
            // An empty bucket, and no emptier one: what is later is left of another rate, before a reload.
            let known = full_at.min(now.saturating_add(depth));
            let then = known.max(now).saturating_add(every);
            let wait = then.saturating_sub(now).saturating_sub(depth);
            // Kept also where the request has to wait, so that the bucket fills from now on.
            let kept = if wait > 0 { known } else { then };
            if kept != full_at {
                let kept = self.full_at.compare_exchange_weak(full_at, kept, Ordering::Relaxed, Ordering::Relaxed);
                if let Err(other) = kept {
                    full_at = other;
                    continue;
                }
            }
            return if wait > 0 { Err(Duration::from_nanos(wait)) } else { Ok(()) };
        }
    }
}

/// What of an address tells clients apart.
pub(crate) fn key(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & PREFIX)),
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn rate(per_second: u32, burst: u32) -> Rate {
        Rate { every: Duration::from_secs(1) / per_second, burst }
    }

    #[test]
    fn a_bucket_gives_its_burst_at_once_and_then_its_rate() {
        let (client, rate) = (Client::default(), rate(2, 3));
        let taken = |now: u64| (0..10).filter(|_| client.take(rate, now).is_ok()).count();
        assert_eq!(
            [taken(0), taken(SECOND / 4), taken(SECOND / 2), taken(SECOND), taken(60 * SECOND)],
            [3, 0, 1, 1, 3]
        );
        assert_eq!(client.take(rate, 60 * SECOND), Err(Duration::from_millis(500)));
    }

    #[test]
    fn a_client_waits_no_longer_than_the_rate_in_force_says_whatever_it_took_under_another() {
        let (client, strict) = (Client::default(), Rate { every: Duration::from_hours(24), burst: 1 });
        assert_eq!(client.take(strict, 0), Ok(()));
        assert!(client.take(strict, SECOND).is_err());
        let loose = rate(1, 2);
        assert_eq!(client.take(loose, SECOND), Err(Duration::from_secs(1)));
        let taken = |now: u64| (0..10).filter(|_| client.take(loose, now).is_ok()).count();
        assert_eq!([taken(2 * SECOND), taken(3 * SECOND), taken(60 * SECOND)], [1, 1, 2]);
    }

    #[test]
    fn a_client_is_told_when_to_come_again() {
        let clients = Clients::default();
        let client = clients.of([10, 0, 0, 1].into());
        let limits = ClientLimits { rate: Some(Rate { every: Duration::from_secs(10), burst: 1 }), requests: None };
        assert!(clients.admit(&client, limits, Priority::Normal).is_ok());
        let shed = clients.admit(&client, limits, Priority::Low).unwrap_err();
        assert_eq!((shed.reason, shed.priority), (ShedReason::ClientRate, Priority::Low));
        assert!((9..=10).contains(&shed.retry_after), "{shed:?}");
        assert_eq!(client.in_flight.load(Ordering::Relaxed), 0, "what is refused is not in flight");
    }

    #[test]
    fn a_request_that_ends_makes_room_for_another_of_its_client() {
        let clients = Clients::default();
        let [one, other] = [[10, 0, 0, 1], [10, 0, 0, 2]].map(|address| clients.of(address.into()));
        let limits = ClientLimits { requests: Some(1), rate: None };
        let first = clients.admit(&one, limits, Priority::Normal).unwrap();
        let refused = clients.admit(&one, limits, Priority::Normal).unwrap_err();
        assert_eq!(refused.reason, ShedReason::ClientRequests);
        assert!(clients.admit(&other, limits, Priority::Normal).is_ok());
        drop(first);
        assert!(clients.admit(&one, limits, Priority::Normal).is_ok());
    }

    #[test]
    fn addresses_of_one_network_are_one_client() {
        let clients = Clients::default();
        let same = |one: &str, other: &str| {
            Arc::ptr_eq(&clients.of(one.parse().unwrap()), &clients.of(other.parse().unwrap()))
        };
        assert!(same("2001:db8:1:2::1", "2001:db8:1:2:ffff::9"));
        assert!(!same("2001:db8:1:2::1", "2001:db8:1:3::1"));
        assert!(same("10.0.0.1", "::ffff:10.0.0.1"));
        assert!(!same("10.0.0.1", "10.0.0.2"));
    }

    #[test]
    fn the_table_is_bounded_and_keeps_those_who_are_connected() {
        let clients = Clients { most: 100, ..Clients::default() };
        let connected = clients.of([10, 0, 0, 1].into());
        connected.in_flight.store(7, Ordering::Relaxed);
        for number in 0..1_000_u32 {
            let client = clients.of(std::net::Ipv4Addr::from_bits((172 << 24) + number).into());
            // Half of them come again and again.
            client.full_at.store(if number % 2 == 0 { 0 } else { u64::MAX }, Ordering::Relaxed);
            assert!(clients.len() <= 100);
        }
        assert!(Arc::ptr_eq(&clients.of([10, 0, 0, 1].into()), &connected));
    }
}
