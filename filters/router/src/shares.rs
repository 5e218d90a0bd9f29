//! Who serves a host: from the documents that have it to those whose rules count there, one host at a time, so that a
//! change of a document concerns its own hosts and no others.

use crate::attachment::MESH;
use crate::document::{Document, Kind};
use crate::documents::{Aged, Documents};
use crate::gateway::{Gateway, Server, ServerHost};
use crate::host;
use crate::listener::{Member, Share};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::rc::Rc;

/// A document that has a host which belongs to an older one.
#[derive(Debug)]
pub struct Ignored {
    /// The document.
    pub document: Rc<Document>,
    /// The place of the host among its hosts as written.
    pub place: usize,
    /// The host.
    pub name: String,
    /// Whose it is.
    pub owner: Rc<Document>,
}

/// The documents of Istio that `mesh` serves a host by. Where there are Gateways it is the oldest that is bound to `mesh`.
/// Where there is none, `alone`, those bound to a gateway add up, and of those bound to `mesh` alone the oldest counts.
/// Documents that come too late go into `ignored`.
pub fn of_mesh(name: &str, documents: &Documents, alone: bool, ignored: &mut Vec<Ignored>) -> Option<Share> {
    let mut members: Vec<Member> = Vec::new();
    let mut owner: Option<&Rc<Document>> = None;
    for document in documents.of_host(name).iter().filter(|document| document.kind == Kind::VirtualService) {
        let on_mesh = |gateway: &String| gateway == MESH;
        let rivals = if alone { document.gateways.iter().all(on_mesh) } else { true };
        if !alone && !document.gateways.iter().any(on_mesh) {
            continue;
        }
        if let Some(owner) = owner.filter(|_| rivals) {
            ignored.extend(ignored_for(document, name, owner));
        } else {
            let through = if alone { BTreeSet::new() } else { [MESH.to_owned()].into() };
            members.push(Member { document: Rc::clone(document), through, host: 0 });
            owner = if rivals { Some(document) } else { owner };
        }
    }
    (!members.is_empty()).then_some(Share { members, https_redirect: false })
}

fn ignored_for(document: &Rc<Document>, name: &str, owner: &Rc<Document>) -> Option<Ignored> {
    let (place, _) = document.hosts.iter().find(|(_, own)| own == name)?;
    Some(Ignored { document: Rc::clone(document), place: *place, name: name.to_owned(), owner: Rc::clone(owner) })
}

/// Servers of Gateways that serve their hosts together.
#[derive(Debug)]
pub struct Servers {
    /// By the Gateway's name, and whether plain requests are sent to https.
    hosts: BTreeMap<(String, bool), ServerHosts>,
}

impl Servers {
    /// These servers.
    pub fn new(servers: &[(&Gateway, &Server)]) -> Self {
        let mut hosts: BTreeMap<(String, bool), Vec<ServerHost>> = BTreeMap::new();
        for (gateway, server) in servers {
            hosts
                .entry((gateway.name.clone(), server.https_redirect))
                .or_default()
                .extend(server.hosts.iter().cloned());
        }
        Self { hosts: hosts.into_iter().map(|(key, hosts)| (key, ServerHosts::new(hosts))).collect() }
    }

    /// The names under which a document is served.
    pub fn names(&self, document: &Document) -> BTreeSet<String> {
        let attached = |hosts: &ServerHosts| {
            let names = document.hosts.iter().map(|(_, name)| hosts.attached(&document.namespace, name));
            names.flatten().collect::<Vec<_>>()
        };
        self.bound(document).flat_map(|(_, hosts)| attached(hosts)).collect()
    }

    /// The names that are sent to https, whether a document has them or not.
    pub fn redirected(&self) -> impl Iterator<Item = &String> {
        self.hosts.iter().filter(|((_, https_redirect), _)| *https_redirect).flat_map(|(_, hosts)| hosts.names())
    }

    /// Who serves a name here; none where nobody does.
    #[expect(clippy::mutable_key_type, reason = "the age and the number, which order documents, never change")]
    pub fn share(&self, name: &str, documents: &Documents) -> Option<Share> {
        let mut members: BTreeMap<Aged, BTreeSet<String>> = BTreeMap::new();
        let mut https_redirect = self.hosts.iter().any(|((_, redirects), hosts)| *redirects && hosts.has(name));
        for wide in host::covering(name) {
            for document in documents.of_host(&wide) {
                for ((gateway, redirects), hosts) in self.bound(document) {
                    if hosts.attaches(&document.namespace, &wide, name) {
                        members.entry(Aged(Rc::clone(document))).or_default().insert(gateway.clone());
                        https_redirect |= redirects;
                    }
                }
            }
        }
        let member = |(Aged(document), through)| Member { document, through, host: 0 };
        let share = Share { members: members.into_iter().map(member).collect(), https_redirect };
        (https_redirect || !share.members.is_empty()).then_some(share)
    }

    /// The servers of the Gateways that a document of Istio is bound to.
    fn bound<'a>(&'a self, document: &'a Document) -> impl Iterator<Item = (&'a (String, bool), &'a ServerHosts)> {
        let gateways: &[String] = if document.kind == Kind::VirtualService { &document.gateways } else { &[] };
        let both = move |gateway: &'a String| {
            [false, true]
                .into_iter()
                .filter_map(move |redirects| self.hosts.get_key_value(&(gateway.clone(), redirects)))
        };
        gateways.iter().flat_map(both)
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

    /// Whether a host of a resource in `namespace`, which is `narrow` or covers it, is served under `narrow`.
    fn attaches(&self, namespace: &str, name: &str, narrow: &str) -> bool {
        let under = |host: &ServerHost| host.intersection(namespace, name).as_deref() == Some(narrow);
        let named = |wide: &str| self.by_name.get(wide).is_some_and(|hosts| hosts.iter().any(under));
        if name == narrow { host::covering(name).any(|wide| named(&wide)) } else { named(narrow) }
    }

    fn has(&self, name: &str) -> bool {
        self.by_name.contains_key(name)
    }

    fn names(&self) -> impl Iterator<Item = &String> {
        self.by_name.keys()
    }
}
