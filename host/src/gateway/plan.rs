//! From declared servers to the addresses that are to be listened on.

use super::files::Files;
use super::material::{Material, Pair, Text};
use super::scope::Scope;
use super::{Declared, istio, kubernetes, secret};
use crate::config::{ListenTls, Settings};
use crate::listener::{BindError, Planned, Served};
use crate::manifest::{Diagnostic, Diagnostics, Document, Location, codes};
use crate::request::ListenerName;
use crate::snapshot::GatewayPort;
use crate::telemetry::metrics::CertificateFigures;
use crate::tls::{Action, HostIndex, HostPattern, Server, Servers};
use rustls::ServerConfig;
use std::collections::{BTreeSet, HashMap};
use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::SystemTime;

/// An address that is to be listened on, and who wants it.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The address and what it serves.
    pub planned: Planned,
    /// Where its port is declared; none for the command line's.
    pub place: Option<Location>,
}

/// All addresses beside those of `--listen`.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    entries: Vec<Entry>,
    certificates: Vec<CertificateFigures>,
}

impl Plan {
    /// What listeners take.
    pub fn planned(&self) -> Vec<Planned> {
        self.entries.iter().map(|entry| entry.planned.clone()).collect()
    }

    /// The ports of Gateway documents on which requests are taken, lowest first.
    pub fn ports(&self) -> Vec<GatewayPort> {
        let gateways = self.entries.iter().map(|entry| &entry.planned.served);
        let gateways = gateways.filter(|served| served.name == ListenerName::Gateway);
        // Where all servers pass connections on undecrypted, no request is seen.
        let sees = gateways.filter(|served| served.tls.as_ref().is_none_or(|servers| servers.end_tls()));
        let port = |served: &Served| Some(GatewayPort { number: served.port?, tls: served.tls.is_some() });
        let ports: BTreeSet<GatewayPort> = sees.filter_map(port).collect();
        ports.into_iter().collect()
    }

    /// The certificates that clients are shown.
    pub fn certificates(&self) -> &[CertificateFigures] {
        &self.certificates
    }

    /// Says that an address, by its number, is not to be had.
    pub fn report(&self, number: usize, error: &BindError, diagnostics: &mut Diagnostics) {
        let entry = self.entries.get(number);
        let port = entry.and_then(|entry| entry.planned.served.port).unwrap_or_else(|| error.address.port());
        let help = match error.reason.kind() {
            ErrorKind::PermissionDenied => {
                format!("low ports take a privilege: listen on another with `--gateway-port {port}=8080`")
            }
            ErrorKind::AddrInUse => {
                format!("end what listens there, or listen on another port with `--gateway-port {port}=8080`")
            }
            _ => format!("listen elsewhere with `--gateway-port {port}=ADDR:PORT`"),
        };
        let diagnostic = Diagnostic::error(codes::LISTEN, error.to_string()).help(help);
        diagnostics.push(match entry.and_then(|entry| entry.place.clone()) {
            Some(place) => diagnostic.at(place),
            None => diagnostic,
        });
    }
}

/// What one load makes and the next takes over where nothing has changed.
#[derive(Debug, Default)]
pub struct Memory {
    before: HashMap<[u8; 32], Arc<ServerConfig>>,
    now: HashMap<[u8; 32], Arc<ServerConfig>>,
}

impl Memory {
    /// Begins a load: what the last one has not used is forgotten.
    pub fn begin(&mut self) {
        self.before = std::mem::take(&mut self.now);
    }

    pub(super) fn find(&mut self, fingerprint: &[u8; 32]) -> Option<Arc<ServerConfig>> {
        let known = self.now.get(fingerprint).or_else(|| self.before.get(fingerprint)).cloned()?;
        self.now.insert(*fingerprint, Arc::clone(&known));
        Some(known)
    }

    pub(super) fn keep(&mut self, fingerprint: [u8; 32], config: &Arc<ServerConfig>) {
        self.now.insert(fingerprint, Arc::clone(config));
    }
}

/// Makes the plan of all documents and settings. Everything that is wrong goes into the diagnostics, and the plan is of
/// use only when there is no error among it. A load that tries several begins `files` and `memory` once, so that it
/// remembers what all of them read.
pub fn plan(
    documents: &[Arc<Document>],
    settings: &Settings,
    files: &mut Files,
    memory: &mut Memory,
    diagnostics: &mut Diagnostics,
) -> Plan {
    let mut scope = Scope { documents, files, memory, diagnostics, now: SystemTime::now(), certificates: Vec::new() };
    secret::check(&mut scope);
    let mut declared = Vec::new();
    istio::read(&mut scope, &mut declared);
    kubernetes::read(&mut scope, &mut declared);
    let mut entries = command_line(settings.listen_tls.as_ref(), &mut scope);
    for group in groups(&declared, settings, &mut scope) {
        let address = group.address;
        let own = settings.listen.iter().chain(settings.listen_tls.iter().flat_map(|listen| &listen.addresses));
        if address.port() != 0 && own.into_iter().any(|own| *own == address) {
            let message = format!("{address} is taken: the proxy's own listener has it");
            let help = format!("give the Gateway's port another number with `--gateway-port {}=8080`", group.port);
            group.error(codes::GATEWAY_PORT, message, &help, &mut scope);
            continue;
        }
        entries.push(group.entry());
    }
    Plan { entries, certificates: scope.certificates }
}

