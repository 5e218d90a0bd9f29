//! The listeners that requests come in by, each with the hosts that it serves.
//!
//! `mesh` is what the command line opened. Where there are Gateway documents, it serves the resources that are bound to
//! `mesh`, and each port of a Gateway serves those that are attached to it; where there is none, `mesh` serves them all.
//! On a port with TLS the server name of the handshake selects the servers of the Gateway first, as it has selected the
//! certificate.

use crate::attachment::MESH;
use crate::document::{Document, Kind};
use crate::gateway::{Gateway, Server, ServerHost};
use crate::gateway_api::{Choice, Isolated, ListenerShares};
use crate::host::{self, HostIndex};
use crate::view::View;
use sluicegate_sdk::Environment;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// A document that a host is served by, and through which gateways it is attached there: blocks that are restricted to
/// others do not count. No gateway at all stands for any.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Member {
    /// The document's number, which is its rank by age.
    pub document: usize,
    /// Names of gateways.
    pub through: BTreeSet<String>,
    /// How specific the host is under which the document is there, for resources whose rules go by precedence: the larger
    /// goes first. 0 for others.
    pub host: u32,
}

/// Who serves a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Share {
    /// The oldest first.
    pub members: Vec<Member>,
    /// Whether plain requests are sent to https.
    pub https_redirect: bool,
}

/// The hosts of one listener before their rules are compiled.
pub type Shares = BTreeMap<String, Share>;

/// The hosts of what the command line opened.
#[derive(Debug)]
pub struct MeshShares {
    /// For requests to any port.
    pub all: Shares,
    /// Those that go before for requests to one port.
    pub ports: BTreeMap<u16, Shares>,
}

/// What a host of a listener leads to.
#[derive(Debug, Clone, Copy)]
pub struct Entry {
    /// The number of its rules; none for a host that only sends to https.
    pub served: Option<usize>,
    /// Whether plain requests are sent to https.
    pub https_redirect: bool,
}

/// The hosts that a listener serves.
pub type Hosts = HostIndex<Entry>;

/// All listeners.
#[derive(Debug)]
pub struct Listeners {
    mesh: Hosts,
    /// What goes before it, by the port that a request is for.
    mesh_ports: BTreeMap<u16, Hosts>,
    /// By port; empty where there is no Gateway document.
    ports: BTreeMap<u16, Port>,
}

/// The listener of one port.
#[derive(Debug)]
struct Port {
    plain: Option<Hosts>,
    tls: Vec<Hosts>,
    /// Which of `tls` a server name belongs to.
    names: HostIndex<usize>,
    /// The listeners of the Gateway API without TLS.
    isolated: Isolated,
    /// Those with TLS.
    isolated_tls: Isolated,
}

