//! Brings routes and listeners together: which listener serves which hosts, by the rules of which routes.

use super::Namespaces;
use super::gateway::{Gateway, Listener, Protocol};
use super::isolation::ListenerShares;
use super::parent::Parent;
use crate::attachment::MESH;
use crate::code;
use crate::connection::Accepted;
use crate::document::{Document, Kind};
use crate::host;
use crate::listener::{Member, Share, Shares};
use crate::report::{Place, Report};
use sluicegate_sdk::Diagnostics;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// What routes can be attached to.
#[derive(Debug, Default)]
pub struct Parents {
    /// The Gateways.
    pub gateways: Vec<Gateway>,
    /// Labels that listeners select namespaces by.
    pub namespaces: Namespaces,
}

/// Where the routes have been attached.
#[derive(Debug, Default)]
pub struct Attached {
    /// To what the command line opened.
    pub mesh: Shares,
    /// The same for requests to one port, which routes have for themselves.
    pub mesh_ports: BTreeMap<u16, Shares>,
    /// To the listeners of Gateways; also listeners without routes are there, as they keep hosts from others.
    pub listeners: Vec<ListenerShares>,
    /// Routes of connections, to listeners that pass TLS on.
    pub connections: Vec<Accepted>,
}

/// Documents by the hosts under which they are attached.
type Hosts = BTreeMap<String, BTreeMap<usize, Attachment>>;

/// How a document is attached under a host.
#[derive(Debug, Default, Clone)]
struct Attachment {
    /// How specific the document's own host is.
    rank: u32,
    /// The names of what it is attached through.
    through: BTreeSet<String>,
}

/// A host that a listener and a route both have, and how specific the route's own is.
type Served = (String, u32);

/// What is attached to what the command line opened.
#[derive(Debug, Default)]
struct Mesh {
    all: Hosts,
    /// For requests to one port.
    ports: BTreeMap<u16, Hosts>,
}

impl Parents {
    /// Attaches routes, and warns of those that no parent accepts. Where no Gateway is known at all, `alone`, they count on
    /// what the command line opened.
    pub fn attach(&self, documents: &[Rc<Document>], alone: bool, diagnostics: &mut Diagnostics) -> Attached {
        let mut mesh = Mesh::default();
        let (mut listeners, mut connections) = (self.listeners(), Vec::new());
        let routes = documents.iter().enumerate().filter(|(_, document)| document.kind != Kind::VirtualService);
        for (number, document) in routes {
            let mut report = Report::new(document.resource, diagnostics);
            if alone && document.kind == Kind::TlsRoute {
                let message = "there is no Gateway, so no listener passes TLS on";
                report.warning(&Place::spec(), code::PARENT, message, "add the Gateway that opens its port");
            } else if document.kind == Kind::TlsRoute {
                self.attach_connections(document, &mut connections, &mut report);
            } else if alone {
                Self::attach_alone(document, number, &mut mesh, &mut report);
            } else {
                self.attach_one(document, number, &mut mesh, &mut listeners, &mut report);
            }
        }
        let listener =
            |((port, tls, hostname), hosts)| ListenerShares { port, tls, hostname, shares: shares(&hosts, documents) };
        let mesh_ports = mesh.of_ports(documents);
        let mesh = shares(&mesh.all, documents);
        Attached { mesh, mesh_ports, listeners: listeners.into_iter().map(listener).collect(), connections }
    }

    /// All listeners that routes can be attached to. Those of one port and host are the same to a request.
    fn listeners(&self) -> BTreeMap<(u16, bool, String), Hosts> {
        let all = self.gateways.iter().flat_map(|gateway| &gateway.listeners);
        all.filter(|listener| matches!(listener.protocol, Protocol::Http | Protocol::Https))
            .map(|listener| (key(listener), Hosts::new()))
            .collect()
    }