/// The listeners of `--listen-tls`.
fn command_line(listen: Option<&ListenTls>, scope: &mut Scope<'_>) -> Vec<Entry> {
    let Some(listen) = listen else { return Vec::new() };
    let mut file = |path| Text::file(path, Location::file(path), scope);
    let (Some(chain), Some(key)) = (file(&listen.certificate), file(&listen.key)) else { return Vec::new() };
    let config = Material::simple(vec![Pair { chain, key }]).config(&[], scope);
    let Some(config) = config else { return Vec::new() };
    let any = Server { hosts: vec![HostPattern::Any], action: Action::Terminate(config) };
    let servers = Arc::new(Servers::new(vec![any]));
    let entry = |address: &SocketAddr| {
        let served = Served { name: ListenerName::Mesh, port: None, tls: Some(Arc::clone(&servers)) };
        Entry { planned: Planned { address: *address, served }, place: None }
    };
    listen.addresses.iter().map(entry).collect()
}

/// The servers of one address.
struct Group<'g, 'd> {
    address: SocketAddr,
    port: u16,
    servers: Vec<&'g Declared<'d>>,
}

impl Group<'_, '_> {
    fn entry(&self) -> Entry {
        let of =
            |declared: &&Declared<'_>| Some(Server { hosts: declared.hosts.clone(), action: declared.tls.clone()? });
        let servers: Vec<Server> = self.servers.iter().filter_map(of).collect();
        let tls = (!servers.is_empty()).then(|| Arc::new(Servers::new(servers)));
        let served = Served { name: ListenerName::Gateway, port: Some(self.port), tls };
        let place = self.servers.first().map(|declared| declared.document.location_of(&declared.port_at));
        Entry { planned: Planned { address: self.address, served }, place }
    }

    fn error(&self, code: &str, message: String, help: &str, scope: &mut Scope<'_>) {
        if let Some(first) = self.servers.first() {
            scope.error(first.document, code, &first.port_at, message, Some(help));
        }
    }
}

/// The servers by address. Reports those that cannot share one.
fn groups<'g, 'd>(declared: &'g [Declared<'d>], settings: &Settings, scope: &mut Scope<'_>) -> Vec<Group<'g, 'd>> {
    let mut groups: Vec<Group<'g, 'd>> = Vec::new();
    for server in declared {
        for address in addresses(server, settings) {
            let same = |group: &&mut Group<'_, '_>| {
                group.address == address && (address.port() != 0 || group.port == server.port)
            };
            match groups.iter_mut().find(same) {
                Some(group) => group.servers.push(server),
                None => groups.push(Group { address, port: server.port, servers: vec![server] }),
            }
        }
    }
    let mut reported = Vec::new();
    for group in &groups {
        let Some((first, others)) = group.servers.split_first() else { continue };
        for other in others {
            if reported.iter().any(|known| std::ptr::eq(*known, *other)) {
                continue;
            }
            let message = if other.port != first.port {
                format!("ports {} and {} are both listened on at {}", first.port, other.port, group.address)
            } else if other.tls.is_some() != first.tls.is_some() {
                format!(
                    "another server takes port {} {} TLS",
                    first.port,
                    if first.tls.is_some() { "with" } else { "without" }
                )
            } else {
                continue;
            };
            reported.push(*other);
            let diagnostic = other.document.diagnostic(
                crate::manifest::Severity::Error,
                codes::GATEWAY_PORT,
                &other.port_at,
                message,
            );
            let place = Some(first.document.location_of(&first.port_at));
            scope.diagnostics.push(diagnostic.related("the other one is here", place));
        }
        report_hosts(group, scope);
    }
    groups
}

/// Warns of hosts that another TLS server of the address has already. Among plain servers routes decide.
fn report_hosts(group: &Group<'_, '_>, scope: &mut Scope<'_>) {
    let mut index = HostIndex::default();
    for (number, server) in group.servers.iter().enumerate().filter(|(_, server)| server.tls.is_some()) {
        for host in &server.hosts {
            let taken = index.insert(host, number).and_then(|number| group.servers.get(number));
            let Some(first) = taken else { continue };
            let message = format!("another server of port {} takes `{host}` already", group.port);
            let diagnostic = server.document.diagnostic(
                crate::manifest::Severity::Warning,
                codes::GATEWAY_HOST,
                &server.at,
                message,
            );
            let place = Some(first.document.location_of(&first.at));
            scope.diagnostics.push(diagnostic.help("the first one has it").related("it is this one", place));
        }
    }
}

/// Where a server's port is listened on.
fn addresses(server: &Declared<'_>, settings: &Settings) -> Vec<SocketAddr> {
    let mapped = settings.gateway_ports.iter().find(|mapped| mapped.declared == server.port);
    let port = mapped.map_or(server.port, |mapped| mapped.port);
    let only = server.bind.or_else(|| mapped.and_then(|mapped| mapped.address));
    let mut hosts: Vec<IpAddr> = match only {
        Some(address) => vec![address],
        None => settings.listen.iter().map(SocketAddr::ip).collect(),
    };
    hosts.sort();
    hosts.dedup();
    hosts.into_iter().map(|host| SocketAddr::new(host, port)).collect()
}
