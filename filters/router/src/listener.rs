//! The listeners that requests come in by, each with the hosts that it serves.
//!
//! `mesh` is what the command line opened. Where there are Gateway documents, it serves the resources that are bound to
//! `mesh`, and each port of a Gateway serves those that are attached to it; where there is none, `mesh` serves them all.
//! On a port with TLS the server name of the handshake selects the servers of the Gateway first, as it has selected the
//! certificate.

use crate::attachment::MESH;
use crate::document::Document;
use crate::documents::Documents;
use crate::gateway::{Gateway, Server};
use crate::gateway_api::{Choice, Isolated, ListenerShares};
use crate::host::{self, HostIndex};
use crate::served::{Compiler, Served};
use crate::shares::{self, Ignored, Servers};
use crate::view::View;
use sluicegate_sdk::Environment;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// A document that a host is served by, and through which gateways it is attached there: blocks that are restricted to
/// others do not count. No gateway at all stands for any.
#[derive(Debug, Clone)]
pub struct Member {
    /// The document.
    pub document: Rc<Document>,
    /// Names of gateways.
    pub through: BTreeSet<String>,
    /// How specific the host is under which the document is there, for resources whose rules go by precedence: the larger
    /// goes first. 0 for others.
    pub host: u32,
}

/// Who serves a host.
#[derive(Debug, Clone)]
pub struct Share {
    /// The oldest first.
    pub members: Vec<Member>,
    /// Whether plain requests are sent to https.
    pub https_redirect: bool,
}

/// The hosts of one listener before their rules are compiled.
pub type Shares = BTreeMap<String, Share>;

/// What a host of a listener leads to.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Its rules; none for a host that only sends to https.
    pub served: Option<Rc<Served>>,
    /// Whether plain requests are sent to https.
    pub https_redirect: bool,
}

/// The hosts that a listener serves.
pub type Hosts = HostIndex<Entry>;

/// All listeners.
#[derive(Debug)]
pub struct Listeners {
    mesh: Mesh,
    /// By port; empty where there is no Gateway document.
    ports: BTreeMap<u16, Port>,
}

/// What the command line opened.
#[derive(Debug)]
struct Mesh {
    /// Whether there is no Gateway document.
    alone: bool,
    /// For requests to any port.
    all: Routed,
    /// What goes before it, by the port that a request is for.
    ports: BTreeMap<u16, Routed>,
}

/// Hosts, and what routes of the Gateway API add to them.
#[derive(Debug)]
struct Routed {
    hosts: Hosts,
    routes: Shares,
}

/// The listener of one port.
#[derive(Debug)]
struct Port {
    plain: Option<Together>,
    tls: Vec<Together>,
    /// Which of `tls` a server name belongs to.
    names: HostIndex<usize>,
    /// The listeners of the Gateway API without TLS.
    isolated: Isolated,
    /// Those with TLS.
    isolated_tls: Isolated,
}

/// Servers of Gateways that serve their hosts together, and these hosts.
#[derive(Debug)]
struct Together {
    servers: Servers,
    hosts: Hosts,
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

/// What listeners are put together from, and what is found on the way.
#[derive(Debug)]
pub struct Assembly<'a> {
    /// All documents.
    pub documents: &'a Documents,
    /// For the shorter names of services.
    pub environment: &'a Environment,
    /// For the rules.
    pub compiler: Compiler,
    /// Documents that have a host which belongs to an older one.
    pub ignored: Vec<Ignored>,
}

/// What is not Istio's own.
#[derive(Debug, Default)]
pub struct Routes {
    /// What the command line opened serves by routes of the Gateway API.
    pub mesh: Shares,
    /// The same for requests to one port, which go before.
    pub mesh_ports: BTreeMap<u16, Shares>,
    /// Listeners of the Gateway API.
    pub listeners: Vec<ListenerShares>,
}

impl Listeners {
    /// Builds all listeners; where there is no Gateway at all, `alone`, what the command line opened serves everything.
    pub fn build(gateways: &[Gateway], alone: bool, routes: Routes, assembly: &mut Assembly<'_>) -> Self {
        let mut servers: BTreeMap<u16, Vec<(&Gateway, &Server)>> = BTreeMap::new();
        for gateway in gateways {
            for server in &gateway.servers {
                servers.entry(server.port).or_default().push((gateway, server));
            }
        }
        let ports = servers.into_iter().map(|(port, servers)| (port, Port::build(&servers, assembly)));
        let mut ports: BTreeMap<u16, Port> = ports.collect();
        for listener in routes.listeners {
            let port = ports.entry(listener.port).or_insert_with(Port::new);
            let isolated = if listener.tls { &mut port.isolated_tls } else { &mut port.isolated };
            isolated.insert(&listener.hostname, compiled(listener.shares, assembly));
        }
        let of_ports = routes.mesh_ports.values().flat_map(Shares::keys);
        let names = assembly.documents.hosts().chain(routes.mesh.keys()).chain(of_ports);
        let names: BTreeSet<String> = names.cloned().collect();
        let fresh = |routes| Routed { hosts: Hosts::new(), routes };
        let mesh_ports = routes.mesh_ports.into_iter().map(|(port, routes)| (port, fresh(routes))).collect();
        let mut mesh = Mesh { alone, all: fresh(routes.mesh), ports: mesh_ports };
        mesh.renew(&names, assembly);
        Self { mesh, ports }
    }

