//! Connections whose TLS goes on undecrypted, by the name that the client asks for.
//!
//! Rules of `tls` of a VirtualService and TLSRoutes attach to the servers of Gateways that pass TLS on ([`attach`]). Of the names
//! that take a client's, the most specific one decides, as it does for the certificate of servers that end TLS; under
//! one name the oldest resource goes first. A port to which nothing is attached leaves the decision to others.

mod attach;
mod subnet;

pub use attach::Accepted;
pub use subnet::Subnet;

use crate::documents::Documents;
use crate::host;
use crate::target::{Target, Targets};
use sluicegate_sdk::{Connection, ConnectionDecision, Destination, ResourceId};
use std::collections::{BTreeMap, HashMap};

/// A rule for connections.
#[derive(Debug)]
pub struct TlsRule {
    /// Of which one must match.
    pub blocks: Vec<TlsBlock>,
    /// Where they go, by weight.
    pub targets: Vec<Target>,
}

/// Conditions that must all hold.
#[derive(Debug, Default)]
pub struct TlsBlock {
    /// Full names, and wildcards.
    pub names: Vec<String>,
    /// The only port of the Gateway.
    pub port: Option<u16>,
    /// The only gateways; none for all of the resource.
    pub gateways: Option<Vec<String>>,
    /// The addresses that a client may have connected to; any when empty.
    pub subnets: Vec<Subnet>,
}

/// Who takes the connections of which names, by port.
#[derive(Debug, Default)]
pub struct Connections {
    ports: BTreeMap<u16, HashMap<String, Vec<Way>>>,
}

/// What a name leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Way {
    /// A rule of a document, by their numbers, with the rank of the name that it is written with and the addresses that it is for.
    Rule { document: ResourceId, rule: usize, rank: u32, subnets: Vec<Subnet> },
    /// The name itself says where it leads (`AUTO_PASSTHROUGH`).
    Encoded,
}

impl Connections {
    /// What becomes of a connection.
    pub fn decide(&self, documents: &Documents, connection: &Connection) -> ConnectionDecision {
        let Some(names) = self.ports.get(&connection.port) else { return ConnectionDecision::Next };
        let name = connection.server_name.trim_end_matches('.');
        let found = host::covering(name).find_map(|wide| {
            let ways = names.get(&wide)?;
            ways.iter().find(|way| way.takes(&connection.local_address))
        });
        match found {
            None => ConnectionDecision::Refuse,
            Some(Way::Encoded) => encoded(name).map_or(ConnectionDecision::Refuse, ConnectionDecision::Forward),
            Some(Way::Rule { document, rule, .. }) => {
                let rule = documents.get(*document).and_then(|document| document.tls.get(*rule));
                rule.map_or(ConnectionDecision::Refuse, |rule| rule.decide(&connection.id))
            }
        }
    }

    fn add(&mut self, port: u16, name: String, way: Way) {
        let ways = self.ports.entry(port).or_default().entry(name).or_default();
        if !ways.contains(&way) {
            // A server's host may be narrower than those of several rules, of which the most specific goes first.
            let place = ways.iter().position(|other| other.rank() < way.rank()).unwrap_or(ways.len());
            ways.insert(place, way);
        }
    }
}

impl Way {
    fn rank(&self) -> u32 {
        match self {
            Self::Rule { rank, .. } => *rank,
            Self::Encoded => 0,
        }
    }

    fn takes(&self, address: &str) -> bool {
        match self {
            Self::Rule { subnets, .. } => subnets.is_empty() || subnets.iter().any(|subnet| subnet.holds(address)),
            Self::Encoded => true,
        }
    }
}

impl TlsRule {
    fn decide(&self, id: &str) -> ConnectionDecision {
        let sum = self.targets.iter().map(|target| target.weight).sum();
        match Targets::pick(&self.targets, sum, id) {
            Some(Target { instead: None, destination, .. }) => ConnectionDecision::Forward(destination.clone()),
            // A share that cannot be sent, or no target at all.
            Some(_) | None => ConnectionDecision::Refuse,
        }
    }
}

/// What Istio's sidecars write into the name: `outbound_.PORT_.SUBSET_.HOST`.
fn encoded(name: &str) -> Option<Destination> {
    let mut parts = name.strip_prefix("outbound_.")?.splitn(3, "_.");
    let (port, subset, host) = (parts.next()?, parts.next()?, parts.next()?);
    let subset = Some(subset.to_owned()).filter(|subset| !subset.is_empty());
    let port = port.parse().ok().filter(|port| *port > 0)?;
    host::check(host).ok().map(|()| Destination { host: host.to_owned(), port: Some(port), subset })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_of_a_mesh_says_host_port_and_subset() {
        let read = |name| encoded(name).map(|to| (to.host, to.port, to.subset));
        let shop = "shop.default.svc.cluster.local".to_owned();
        let text = "outbound_.443_.v1_.shop.default.svc.cluster.local";
        assert_eq!(read(text), Some((shop.clone(), Some(443), Some("v1".to_owned()))));
        let text = "outbound_.443_._.shop.default.svc.cluster.local";
        assert_eq!(read(text), Some((shop, Some(443), None)));
        for other in ["shop.example", "outbound_.0_._.shop", "outbound_.x_._.shop", "outbound_.443_.v1", ""] {
            assert_eq!(read(other), None, "{other}");
        }
    }
}
