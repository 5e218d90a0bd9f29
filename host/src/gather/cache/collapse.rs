//! Exchanges that calls of several requests share: those of one worker that ask for the same at the same time.
//!
//! An exchange lives as long as a call waits for it, whichever began it, and is forgotten when it has landed: what goes
//! wrong with one goes wrong for those that wait for it and for nobody after them.

use super::Key;
use super::exchange::Landed;
use crate::upstream::registry::Cluster;
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared, WeakShared};
use http::HeaderMap;
use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

thread_local! {
    static FLIGHTS: RefCell<Flights> = RefCell::default();
}

/// An exchange on its way. The last one to drop it ends it.
pub(super) type Flight = Shared<BoxFuture<'static, Arc<Landed>>>;

/// A flight, as the list knows it.
type Known = WeakShared<BoxFuture<'static, Arc<Landed>>>;

/// What has to be the same for two calls to share an exchange.
#[derive(Debug, Clone)]
pub(super) struct Asking {
    pub(super) key: Key,
    /// Of one snapshot.
    pub(super) cluster: Cluster,
    /// The headers that the calls set themselves.
    pub(super) headers: HeaderMap,
    /// The largest body to take in.
    pub(super) most: u64,
}

#[derive(Default)]
struct Flights {
    by_key: HashMap<Key, Vec<(u64, Asking, Known)>>,
    next: u64,
}

/// Takes a flight off the list when it has landed, or nobody waits for it any more.
struct Listed {
    key: Key,
    number: u64,
}

/// The exchange that is on its way for the same, or else the one that `begin` makes, and whether it was there.
pub(super) fn join(asking: Asking, begin: impl FnOnce() -> BoxFuture<'static, Arc<Landed>>) -> (Flight, bool) {
    FLIGHTS.with_borrow_mut(|flights| {
        if let Some(flight) = flights.find(&asking) {
            return (flight, true);
        }
        let listed = Listed { key: asking.key.clone(), number: flights.next };
        let exchange = begin();
        let flight = async move {
            let _listed = listed;
            exchange.await
        };
        let flight = flight.boxed().shared();
        flights.add(asking, &flight);
        (flight, false)
    })
}

impl Flights {
    fn find(&self, asking: &Asking) -> Option<Flight> {
        let same = |other: &Asking| {
            other.most == asking.most && other.cluster.is(&asking.cluster) && other.headers == asking.headers
        };
        let flights = self.by_key.get(&asking.key)?;
        flights.iter().find(|(_, other, _)| same(other))?.2.upgrade()
    }

    fn add(&mut self, asking: Asking, flight: &Flight) {
        // One that has not been polled is there.
        if let Some(weak) = flight.downgrade() {
            self.by_key.entry(asking.key.clone()).or_default().push((self.next, asking, weak));
        }
        self.next = self.next.wrapping_add(1);
    }

    fn remove(&mut self, listed: &Listed) {
        let Some(flights) = self.by_key.get_mut(&listed.key) else { return };
        flights.retain(|(number, ..)| *number != listed.number);
        if flights.is_empty() {
            self.by_key.remove(&listed.key);
        }
    }
}

impl Drop for Listed {
    fn drop(&mut self) {
        // During the thread's end there is no list any more. The list is not in use: nothing is polled or dropped in it.
        let _ = FLIGHTS.try_with(|flights| flights.try_borrow_mut().map(|mut flights| flights.remove(self)));
    }
}
