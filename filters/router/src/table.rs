//! All documents together: which rules a host of a listener has, in which order.

use crate::code;
use crate::connection::Connections;
use crate::document::{Document, Kind};
use crate::gateway::Gateway;
use crate::gateway_api;
use crate::host;
use crate::listener::{self, Arrival, Entry, Hosts, Listeners, Member, MeshShares, ServerHosts, Shares};
use crate::matching::{Block, Candidate, Position, VirtualHost};
use crate::report::{Place, Report};
use crate::rule::Rule;
use crate::view::View;
use sluicegate_sdk::{Connection, ConnectionDecision, Diagnostics, Environment, Resource};
use std::collections::btree_map::Entry as Slot;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// What opens listeners.
#[derive(Debug, Default)]
pub struct Gateways {
    /// Istio's.
    pub istio: Vec<Gateway>,
    /// The Gateway API's.
    pub api: gateway_api::Parents,
}

/// The rules of all hosts of all listeners.
#[derive(Debug)]
pub struct Table {
    /// The oldest first.
    documents: Vec<Document>,
    /// What the hosts of the listeners point to. Hosts with the same documents share one.
    served: Vec<Served>,
    listeners: Listeners,
    connections: Connections,
}

/// A host's rules, and the documents that they come from.
#[derive(Debug)]
pub struct Served {
    members: Vec<Member>,
    rules: VirtualHost,
}

/// Who is to say what becomes of a request.
#[derive(Debug, Clone, Copy)]
pub enum Owner<'a> {
    /// Nobody here: it goes on along the chain.
    Nobody,
    /// A Gateway, which serves no such host on this port: it is answered 404.
    Unserved(u16),
    /// A Gateway, which sends all plain requests to https.
    Https,
    /// A listener that TLS did not select: it is answered 421.
    Misdirected(u16),
    /// These rules.
    Rules(&'a Served),
}

/// A candidate's parts.
#[derive(Debug, Clone, Copy)]
pub struct Found<'a> {
    /// The resource.
    pub document: &'a Document,
    /// The rule.
    pub rule: &'a Rule,
    /// The block that matched.
    pub block: &'a Block,
}

impl Table {
    /// Puts the documents together, and reports hosts that have an older owner or that no Gateway serves.
    pub fn build(
        mut documents: Vec<Document>,
        gateways: &Gateways,
        environment: &Environment,
        resources: &[Resource],
        diagnostics: &mut Diagnostics,
    ) -> Self {
        let Gateways { istio: gateways, api } = gateways;
        // No two documents of a kind share a name, so the order is never left to chance.
        documents.sort_unstable_by(|one, two| one.age().cmp(&two.age()));
        let ignored = |document: &Document, place, name: &str, owner: &Document| {
            report_ignored(document, place, name, owner, resources, diagnostics);
        };
        let alone = gateways.is_empty() && api.gateways.is_empty();
        let mut mesh =
            if alone { listener::all_shares(&documents, ignored) } else { listener::mesh_shares(&documents, ignored) };
        let attached = api.attach(&documents, alone, resources, diagnostics);
        let of_api = attached.mesh.values().chain(attached.mesh_ports.values().flat_map(Shares::values));
        for member in of_api.flat_map(|share| &share.members) {
            if let Some(document) = documents.get_mut(member.document) {
                document.on_mesh = true;
            }
        }
        let mut mesh_ports = attached.mesh_ports;
        for (name, share) in mesh_ports.values_mut().flatten() {
            let owners = mesh.get(name).map(|owner| owner.members.clone()).unwrap_or_default();
            share.members.splice(0..0, owners);
        }
        for (name, share) in attached.mesh {
            match mesh.entry(name) {
                Slot::Occupied(mut known) => known.get_mut().members.extend(share.members),
                Slot::Vacant(free) => drop(free.insert(share)),
            }
        }
        if !gateways.is_empty() {
            report_gateways(&documents, gateways, resources, diagnostics);
        }
        let mut compiler = Compiler { documents: &documents, served: Vec::new(), shared: BTreeMap::new() };
        let compile = |shares: Shares, mesh: bool| {
            let entries = shares.into_iter().map(|(name, share)| {
                let served = (!share.members.is_empty()).then(|| compiler.serve(share.members));
                (name, Entry { served, https_redirect: share.https_redirect })
            });
            listener::index(&entries.collect::<Vec<_>>(), mesh.then_some(environment))
        };
        let mesh = MeshShares { all: mesh, ports: mesh_ports };
        let listeners = Listeners::build(&documents, gateways, mesh, attached.listeners, compile);
        let served = compiler.served;
        let connections = Connections::build(&documents, gateways, attached.connections);
        Self { documents, served, listeners, connections }
    }

