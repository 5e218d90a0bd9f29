//! The decision on each request, and what is counted for it.

use super::clients::{Client, Clients, OfClient};
use super::memory::{self, Memory};
use super::policy::Policy;
use crate::priority::Priority;
use crate::shed::{Shed, ShedReason};
use crate::telemetry::metrics::OverloadMetrics;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

/// What is counted, whatever policy is in force. Shared by all workers.
#[derive(Debug)]
pub struct Overload {
    in_flight: AtomicUsize,
    /// Looked at beside the requests.
    pub memory: Memory,
    /// Known only where their limits are set.
    pub clients: Clients,
    metrics: OverloadMetrics,
}

/// The client of a connection, looked up when it is first asked for.
#[derive(Debug, Default)]
pub struct ClientSlot(OnceLock<Arc<Client>>);

/// A request that is being served. It counts until this is dropped, when its response begins: a body may last for hours and
/// cost next to nothing, and is bounded by the connections that there may be.
#[derive(Debug)]
pub struct Admitted<'a> {
    in_flight: InFlight<'a>,
    _client: Option<OfClient>,
}

#[derive(Debug)]
struct InFlight<'a>(&'a AtomicUsize);

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Overload {
    /// Nothing in flight yet; what is refused is counted there.
    pub fn new(metrics: OverloadMetrics) -> Self {
        Self { in_flight: AtomicUsize::new(0), memory: Memory::default(), clients: Clients::default(), metrics }
    }

    /// How many requests are being served.
    pub fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Relaxed)
    }

    /// Takes a request of a client at this address, or says why not. What is refused is counted.
    pub fn admit(
        &self,
        policy: &Policy,
        priority: Priority,
        (address, slot): (IpAddr, &ClientSlot),
    ) -> Result<Admitted<'_>, Shed> {
        let admitted = self.enter(policy, priority).and_then(|in_flight| {
            if !policy.clients.are_set() {
                return Ok(Admitted { in_flight, _client: None });
            }
            let client = slot.0.get_or_init(|| self.clients.of(address));
            let client = self.clients.admit(client, policy.clients, priority)?;
            Ok(Admitted { in_flight, _client: Some(client) })
        });
        admitted.inspect_err(|shed| self.metrics.shed(*shed))
    }

    fn enter(&self, policy: &Policy, priority: Priority) -> Result<InFlight<'_>, Shed> {
        // Counted before it is compared, so that two at the same time cannot both be the last one.
        let entered = InFlight(&self.in_flight);
        if self.in_flight.fetch_add(1, Ordering::Relaxed) >= policy.room(priority) {
            return Err(Shed::new(ShedReason::Requests, priority));
        }
        let pressure = self.memory.pressure();
        if pressure > 0 && is_drawn(memory::refused(pressure, priority, policy.rules.tell_apart())) {
            return Err(Shed::new(ShedReason::Memory, priority));
        }
        Ok(entered)
    }

    /// Counts a request that was refused after it had been taken.
    pub fn refused(&self, shed: Shed) {
        self.metrics.shed(shed);
    }
}

impl Admitted<'_> {
    /// How many requests are being served, this one included.
    pub fn in_flight(&self) -> usize {
        self.in_flight.0.load(Ordering::Relaxed)
    }
}

/// Whether one of so many in a thousand is this one.
fn is_drawn(thousandths: u32) -> bool {
    thousandths >= memory::ALL || (thousandths > 0 && fastrand::u32(..memory::ALL) < thousandths)
}

#[cfg(test)]
mod tests {
    use super::super::clients::ClientLimits;
    use super::super::memory::{MemoryLimit, MemoryPolicy, OfSystem};
    use super::super::rules::{Rule, Rules};
    use super::*;

    fn policy(requests: usize, limit: MemoryLimit) -> Policy {
        let rules = Rules { rules: vec![Rule::new(Priority::Low)], header: false };
        let clients = ClientLimits { requests: Some(20), rate: None };
        Policy::new(requests, MemoryPolicy { limit, from: 90 }, None, clients, rules)
    }

    fn someone() -> (IpAddr, ClientSlot) {
        ([10, 0, 0, 1].into(), ClientSlot::default())
    }

    #[test]
    fn more_requests_in_flight_than_the_limit_are_refused_and_a_finished_one_makes_room() {
        let (overload, policy) = (Overload::new(OverloadMetrics::default()), Policy::default());
        let (address, slot) = someone();
        let admit = || overload.admit(&policy, Priority::Normal, (address, &slot));
        let mut served: Vec<_> = (0..policy.requests).map(|_| admit().unwrap()).collect();
        for _ in 0..2 {
            assert_eq!(admit().unwrap_err().reason, ShedReason::Requests);
        }
        served.pop();
        assert_eq!(admit().unwrap().in_flight(), policy.requests);
        drop(served);
        assert_eq!((overload.in_flight(), overload.clients.len()), (0, 0));
    }

    #[test]
    fn what_matters_more_finds_room_where_what_matters_less_finds_none() {
        let (overload, policy) = (Overload::new(OverloadMetrics::default()), policy(10, MemoryLimit::None));
        let (address, slot) = someone();
        let mut served = Vec::new();
        let mut taken = |priority| {
            let before = served.len();
            while let Ok(admitted) = overload.admit(&policy, priority, (address, &slot)) {
                served.push(admitted);
            }
            served.len() - before
        };
        assert_eq!(Priority::ALL.map(&mut taken), [6, 2, 2, 3]);
        let counted = overload.metrics.counts().into_iter().filter(|(_, _, count)| *count > 0);
        let counted: Vec<_> = counted.collect();
        let expected = ["low", "normal", "high", "critical"].map(|priority| ("requests", priority, 1));
        assert_eq!(counted, expected);
    }

    #[test]
    fn short_memory_refuses_all_but_what_is_critical() {
        let (overload, policy) = (Overload::new(OverloadMetrics::default()), policy(100, MemoryLimit::Bytes(1)));
        let (address, slot) = someone();
        overload.memory.look(policy.memory, &mut OfSystem::default());
        let refused = |priority| overload.admit(&policy, priority, (address, &slot)).map_err(|shed| shed.reason).err();
        let memory = Some(ShedReason::Memory);
        assert_eq!(Priority::ALL.map(refused), [memory, memory, memory, None]);
        assert_eq!(overload.in_flight(), 0);
    }
}