    fn attach_alone(document: &Document, number: usize, mesh: &mut Mesh, report: &mut Report<'_>) {
        let of_gateways = document.parents.iter().any(|parent| matches!(parent, Parent::Gateway { .. }));
        if of_gateways || document.parents.is_empty() {
            let place = if of_gateways { Place::spec().key("parentRefs") } else { Place::spec() };
            let message = "there is no Gateway, so the rules count on every listener of the command line";
            report.note(&place, code::NO_EFFECT, message, "add the Gateway to open its ports here");
            for (_, host) in &document.hosts {
                attach(&mut mesh.all, host, number, host::rank(host));
            }
        }
        attach_services(document, number, mesh);
    }

    fn attach_one(
        &self,
        document: &Document,
        number: usize,
        mesh: &mut Mesh,
        listeners: &mut BTreeMap<(u16, bool, String), Hosts>,
        report: &mut Report<'_>,
    ) {
        if document.parents.is_empty() {
            let message = "the route has no parents, so its rules count nowhere";
            report.warning(&Place::spec(), code::PARENT, message, "add `parentRefs` with the name of a Gateway");
        }
        attach_services(document, number, mesh);
        for parent in &document.parents {
            let Parent::Gateway { index, namespace, name, .. } = parent else { continue };
            match self.accept(document, parent) {
                Ok(accepted) => {
                    for (listener, hosts) in accepted {
                        let attached = listeners.entry(key(listener)).or_default();
                        for (host, rank) in hosts {
                            attach(attached, &host, number, rank).insert(format!("{namespace}/{name}"));
                        }
                    }
                }
                Err(refusal) => report_refusal(refusal, *index, parent, document, report),
            }
        }
    }

    fn attach_connections(&self, document: &Document, connections: &mut Vec<Accepted>, report: &mut Report<'_>) {
        for parent in &document.parents {
            let Parent::Gateway { index, .. } = parent else { continue };
            match self.accept(document, parent) {
                Ok(accepted) => {
                    for (listener, _) in accepted {
                        let named = |(_, host): &(usize, String)| {
                            Some((intersection(&listener.hostname, host)?, host::rank(host)))
                        };
                        connections.push((
                            listener.port,
                            document.hosts.iter().filter_map(named).collect(),
                            document.resource,
                        ));
                    }
                }
                Err(refusal) => report_refusal(refusal, *index, parent, document, report),
            }
        }
    }

    /// The listeners of a parent that a route is attached to, each with the hosts that both have; or why there is none.
    fn accept(&self, document: &Document, parent: &Parent) -> Result<Vec<(&Listener, Vec<Served>)>, Refusal> {
        let Parent::Gateway { namespace, name, section, port, .. } = parent else { return Err(Refusal::Unknown) };
        let gateway = self.gateways.iter().find(|gateway| gateway.namespace == *namespace && gateway.name == *name);
        let gateway = gateway.ok_or(Refusal::Unknown)?;
        let named = |listener: &&Listener| section.as_ref().is_none_or(|section| listener.name == *section);
        let numbered = |listener: &&Listener| port.is_none_or(|port| listener.port == port);
        let mut refusal = Refusal::NoListener;
        let mut accepted = Vec::new();
        for listener in gateway.listeners.iter().filter(named).filter(numbered) {
            if !listener.allows_kind(document.kind) {
                refusal = refusal.max(Refusal::Kind);
            } else if !listener.allows_namespace(&gateway.namespace, &document.namespace, &self.namespaces) {
                refusal = refusal.max(Refusal::Namespace);
            } else {
                let both = document.hosts.iter().filter_map(|(_, host)| served(&listener.hostname, host));
                let both: Vec<Served> = both.collect();
                if both.is_empty() {
                    refusal = refusal.max(Refusal::Hostname);
                } else {
                    accepted.push((listener, both));
                }
            }
        }
        if accepted.is_empty() { Err(refusal) } else { Ok(accepted) }
    }
}

/// Why a parent does not accept a route; the later, the closer it came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Refusal {
    Unknown,
    NoListener,
    Kind,
    Namespace,
    Hostname,
}