    /// Puts the hosts that documents of Istio have together anew, after these were added or taken out.
    pub fn renew<'d>(&mut self, changed: impl Iterator<Item = &'d Rc<Document>> + Clone, assembly: &mut Assembly<'_>) {
        let of_ports = self.ports.values_mut();
        for together in of_ports.flat_map(|port| port.plain.iter_mut().chain(&mut port.tls)) {
            let names = changed.clone().flat_map(|document| together.servers.names(document)).collect();
            together.renew(&names, assembly);
        }
        let names = changed.flat_map(|document| &document.hosts).map(|(_, name)| name.clone()).collect();
        self.mesh.renew(&names, assembly);
    }

    /// The listener that a request came in by.
    pub fn of(&self, view: &View<'_>) -> Arrival<'_> {
        // Reading attributes are calls into the host, which a proxy without Gateways does not need.
        if self.ports.is_empty() || view.attribute("listener.name").is_none_or(|name| name == MESH) {
            return Arrival::Mesh(self.mesh.hosts(view));
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

impl Mesh {
    fn hosts(&self, view: &View<'_>) -> &Hosts {
        let all = &self.all.hosts;
        // Reading the port may be a call into the host.
        if self.ports.is_empty() {
            return all;
        }
        let of_port = view.addressed_port().and_then(|port| self.ports.get(&port)).map(|routed| &routed.hosts);
        of_port.filter(|hosts| hosts.find(&host::of_authority(view.authority())).is_some()).unwrap_or(all)
    }

    fn renew(&mut self, names: &BTreeSet<String>, assembly: &mut Assembly<'_>) {
        for name in names {
            let share = shares::of_mesh(name, assembly.documents, self.alone, &mut assembly.ignored);
            for routed in self.ports.values_mut().filter(|routed| routed.routes.contains_key(name)) {
                routed.renew(name, share.clone(), assembly);
            }
            self.all.renew(name, share, assembly);
        }
    }
}

impl Routed {
    /// Puts a host together anew; `share` is what documents of Istio have of it, which goes before the routes.
    fn renew(&mut self, name: &str, share: Option<Share>, assembly: &mut Assembly<'_>) {
        let share = match (share, self.routes.get(name).cloned()) {
            (Some(mut share), Some(routes)) => {
                share.members.extend(routes.members);
                Some(share)
            }
            (share, routes) => share.or(routes),
        };
        let aliases = assembly.environment.aliases(name);
        if let Some(share) = share {
            let entry = assembly.compiler.entry(share);
            self.hosts.insert_aliases(aliases, &entry);
            self.hosts.insert(name, entry);
        } else {
            self.hosts.remove(name);
            self.hosts.remove_aliases(&aliases);
        }
    }
}

impl Together {
    fn build(servers: &[(&Gateway, &Server)], assembly: &mut Assembly<'_>) -> Self {
        let servers = Servers::new(servers);
        let documents = assembly.documents.iter().flat_map(|document| servers.names(document));
        let names: BTreeSet<String> = documents.chain(servers.redirected().cloned()).collect();
        let mut together = Self { servers, hosts: Hosts::new() };
        together.renew(&names, assembly);
        together
    }

    fn renew(&mut self, names: &BTreeSet<String>, assembly: &mut Assembly<'_>) {
        for name in names {
            match self.servers.share(name, assembly.documents) {
                Some(share) => self.hosts.insert(name, assembly.compiler.entry(share)),
                None => self.hosts.remove(name),
            }
        }
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

    fn build(servers: &[(&Gateway, &Server)], assembly: &mut Assembly<'_>) -> Self {
        let (tls, plain): (Vec<_>, Vec<_>) = servers.iter().copied().partition(|(_, server)| server.tls);
        let mut port = Self::new();
        if !plain.is_empty() {
            port.plain = Some(Together::build(&plain, assembly));
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
                port.tls.push(Together::build(&servers, assembly));
            }
            port.names.insert(name, number);
        }
        port
    }

    fn hosts(&self, view: &View<'_>) -> Option<&Hosts> {
        if view.scheme() != "https" || self.tls.is_empty() {
            return self.plain.as_ref().map(|together| &together.hosts);
        }
        // A client that asks by address sends no name; then the authority has to do.
        let name = view.attribute("tls.sni").unwrap_or_else(|| view.authority().to_owned());
        self.tls.get(*self.names.find(&host::of_authority(&name))?).map(|together| &together.hosts)
    }
}

fn compiled(shares: Shares, assembly: &mut Assembly<'_>) -> Hosts {
    let mut hosts = Hosts::new();
    for (name, share) in shares {
        hosts.insert(&name, assembly.compiler.entry(share));
    }
    hosts
}
