//! Endpoints that have an address of either family.
//!
//! A name with addresses of IPv6 and of IPv4 mostly means machines that have one of each. Were each address an endpoint,
//! a machine would be balanced over twice, and a family without a way through would fail half of the requests. So
//! addresses of *one* family are endpoints of their own, over which requests are spread, and each has an address of the
//! other family beside it, which stands in for it ([`super::race`]). What manifests give as addresses, such as those
//! of an EndpointSlice, stays one address for each endpoint.

use super::endpoint::Endpoint;
use super::state::now;
use crate::config::limits;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// The addresses that stand in for an endpoint's own, in the order to try, and which of them all was reached last.
#[derive(Debug, Default)]
pub struct Alternatives {
    addresses: Box<[SocketAddr]>,
    /// Which was reached last: 0 is the endpoint's own.
    reached: AtomicUsize,
    /// When that was, as [`now`] has it; zero for never.
    at: AtomicU64,
}

/// What is remembered makes no difference.
impl PartialEq for Alternatives {
    fn eq(&self, other: &Self) -> bool {
        self.addresses == other.addresses
    }
}

impl Eq for Alternatives {}

impl Alternatives {
    /// These; none when there are none.
    pub fn new(addresses: impl IntoIterator<Item = SocketAddr>) -> Option<Arc<Self>> {
        let addresses: Box<[SocketAddr]> = addresses.into_iter().collect();
        (!addresses.is_empty()).then(|| Arc::new(Self { addresses, ..Self::default() }))
    }

    /// The addresses, without the endpoint's own.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// All addresses in the order to try: the endpoint's own first, unless another one was reached lately.
    pub(super) fn all(&self, own: SocketAddr) -> Vec<SocketAddr> {
        let mut all: Vec<SocketAddr> = std::iter::once(own).chain(self.addresses.iter().copied()).collect();
        let (reached, at) = (self.reached.load(Ordering::Relaxed), self.at.load(Ordering::Relaxed));
        let fresh = at > 0 && u128::from(now().saturating_sub(at)) <= limits::CONNECT_MEMORY.as_millis();
        if let Some(tried) = all.get_mut(..=reached).filter(|_| fresh) {
            tried.rotate_right(1);
        }
        all
    }

    /// Remembers which one was reached, so that the next connection begins with it.
    pub(super) fn reached(&self, address: SocketAddr) {
        let place = self.addresses.iter().position(|other| *other == address).map_or(0, |place| place + 1);
        self.reached.store(place, Ordering::Relaxed);
        self.at.store(now(), Ordering::Relaxed);
    }
}

impl Endpoint {
    /// The endpoints of a name: its addresses of the family that has more of them (IPv6 when both have as many), each
    /// with one of the other family beside it.
    pub fn of_name(addresses: &[IpAddr], port: u16) -> Vec<Self> {
        let (six, four) = families(addresses, port);
        let (own, others) = if six.len() >= four.len() { (six, four) } else { (four, six) };
        let other = |place: usize| others.get(place.checked_rem(others.len())?).copied();
        let endpoint = |(place, address)| Self { alternatives: Alternatives::new(other(place)), ..Self::new(address) };
        own.into_iter().enumerate().map(endpoint).collect()
    }

    /// A name as a single endpoint: whichever of its addresses is reached, the families taking turns (RFC 8305,
    /// section 4). None when it has no address.
    pub fn of_whole_name(addresses: &[IpAddr], port: u16) -> Option<Self> {
        let (six, four) = families(addresses, port);
        let longest = six.len().max(four.len());
        let mut turns = (0..longest).flat_map(|place| [six.get(place), four.get(place)]).flatten().copied();
        let own = turns.next()?;
        let alternatives = Alternatives::new(turns.take(limits::CONNECT_ADDRESSES.saturating_sub(1)));
        Some(Self { alternatives, ..Self::new(own) })
    }
}

fn families(addresses: &[IpAddr], port: u16) -> (Vec<SocketAddr>, Vec<SocketAddr>) {
    let all = addresses.iter().map(|address| SocketAddr::new(*address, port));
    all.partition(SocketAddr::is_ipv6)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(addresses: &[&str]) -> Vec<IpAddr> {
        addresses.iter().map(|address| address.parse().unwrap()).collect()
    }

    fn shown(endpoint: &Endpoint) -> String {
        let others = endpoint.alternatives.iter().flat_map(|others| others.addresses());
        std::iter::once(&endpoint.address).chain(others).map(|address| address.ip().to_string() + " ").collect()
    }

    fn endpoints(addresses: &[&str]) -> Vec<String> {
        Endpoint::of_name(&parsed(addresses), 80).iter().map(shown).collect()
    }

    #[test]
    fn addresses_of_one_family_are_endpoints() {
        assert_eq!(endpoints(&["10.0.0.1", "10.0.0.2"]), ["10.0.0.1 ", "10.0.0.2 "]);
        assert_eq!(endpoints(&["fd00::1"]), ["fd00::1 "]);
        assert_eq!(endpoints(&[]), [""; 0]);
    }

    #[test]
    fn an_address_of_the_other_family_stands_beside_each() {
        assert_eq!(endpoints(&["10.0.0.1", "fd00::1"]), ["fd00::1 10.0.0.1 "]);
        let three = ["10.0.0.1", "10.0.0.2", "10.0.0.3", "fd00::1", "fd00::2"];
        assert_eq!(endpoints(&three), ["10.0.0.1 fd00::1 ", "10.0.0.2 fd00::2 ", "10.0.0.3 fd00::1 "]);
    }

    #[test]
    fn a_whole_name_is_one_endpoint_whose_families_take_turns() {
        let whole = Endpoint::of_whole_name(&parsed(&["10.0.0.1", "10.0.0.2", "fd00::1"]), 80).unwrap();
        assert_eq!(shown(&whole), "fd00::1 10.0.0.1 10.0.0.2 ");
        assert_eq!(Endpoint::of_whole_name(&[], 80), None);
    }

    #[test]
    fn the_address_that_was_reached_is_tried_first_afterwards() {
        let endpoint = Endpoint::of_name(&parsed(&["10.0.0.1", "fd00::1"]), 80).remove(0);
        let (own, others) = (endpoint.address, endpoint.alternatives.unwrap());
        let other = others.addresses()[0];
        assert_eq!(others.all(own), [own, other]);
        others.reached(other);
        assert_eq!(others.all(own), [other, own]);
        others.reached(own);
        assert_eq!(others.all(own), [own, other]);
    }
}