fn report_refusal(refusal: Refusal, index: usize, parent: &Parent, document: &Document, report: &mut Report<'_>) {
    let Parent::Gateway { namespace, name, .. } = parent else { return };
    let gateway = format!("Gateway {namespace}/{name}");
    let (code, message, help) = match refusal {
        Refusal::Unknown => (
            code::UNKNOWN_GATEWAY,
            format!("there is no {gateway}"),
            "check `name`, and `namespace` if it is in another one",
        ),
        Refusal::NoListener => (
            code::PARENT,
            format!("{gateway} has no such listener"),
            "check `sectionName` and `port` against the listeners of the Gateway",
        ),
        Refusal::Kind => (
            code::PARENT,
            format!("{gateway} does not allow a {} there", document.kind.name()),
            "add the kind to `allowedRoutes.kinds` of the listener",
        ),
        Refusal::Namespace => (
            code::PARENT,
            format!("{gateway} does not allow routes of the namespace {}", document.namespace),
            "change `allowedRoutes.namespaces` of the listener; a selector needs the Namespace document with its labels",
        ),
        Refusal::Hostname => (
            code::UNSERVED_HOST,
            format!("{gateway} serves none of the route's hosts"),
            "change `hostnames` here, or `hostname` of the listener",
        ),
    };
    let message = format!("{message}, so the rules do not count there");
    report.warning(&Place::spec().key("parentRefs").index(index), code, message, help);
}

fn key(listener: &Listener) -> (u16, bool, String) {
    (listener.port, listener.protocol == Protocol::Https, listener.hostname.clone())
}

/// Rules for a service take the requests of its callers, which come in by what the command line opened.
fn attach_services(document: &Document, number: usize, mesh: &mut Mesh) {
    for parent in &document.parents {
        if let Parent::Service { name, port } = parent {
            let hosts = port.map_or(&mut mesh.all, |port| mesh.ports.entry(port).or_default());
            attach(hosts, name, number, host::rank(name)).insert(MESH.to_owned());
        }
    }
}

/// Attaches a document under a host; of several hosts of its own the most specific counts.
fn attach<'a>(hosts: &'a mut Hosts, host: &str, number: usize, rank: u32) -> &'a mut BTreeSet<String> {
    let attachment = hosts.entry(host.to_owned()).or_default().entry(number).or_default();
    attachment.rank = attachment.rank.max(rank);
    &mut attachment.through
}

impl Mesh {
    /// For each port the hosts that have routes for it alone, with those for every port.
    fn of_ports(&self, documents: &[Rc<Document>]) -> BTreeMap<u16, Shares> {
        let with_all = |hosts: &Hosts| {
            let mut hosts = hosts.clone();
            for (name, attached) in &mut hosts {
                for (document, attachment) in self.all.get(name).into_iter().flatten() {
                    attached.entry(*document).or_insert_with(|| attachment.clone());
                }
            }
            shares(&hosts, documents)
        };
        self.ports.iter().map(|(port, hosts)| (*port, with_all(hosts))).collect()
    }
}

/// The names that both hosts stand for.
fn intersection(listener: &str, route: &str) -> Option<String> {
    let narrower = host::covers(listener, route).then_some(route);
    narrower.or_else(|| host::covers(route, listener).then_some(listener)).map(str::to_owned)
}

/// The names that both hosts stand for. A route that names no host has the listener's.
fn served(listener: &str, route: &str) -> Option<Served> {
    let both = intersection(listener, route)?;
    let rank = host::rank(if route == "*" { &both } else { route });
    Some((both, rank))
}

/// For each host the documents that stand for it, also those of wildcards that cover it: their rules come after.
fn shares(hosts: &Hosts, documents: &[Rc<Document>]) -> Shares {
    let share = |name: &String| {
        let mut ranked: BTreeMap<usize, &Attachment> = BTreeMap::new();
        for wide in host::covering(name) {
            for (document, attachment) in hosts.get(&wide).into_iter().flatten() {
                ranked.entry(*document).or_insert(attachment);
            }
        }
        let member = |(number, attachment): (usize, &Attachment)| {
            let Attachment { rank, through } = attachment.clone();
            Some(Member { document: Rc::clone(documents.get(number)?), through, host: rank })
        };
        Share { members: ranked.into_iter().filter_map(member).collect(), https_redirect: false }
    };
    hosts.keys().map(|name| (name.clone(), share(name))).collect()
}