/// The listener that a request came in by.
#[derive(Debug, Clone, Copy)]
pub enum Arrival<'a> {
    /// What the command line opened.
    Mesh(&'a Hosts),
    /// A port of a Gateway.
    Gateway(u16, &'a Hosts),
    /// A port of a Gateway that serves nothing under the name that the client asked for.
    UnknownName(u16),
    /// A port whose listener for the request's host is another one than that of the TLS connection.
    Misdirected(u16),
    /// A listener that no document known here has opened.
    Unknown,
}

impl Listeners {
    /// Builds all listeners; `compile` turns the hosts of one into what requests look up.
    pub fn build(
        documents: &[Document],
        gateways: &[Gateway],
        mesh: MeshShares,
        isolated: Vec<ListenerShares>,
        mut compile: impl FnMut(Shares, bool) -> Hosts,
    ) -> Self {
        let bound = Bound::new(documents);
        let mut servers: BTreeMap<u16, Vec<(&Gateway, &Server)>> = BTreeMap::new();
        for gateway in gateways {
            for server in &gateway.servers {
                servers.entry(server.port).or_default().push((gateway, server));
            }
        }
        let ports = servers.into_iter().map(|(port, servers)| (port, Port::build(&servers, &bound, &mut compile)));
        let mut ports: BTreeMap<u16, Port> = ports.collect();
        for listener in isolated {
            let port = ports.entry(listener.port).or_insert_with(Port::new);
            let isolated = if listener.tls { &mut port.isolated_tls } else { &mut port.isolated };
            isolated.insert(&listener.hostname, compile(listener.shares, false));
        }
        let mesh_ports = mesh.ports.into_iter().map(|(port, shares)| (port, compile(shares, true))).collect();
        Self { mesh: compile(mesh.all, true), mesh_ports, ports }
    }

    /// The listener that a request came in by.
    pub fn of(&self, view: &View<'_>) -> Arrival<'_> {
        // Reading attributes are calls into the host, which a proxy without Gateways does not need.
        if self.ports.is_empty() || view.attribute("listener.name").is_none_or(|name| name == MESH) {
            return Arrival::Mesh(self.mesh(view));
        }
        let number = view.listener_port().unwrap_or_default();
        let Some(port) = self.ports.get(&number) else { return Arrival::Unknown };
        match port.isolated(view) {
            Choice::Hosts(hosts) => return Arrival::Gateway(number, hosts),
            Choice::Misdirected => return Arrival::Misdirected(number),
            Choice::Nothing => {}
        }
        match port.hosts(view) {
            Some(hosts) => Arrival::Gateway(number, hosts),
            None => Arrival::UnknownName(number),
        }
    }
}

impl Listeners {
    fn mesh(&self, view: &View<'_>) -> &Hosts {
        // Reading the port may be a call into the host.
        if self.mesh_ports.is_empty() {
            return &self.mesh;
        }
        let of_port = view.addressed_port().and_then(|port| self.mesh_ports.get(&port));
        of_port.filter(|hosts| hosts.find(&host::of_authority(view.authority())).is_some()).unwrap_or(&self.mesh)
    }
}

impl Port {
    fn new() -> Self {
        let names = HostIndex::new();
        Self { plain: None, tls: Vec::new(), names, isolated: Isolated::default(), isolated_tls: Isolated::default() }
    }

    fn isolated(&self, view: &View<'_>) -> Choice<'_> {
        if view.scheme() == "https" { self.isolated_tls.choose_tls(view) } else { self.isolated.choose(view) }
    }

    fn build(
        servers: &[(&Gateway, &Server)],
        bound: &Bound<'_>,
        compile: &mut impl FnMut(Shares, bool) -> Hosts,
    ) -> Self {
        let (tls, plain): (Vec<_>, Vec<_>) = servers.iter().copied().partition(|(_, server)| server.tls);
        let mut port = Self::new();
        if !plain.is_empty() {
            port.plain = Some(compile(bound.shares(&plain), false));
        }
        // Servers whose names are the same share their rules, too.
        let mut by_name: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (number, (_, server)) in tls.iter().enumerate() {
            for host in &server.hosts {
                by_name.entry(&host.name).or_default().push(number);
            }
        }
        let mut built: BTreeMap<Vec<usize>, usize> = BTreeMap::new();
        for (name, numbers) in by_name {
            let next = port.tls.len();
            let number = *built.entry(numbers.clone()).or_insert(next);
            if number == next {
                let servers: Vec<_> = numbers.iter().filter_map(|&number| tls.get(number).copied()).collect();
                port.tls.push(compile(bound.shares(&servers), false));
            }
            port.names.insert(name, number);
        }
        port
    }

    fn hosts(&self, view: &View<'_>) -> Option<&Hosts> {
        if view.scheme() != "https" || self.tls.is_empty() {
            return self.plain.as_ref();
        }
        // A client that asks by address sends no name; then the authority has to do.
        let name = view.attribute("tls.sni").unwrap_or_else(|| view.authority().to_owned());
        self.tls.get(*self.names.find(&host::of_authority(&name))?)
    }
}

/// Who is bound to which gateway.
struct Bound<'a> {
    documents: &'a [Document],
    by_gateway: HashMap<&'a str, Vec<usize>>,
}

impl<'a> Bound<'a> {
    fn new(documents: &'a [Document]) -> Self {
        let mut by_gateway: HashMap<&str, Vec<usize>> = HashMap::new();
        let of_istio = documents.iter().enumerate().filter(|(_, document)| document.kind == Kind::VirtualService);
        for (number, document) in of_istio {
            for gateway in document.gateways.iter().collect::<BTreeSet<_>>() {
                by_gateway.entry(gateway).or_default().push(number);
            }
        }
        Self { documents, by_gateway }
    }

    /// The hosts that servers of one listener serve together.
    fn shares(&self, servers: &[(&Gateway, &Server)]) -> Shares {
        let mut shares: BTreeMap<String, (BTreeMap<usize, BTreeSet<String>>, bool)> = BTreeMap::new();
        for (gateway, server) in servers {
            let hosts = ServerHosts::new(server.hosts.iter().cloned());
            for (number, document) in self.of(&gateway.name) {
                for (_, name) in &document.hosts {
                    for narrower in hosts.attached(&document.namespace, name) {
                        let share = shares.entry(narrower).or_default();
                        share.0.entry(number).or_default().insert(gateway.name.clone());
                        share.1 |= server.https_redirect;
                    }
                }
            }
            for host in server.hosts.iter().filter(|_| server.https_redirect) {
                shares.entry(host.name.clone()).or_default().1 = true;
            }
        }
        let member = |(document, through)| Member { document, through, host: 0 };
        let share = |(members, https_redirect): (BTreeMap<usize, _>, bool)| Share {
            members: members.into_iter().map(member).collect(),
            https_redirect,
        };
        shares.into_iter().map(|(name, parts)| (name, share(parts))).collect()
    }

    fn of(&self, gateway: &str) -> impl Iterator<Item = (usize, &'a Document)> {
        let numbers = self.by_gateway.get(gateway).map_or(&[][..], Vec::as_slice);
        numbers.iter().filter_map(|&number| Some((number, self.documents.get(number)?)))
    }
}

/// A server's hosts by name, so that attaching a name looks at those that can cover it and not at all of them.
#[derive(Debug)]
pub struct ServerHosts {
    by_name: HashMap<String, Vec<ServerHost>>,
}

impl ServerHosts {
    /// An index over the hosts of a server, or of several.
    pub fn new(hosts: impl IntoIterator<Item = ServerHost>) -> Self {
        let mut by_name: HashMap<String, Vec<ServerHost>> = HashMap::new();
        for host in hosts {
            by_name.entry(host.name.clone()).or_default().push(host);
        }
        Self { by_name }
    }

    /// The names under which a host of a resource in `namespace` is served.
    pub fn attached(&self, namespace: &str, name: &str) -> BTreeSet<String> {
        let attach = |host: &ServerHost| host.intersection(namespace, name);
        if name.starts_with('*') {
            return self.by_name.values().flatten().filter_map(attach).collect();
        }
        let wider = host::covering(name).filter_map(|wide| self.by_name.get(wide.as_str()));
        wider.flatten().filter_map(attach).collect()
    }
}

/// The hosts that `mesh` serves where there are Gateways: each belongs to the oldest document that is bound to `mesh`.
/// Documents that come too late are handed to `ignored`, with the host's place and its owner.
pub fn mesh_shares(documents: &[Document], mut ignored: impl FnMut(&Document, usize, &str, &Document)) -> Shares {
    let mut shares = Shares::new();
    let on_mesh = |document: &Document| document.gateways.iter().any(|name| name == MESH);
    let of_istio = documents.iter().enumerate().filter(|(_, document)| document.kind == Kind::VirtualService);
    let bound = of_istio.filter(|(_, document)| on_mesh(document));
    for (number, document) in bound {
        for (place, name) in &document.hosts {
            let owner = shares.get(name).and_then(|share| share.members.first());
            match owner.and_then(|owner| documents.get(owner.document)) {
                Some(owner) => ignored(document, *place, name, owner),
                None => drop(shares.insert(name.clone(), Share::of(number, [MESH.to_owned()].into()))),
            }
        }
    }
    shares
}

/// The hosts of all documents, which `mesh` serves where there is no Gateway. Those bound to a gateway add up; of those
/// bound to `mesh` alone the oldest counts, and the others are handed to `ignored`.
pub fn all_shares(documents: &[Document], mut ignored: impl FnMut(&Document, usize, &str, &Document)) -> Shares {
    let mut shares = Shares::new();
    let mut of_mesh: HashMap<&str, usize> = HashMap::new();
    let of_istio = documents.iter().enumerate().filter(|(_, document)| document.kind == Kind::VirtualService);
    for (number, document) in of_istio {
        let mesh_only = document.gateways.iter().all(|name| name == MESH);
        for (place, name) in &document.hosts {
            let owner = if mesh_only { *of_mesh.entry(name).or_insert(number) } else { number };
            if let Some(owner) = documents.get(owner).filter(|_| owner != number) {
                ignored(document, *place, name, owner);
                continue;
            }
            let share = shares.entry(name.clone()).or_insert_with(|| Share { members: vec![], https_redirect: false });
            share.members.push(Member { document: number, through: BTreeSet::new(), host: 0 });
        }
    }
    shares
}

/// Puts hosts into an index, service names under their shorter names too where `aliases` is given.
pub fn index(entries: &[(String, Entry)], aliases: Option<&Environment>) -> Hosts {
    let mut hosts = HostIndex::new();
    for (name, entry) in entries {
        hosts.insert(name, *entry);
    }
    // Only now, as a name that is written out goes before one that is made.
    for (name, entry) in entries.iter().filter(|_| aliases.is_some()) {
        hosts.insert_aliases(aliases.map(|environment| host::aliases(name, environment)).unwrap_or_default(), entry);
    }
    hosts
}

impl Share {
    fn of(document: usize, through: BTreeSet<String>) -> Self {
        Self { members: vec![Member { document, through, host: 0 }], https_redirect: false }
    }
}
