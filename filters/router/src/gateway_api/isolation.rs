//! Listeners that share a port: a host belongs to the most specific of them and to no other.

use crate::host::{self, HostIndex};
use crate::listener::{Hosts, Shares};
use crate::view::View;

/// What one listener serves, before its rules are compiled.
#[derive(Debug)]
pub struct ListenerShares {
    /// The port as declared.
    pub port: u16,
    /// Whether requests come in by TLS that ends here.
    pub tls: bool,
    /// The host, a wildcard, or `*`.
    pub hostname: String,
    /// Its hosts.
    pub shares: Shares,
}

/// The listeners of a port.
#[derive(Debug)]
pub struct Isolated {
    listeners: Vec<Hosts>,
    by_name: HostIndex<usize>,
}

/// Whom a request belongs to.
#[derive(Debug, Clone, Copy)]
pub enum Choice<'a> {
    /// No listener.
    Nothing,
    /// The listener with these hosts.
    Hosts(&'a Hosts),
    /// Another listener than the one that its TLS connection was made for.
    Misdirected,
}

/// No listeners.
impl Default for Isolated {
    fn default() -> Self {
        Self { listeners: Vec::new(), by_name: HostIndex::new() }
    }
}

impl Isolated {
    /// Adds the listener of a host, a wildcard or `*`.
    pub fn insert(&mut self, hostname: &str, hosts: Hosts) {
        self.by_name.insert(hostname, self.listeners.len());
        self.listeners.push(hosts);
    }

    /// The listener of a request's host.
    pub fn choose(&self, view: &View<'_>) -> Choice<'_> {
        self.hosts(self.of(view.authority()))
    }

    /// The same where the connection has TLS: the server name of its handshake selects the listener, and requests for
    /// hosts of other listeners have come to the wrong place.
    pub fn choose_tls(&self, view: &View<'_>) -> Choice<'_> {
        if self.listeners.is_empty() {
            return Choice::Nothing;
        }
        let by_host = self.of(view.authority());
        // A client that asks by address sends no name; then the authority has to do.
        let Some(name) = view.attribute("tls.sni") else { return self.hosts(by_host) };
        match (self.of(&name), by_host) {
            (Some(own), Some(other)) if own != other => Choice::Misdirected,
            (Some(own), Some(_)) => self.hosts(Some(own)),
            _ => Choice::Nothing,
        }
    }

    fn of(&self, authority: &str) -> Option<usize> {
        self.by_name.find(&host::of_authority(authority)).copied()
    }

    fn hosts(&self, number: Option<usize>) -> Choice<'_> {
        number.and_then(|number| self.listeners.get(number)).map_or(Choice::Nothing, Choice::Hosts)
    }
}