    /// Who owns the host that a request is for, on the listener that it came in by.
    pub fn owner(&self, view: &View<'_>) -> Owner<'_> {
        match self.listeners.of(view) {
            Arrival::Unknown => Owner::Nobody,
            Arrival::UnknownName(port) => Owner::Unserved(port),
            Arrival::Misdirected(port) => Owner::Misdirected(port),
            Arrival::Mesh(hosts) => self.entry(hosts, view).unwrap_or(Owner::Nobody),
            Arrival::Gateway(port, hosts) => self.entry(hosts, view).unwrap_or(Owner::Unserved(port)),
        }
    }

    fn entry(&self, hosts: &Hosts, view: &View<'_>) -> Option<Owner<'_>> {
        let entry = hosts.find(&host::of_authority(view.authority()))?;
        if entry.https_redirect && view.scheme() != "https" {
            return Some(Owner::Https);
        }
        self.served.get(entry.served?).map(Owner::Rules)
    }

    /// Where a connection goes whose TLS is passed on.
    pub fn connection(&self, connection: &Connection) -> ConnectionDecision {
        self.connections.decide(&self.documents, connection)
    }

    /// The first candidate that a request matches.
    pub fn find(&self, served: &Served, view: &View<'_>) -> Option<Found<'_>> {
        self.found(served.rules.find(view, |candidate| block(&self.documents, candidate))?)
    }

    /// The candidates of a host, in the order in which they stand.
    pub fn candidates<'a>(&'a self, served: &'a Served) -> impl Iterator<Item = (Candidate, Found<'a>)> {
        served.rules.candidates().iter().filter_map(|candidate| Some((*candidate, self.found(*candidate)?)))
    }

    /// All documents, the oldest first.
    pub fn documents(&self) -> &[Document] {
        &self.documents
    }

    /// The documents that a host has its rules from.
    pub fn documents_of<'a>(&'a self, served: &'a Served) -> impl Iterator<Item = &'a Document> {
        served.members.iter().filter_map(|member| self.documents.get(member.document))
    }

    /// The same, each with the gateways through which it is attached there; none stand for any.
    pub fn members_of<'a>(&'a self, served: &'a Served) -> impl Iterator<Item = (&'a Document, &'a BTreeSet<String>)> {
        served.members.iter().filter_map(|member| Some((self.documents.get(member.document)?, &member.through)))
    }

    fn found(&self, candidate: Candidate) -> Option<Found<'_>> {
        let document = self.documents.get(candidate.document)?;
        let rule = document.rules.get(candidate.rule)?;
        Some(Found { document, rule, block: rule.blocks.get(candidate.block)? })
    }
}

fn block(documents: &[Document], candidate: Candidate) -> Option<&Block> {
    documents.get(candidate.document)?.rules.get(candidate.rule)?.blocks.get(candidate.block)
}

/// Compiles the rules of hosts, those of hosts with the same documents once.
struct Compiler<'a> {
    documents: &'a [Document],
    served: Vec<Served>,
    shared: BTreeMap<Vec<Member>, usize>,
}

