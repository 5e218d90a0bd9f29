//! Brings rules for connections and servers that pass TLS on together.

use super::{Connections, TlsBlock, Way};
use crate::attachment::MESH;
use crate::document::{Document, Kind};
use crate::gateway::{Gateway, Passing, ServerHost};
use crate::host;
use sluicegate_sdk::ResourceId;
use std::collections::BTreeSet;
use std::rc::Rc;

/// A TLSRoute that a listener accepts: the port, the names that both have, each with the rank of the route's own, and the
/// document's number.
pub type Accepted = (u16, Vec<(String, u32)>, ResourceId);

impl Connections {
    /// The table of all documents, the oldest first, on Istio's gateways and where the Gateway API's have accepted them.
    pub fn build(documents: &[Rc<Document>], gateways: &[Gateway], accepted: Vec<Accepted>) -> Self {
        let mut connections = Self::default();
        for gateway in gateways {
            for server in &gateway.passing {
                if server.encoded {
                    for host in &server.hosts {
                        connections.add(server.port, host.name.clone(), Way::Encoded);
                    }
                }
                for document in documents {
                    if document.kind == Kind::VirtualService && document.gateways.contains(&gateway.name) {
                        connections.attach(gateway, server, document);
                    }
                }
            }
        }
        for (port, names, document) in accepted {
            for (name, rank) in names {
                connections.add(port, name, Way::Rule { document, rule: 0, rank, subnets: Vec::new() });
            }
        }
        connections
    }

    fn attach(&mut self, gateway: &Gateway, server: &Passing, document: &Document) {
        for (rule, resolved) in document.tls.iter().enumerate() {
            for block in resolved.blocks.iter().filter(|block| block.counts_at(&gateway.name, server.port)) {
                for (name, rank) in names(block, &server.hosts, &document.namespace) {
                    let subnets = block.subnets.clone();
                    self.add(server.port, name, Way::Rule { document: document.resource, rule, rank, subnets });
                }
            }
        }
    }
}

impl TlsBlock {
    fn counts_at(&self, gateway: &str, port: u16) -> bool {
        let here = self.gateways.as_ref().is_none_or(|only| only.iter().any(|name| name == gateway));
        here && self.port.is_none_or(|only| only == port)
    }

    /// Whether it is for sidecars alone.
    pub fn is_of_mesh(&self, bound: &[String]) -> bool {
        self.gateways.as_deref().unwrap_or(bound).iter().all(|name| name == MESH)
    }
}

/// The names that a block and a server both stand for, each with the rank of the block's own.
fn names(block: &TlsBlock, hosts: &[ServerHost], namespace: &str) -> BTreeSet<(String, u32)> {
    let both = |name: &String| {
        let rank = host::rank(name);
        hosts.iter().filter_map(|host| Some((host.intersection(namespace, name)?, rank))).collect::<Vec<_>>()
    };
    block.names.iter().flat_map(both).collect()
}
