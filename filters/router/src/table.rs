//! All documents together: which rules a host of a listener has, in which order.

use crate::attachment::MESH;
use crate::code;
use crate::connection::Connections;
use crate::document::{Document, Kind};
use crate::documents::Documents;
use crate::gateway::Gateway;
use crate::gateway_api;
use crate::host;
use crate::listener::{Arrival, Assembly, Hosts, Listeners, Routes, Shares};
use crate::report::{Place, Report};
use crate::served::{Compiler, Served};
use crate::shares::{Ignored, ServerHosts};
use crate::view::View;
use sluicegate_sdk::{Connection, ConnectionDecision, Diagnostics, Environment, ResourceId};
use std::collections::HashMap;
use std::rc::Rc;

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
    documents: Documents,
    listeners: Listeners,
    connections: Connections,
    /// The hosts of Istio's Gateways, which documents are checked against.
    gateways: HashMap<String, ServerHosts>,
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

impl Table {
    /// Puts the documents together, and reports hosts that have an older owner or that no Gateway serves.
    pub fn build(
        resolved: Vec<Document>,
        gateways: &Gateways,
        environment: &Environment,
        diagnostics: &mut Diagnostics,
    ) -> Self {
        let mut documents = Documents::default();
        for document in resolved {
            documents.insert(document);
        }
        let Gateways { istio: gateways, api } = gateways;
        let alone = gateways.is_empty() && api.gateways.is_empty();
        let by_age: Vec<Rc<Document>> = documents.iter().cloned().collect();
        let attached = api.attach(&by_age, alone, diagnostics);
        let of_api = attached.mesh.values().chain(attached.mesh_ports.values().flat_map(Shares::values));
        of_api.flat_map(|share| &share.members).for_each(|member| member.document.on_mesh.set(true));
        let connections = Connections::build(&by_age, gateways, attached.connections);
        let routes = Routes { mesh: attached.mesh, mesh_ports: attached.mesh_ports, listeners: attached.listeners };
        let mut assembly =
            Assembly { documents: &documents, environment, compiler: Compiler::default(), ignored: Vec::new() };
        let listeners = Listeners::build(gateways, alone, routes, &mut assembly);
        report_ignored(assembly.ignored, diagnostics);
        let gateways = gateways.iter().map(|gateway| {
            let passing = gateway.passing.iter().flat_map(|server| &server.hosts);
            let hosts = gateway.servers.iter().flat_map(|server| &server.hosts).chain(passing);
            (gateway.name.clone(), ServerHosts::new(hosts.cloned()))
        });
        let table = Self { documents, listeners, connections, gateways: gateways.collect() };
        for document in &by_age {
            table.report_gateways(document, diagnostics);
        }
        table
    }

    /// Takes documents of Istio out and others in. Only the hosts that these have are put together anew.
    pub fn update(
        &mut self,
        removed: &[ResourceId],
        added: Vec<Document>,
        environment: &Environment,
        diagnostics: &mut Diagnostics,
    ) {
        let mut changed: Vec<Rc<Document>> =
            removed.iter().filter_map(|number| self.documents.remove(*number)).collect();
        let added: Vec<Rc<Document>> = added.into_iter().map(|document| self.documents.insert(document)).collect();
        changed.extend(added.iter().cloned());
        let mut assembly =
            Assembly { documents: &self.documents, environment, compiler: Compiler::default(), ignored: Vec::new() };
        self.listeners.renew(changed.iter(), &mut assembly);
        report_ignored(assembly.ignored, diagnostics);
        for document in &added {
            self.report_gateways(document, diagnostics);
        }
    }

    /// Who owns the host that a request is for, on the listener that it came in by.
    pub fn owner(&self, view: &View<'_>) -> Owner<'_> {
        match self.listeners.of(view) {
            Arrival::Unknown => Owner::Nobody,
            Arrival::UnknownName(port) => Owner::Unserved(port),
            Arrival::Misdirected(port) => Owner::Misdirected(port),
            Arrival::Mesh(hosts) => entry(hosts, view).unwrap_or(Owner::Nobody),
            Arrival::Gateway(port, hosts) => entry(hosts, view).unwrap_or(Owner::Unserved(port)),
        }
    }

    /// Where a connection goes whose TLS is passed on.
    pub fn connection(&self, connection: &Connection) -> ConnectionDecision {
        self.connections.decide(&self.documents, connection)
    }

    /// All documents.
    pub fn documents(&self) -> &Documents {
        &self.documents
    }

    /// Warns of gateways that no document defines, and of hosts that none of a resource's gateways serves.
    fn report_gateways(&self, document: &Document, diagnostics: &mut Diagnostics) {
        if self.gateways.is_empty() || document.kind != Kind::VirtualService || document.hosts.is_empty() {
            return;
        }
        let mut report = Report::new(document.resource, diagnostics);
        let real = document.gateways.iter().enumerate().filter(|(_, name)| *name != MESH);
        for (index, name) in real.clone().filter(|(_, name)| !self.gateways.contains_key(*name)) {
            let message = format!("there is no Gateway {name}, so the rules do not count there");
            let mut known: Vec<&str> = self.gateways.keys().map(String::as_str).collect();
            known.sort_unstable();
            let help = format!("known are {}", known.join(", "));
            report.warning(&Place::spec().key("gateways").index(index), code::UNKNOWN_GATEWAY, message, help);
        }
        let known: Vec<&ServerHosts> = real.filter_map(|(_, name)| self.gateways.get(name)).collect();
        let unserved = |host: &str| known.iter().all(|hosts| hosts.attached(&document.namespace, host).is_empty());
        for (index, host) in document.hosts.iter().filter(|(_, host)| !known.is_empty() && unserved(host)) {
            let message =
                format!("none of the resource's gateways serves {host} for the namespace {}", document.namespace);
            let help = "add the host to a server of the Gateway, or remove it here";
            report.warning(&Place::spec().key("hosts").index(*index), code::UNSERVED_HOST, message, help);
        }
    }
}

fn entry<'a>(hosts: &'a Hosts, view: &View<'_>) -> Option<Owner<'a>> {
    let entry = hosts.find(&host::of_authority(view.authority()))?;
    if entry.https_redirect && view.scheme() != "https" {
        return Some(Owner::Https);
    }
    entry.served.as_deref().map(Owner::Rules)
}

fn report_ignored(mut ignored: Vec<Ignored>, diagnostics: &mut Diagnostics) {
    ignored.sort_by(|one, other| (one.document.age(), one.place).cmp(&(other.document.age(), other.place)));
    for Ignored { document, place, name, owner } in ignored {
        let (owner, origin) = (&owner.name, &owner.origin);
        let message = format!("{name} belongs to VirtualService {owner} at {origin}, so no request for it gets here");
        let help = "the oldest resource owns a host (by creation timestamp, then by name); put the rules in there";
        let place = Place::spec().key("hosts").index(place);
        Report::new(document.resource, diagnostics).warning(&place, code::OWNED_HOST, message, help);
    }
}