impl Compiler<'_> {
    fn serve(&mut self, members: Vec<Member>) -> usize {
        let next = self.served.len();
        let number = *self.shared.entry(members.clone()).or_insert(next);
        if number == next {
            let merged = members.len() > 1;
            let candidates = members.iter().flat_map(|member| self.candidates_of(member, merged)).collect();
            let rules = VirtualHost::build(candidates, |candidate| block(self.documents, candidate));
            self.served.push(Served { members, rules });
        }
        number
    }

    /// All blocks of a document; where they are taken in written order, those up to the first that takes everything, which
    /// stands behind those of other documents.
    fn candidates_of(&self, member: &Member, merged: bool) -> Vec<Candidate> {
        let document = member.document;
        let mut candidates = Vec::new();
        let rules = self.documents.get(document).map_or(&[][..], |document| &document.rules);
        for (rule, resolved) in rules.iter().enumerate() {
            for (block, asked) in resolved.blocks.iter().enumerate() {
                if !asked.counts_through(&member.through) {
                    continue;
                }
                let written_order = asked.specificity.is_written_order();
                let everything = written_order && asked.is_catch_all();
                let specificity = asked.specificity;
                let specificity = if written_order { specificity } else { specificity.with_first(member.host) };
                let position = Position { last: merged && everything, specificity, document, rule, block };
                candidates.push(Candidate { position, document, rule, block });
                if everything {
                    return candidates;
                }
            }
        }
        candidates
    }
}

fn report_ignored(
    document: &Document,
    place: usize,
    name: &str,
    owner: &Document,
    resources: &[Resource],
    diagnostics: &mut Diagnostics,
) {
    let Some(resource) = resources.get(document.resource) else { return };
    let message =
        format!("{name} belongs to VirtualService {} at {}, so no request for it gets here", owner.name, owner.origin);
    let help = "the oldest resource owns a host (by creation timestamp, then by name); put the rules in there";
    let place = Place::spec().key("hosts").index(place);
    Report::new(resource, diagnostics).warning(&place, code::OWNED_HOST, message, help);
}

/// Warns of gateways that no document defines, and of hosts that none of a resource's gateways serves.
fn report_gateways(
    documents: &[Document],
    gateways: &[Gateway],
    resources: &[Resource],
    diagnostics: &mut Diagnostics,
) {
    let hosts_of = |gateway: &Gateway| {
        let passing = gateway.passing.iter().flat_map(|server| &server.hosts);
        let hosts = gateway.servers.iter().flat_map(|server| &server.hosts).chain(passing);
        (gateway.name.clone(), ServerHosts::new(hosts.cloned()))
    };
    let by_name: HashMap<String, ServerHosts> = gateways.iter().map(hosts_of).collect();
    let of_istio = documents.iter().filter(|document| document.kind == Kind::VirtualService);
    for document in of_istio.filter(|document| !document.hosts.is_empty()) {
        let Some(resource) = resources.get(document.resource) else { continue };
        let mut report = Report::new(resource, diagnostics);
        let real = document.gateways.iter().enumerate().filter(|(_, name)| *name != crate::attachment::MESH);
        for (index, name) in real.clone().filter(|(_, name)| !by_name.contains_key(*name)) {
            let message = format!("there is no Gateway {name}, so the rules do not count there");
            let known: BTreeSet<&str> = gateways.iter().map(|gateway| gateway.name.as_str()).collect();
            let help = format!("known are {}", known.into_iter().collect::<Vec<_>>().join(", "));
            report.warning(&Place::spec().key("gateways").index(index), code::UNKNOWN_GATEWAY, message, help);
        }
        let known: Vec<&ServerHosts> = real.filter_map(|(_, name)| by_name.get(name)).collect();
        let unserved = |host: &str| known.iter().all(|hosts| hosts.attached(&document.namespace, host).is_empty());
        for (index, host) in document.hosts.iter().filter(|(_, host)| !known.is_empty() && unserved(host)) {
            let message =
                format!("none of the resource's gateways serves {host} for the namespace {}", document.namespace);
            let help = "add the host to a server of the Gateway, or remove it here";
            report.warning(&Place::spec().key("hosts").index(*index), code::UNSERVED_HOST, message, help);
        }
    }
}
