//! How many connections there may be, in total and from one address.

use crate::config::limits;
use crate::overload::clients;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The most connections at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConnectionLimits {
    /// In total. Beyond it nothing more is accepted until one ends.
    pub total: usize,
    /// From one client: an address, of IPv6 the first 64 bits. Beyond it connections are closed at once.
    pub per_address: usize,
}

impl Default for ConnectionLimits {
    fn default() -> Self {
        Self { total: limits::CONNECTIONS, per_address: limits::CONNECTIONS_PER_ADDRESS }
    }
}

/// Counts connections. Shared by all workers; asked once for each connection, not for each request.
#[derive(Debug)]
pub(crate) struct Admission {
    total: Arc<Semaphore>,
    /// Those that wait for a place of a listener that is closed.
    turns: Arc<Semaphore>,
    per_address: usize,
    /// By what tells clients apart.
    addresses: Mutex<HashMap<IpAddr, usize>>,
}

/// The place that a connection takes among those that there may be, until its last clone is dropped. What outlives the
/// serving of its requests, as WebSocket does, keeps one.
#[derive(Debug, Clone, Default)]
pub struct Place(#[expect(dead_code, reason = "only held")] Option<Arc<Permit>>);

/// Lets a connection wait for a place although its listener is closed, until it is dropped.
#[derive(Debug)]
pub(crate) struct Turn(#[expect(dead_code, reason = "only held")] OwnedSemaphorePermit);

/// Counts one connection until it is dropped.
#[derive(Debug)]
struct Permit {
    admission: Arc<Admission>,
    address: IpAddr,
    _total: OwnedSemaphorePermit,
}

impl Admission {
    pub(crate) fn new(limits: ConnectionLimits) -> Arc<Self> {
        let total = limits.total.min(Semaphore::MAX_PERMITS);
        Arc::new(Self {
            total: Arc::new(Semaphore::new(total)),
            turns: Arc::new(Semaphore::new((total / limits::TURNS_SHARE).max(limits::TURNS))),
            per_address: limits.per_address,
            addresses: Mutex::default(),
        })
    }

    /// Lets one more wait whose listener is closed, unless too many do.
    pub(crate) fn turn(&self) -> Option<Turn> {
        Arc::clone(&self.turns).try_acquire_owned().ok().map(Turn)
    }

    /// Waits for room in total; none when the client has its share already.
    pub(crate) async fn admit(self: &Arc<Self>, address: IpAddr) -> Option<Place> {
        let address = clients::key(address);
        let total = Arc::clone(&self.total).acquire_owned().await.ok()?;
        let mut addresses = self.addresses.lock().unwrap_or_else(PoisonError::into_inner);
        let count = addresses.entry(address).or_default();
        if *count >= self.per_address {
            return None;
        }
        *count += 1;
        drop(addresses);
        Some(Place(Some(Arc::new(Permit { admission: Arc::clone(self), address, _total: total }))))
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut addresses = self.admission.addresses.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = addresses.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                addresses.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use tokio::time::timeout;

    #[tokio::test]
    async fn one_address_cannot_take_all_and_gets_its_share_back() {
        let admission = Admission::new(ConnectionLimits { total: 10, per_address: 1 });
        let [one, other] = [[10, 0, 0, 1], [10, 0, 0, 2]].map(IpAddr::from);
        let first = admission.admit(one).await;
        assert!(first.is_some() && admission.admit(one).await.is_none() && admission.admit(other).await.is_some());
        drop(first);
        assert!(admission.admit(one).await.is_some());
        assert!(admission.addresses.lock().unwrap().is_empty());
    }

    #[tokio::test]
    async fn the_addresses_of_one_network_have_one_share() {
        let admission = Admission::new(ConnectionLimits { total: 10, per_address: 1 });
        let [one, same, other] =
            ["2001:db8:1:2::1", "2001:db8:1:2:ffff::9", "2001:db8:1:3::1"].map(|address| address.parse().unwrap());
        let first = admission.admit(one).await;
        assert!(first.is_some() && admission.admit(same).await.is_none() && admission.admit(other).await.is_some());
        drop(first);
        assert!(admission.admit(same).await.is_some());
    }

    #[tokio::test]
    async fn a_place_is_taken_until_its_last_clone_is_gone() {
        let admission = Admission::new(ConnectionLimits { total: 10, per_address: 1 });
        let first = admission.admit([10, 0, 0, 1].into()).await;
        let clone = first.clone();
        drop(first);
        assert!(admission.admit([10, 0, 0, 1].into()).await.is_none());
        drop(clone);
        assert!(admission.admit([10, 0, 0, 1].into()).await.is_some());
    }

    #[tokio::test]
    async fn beyond_the_total_everyone_waits() {
        let admission = Admission::new(ConnectionLimits { total: 1, per_address: 9 });
        let first = admission.admit([10, 0, 0, 1].into()).await;
        let second = admission.admit([10, 0, 0, 2].into());
        tokio::pin!(second);
        assert!(timeout(Duration::from_millis(20), second.as_mut()).await.is_err());
        drop(first);
        assert!(timeout(Duration::from_secs(5), second).await.unwrap().is_some());
    }
}
