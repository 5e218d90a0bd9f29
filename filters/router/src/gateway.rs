//! Istio's `Gateway`, as far as rules attach to it: ports, hosts, and whether requests are sent to https.
//!
//! The host reads the same documents: it opens the ports, ends TLS and reports what is wrong with the rest of them.

use crate::code;
use crate::host;
use crate::report::{Place, Report};
use serde::Deserialize;
use sluicegate_sdk::Resource;
use std::collections::BTreeMap;

/// A resolved Gateway.
#[derive(Debug)]
pub struct Gateway {
    /// `NAMESPACE/NAME`.
    pub name: String,
    /// What it listens on.
    pub servers: Vec<Server>,
    /// Where it passes TLS on.
    pub passing: Vec<Passing>,
}

/// One server of a Gateway.
#[derive(Debug)]
pub struct Server {
    /// The port as declared.
    pub port: u16,
    /// Whether requests come in by TLS that ends here.
    pub tls: bool,
    /// Whether plain requests are sent to https.
    pub https_redirect: bool,
    /// The hosts that rules can attach for.
    pub hosts: Vec<ServerHost>,
}

/// A server that passes TLS on undecrypted.
#[derive(Debug)]
pub struct Passing {
    /// The port as declared.
    pub port: u16,
    /// Whether the names that clients ask for say where they lead (`AUTO_PASSTHROUGH`).
    pub encoded: bool,
    /// The hosts that rules can attach for.
    pub hosts: Vec<ServerHost>,
}

/// A host of a server, and whose rules may attach for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerHost {
    /// A DNS name, `*.` and one, or `*`; in lower case.
    pub name: String,
    /// The only namespace whose resources may attach; none for all.
    pub namespace: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Written {
    selector: BTreeMap<String, String>,
    servers: Vec<WrittenServer>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct WrittenServer {
    port: WrittenPort,
    hosts: Vec<String>,
    tls: Option<WrittenTls>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct WrittenPort {
    number: u16,
    protocol: String,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct WrittenTls {
    mode: Option<String>,
    https_redirect: bool,
}

impl Gateway {
    /// Resolves a document; nothing comes of one that cannot be read.
    pub fn resolve(resource: &Resource, report: &mut Report<'_>) -> Option<Self> {
        let written: Written = match resource.read_spec() {
            Ok(written) => written,
            Err(error) => {
                let help = "compare the resource with Istio's reference of Gateway";
                report.error(&Place::spec(), code::UNREADABLE, error.to_string(), help);
                return None;
            }
        };
        if !written.selector.is_empty() {
            let message = "`selector` has no effect: this proxy has no labels and serves every Gateway";
            let help = "leave it in place for proxies that have labels, and keep Gateways of other proxies out";
            report.note(&Place::spec().key("selector"), code::NO_EFFECT, message, help);
        }
        let place = Place::spec().key("servers");
        let (mut servers, mut passing) = (Vec::new(), Vec::new());
        for (index, server) in written.servers.iter().enumerate() {
            let place = place.index(index).key("hosts");
            match Served::of(server) {
                Some(Served::Http { tls }) => servers.push(Server::resolve(server, tls, resource, &place, report)),
                Some(Served::Passing { encoded }) => {
                    let hosts = hosts(server, resource, &place, report);
                    passing.push(Passing { port: server.port.number, encoded, hosts });
                }
                None => {}
            }
        }
        Some(Self { name: format!("{}/{}", resource.namespace, resource.name), servers, passing })
    }
}

/// What rules can attach to a server.
enum Served {
    Http { tls: bool },
    Passing { encoded: bool },
}

impl Served {
    /// Nothing can attach to a server that speaks neither HTTP nor TLS.
    fn of(written: &WrittenServer) -> Option<Self> {
        let mode = written.tls.as_ref().map(|tls| tls.mode.as_deref().unwrap_or("PASSTHROUGH"));
        match (written.port.protocol.to_ascii_uppercase().as_str(), mode) {
            ("HTTP" | "HTTP2" | "GRPC" | "GRPC-WEB", _) => Some(Self::Http { tls: false }),
            ("HTTPS" | "TLS", Some("PASSTHROUGH")) => Some(Self::Passing { encoded: false }),
            ("HTTPS" | "TLS", Some("AUTO_PASSTHROUGH")) => Some(Self::Passing { encoded: true }),
            ("HTTPS", _) => Some(Self::Http { tls: true }),
            _ => None,
        }
    }
}

fn hosts(written: &WrittenServer, resource: &Resource, place: &Place, report: &mut Report<'_>) -> Vec<ServerHost> {
    let hosts = written.hosts.iter().enumerate();
    hosts.filter_map(|(index, host)| ServerHost::resolve(host, resource, &place.index(index), report)).collect()
}

impl Server {
    fn resolve(
        written: &WrittenServer,
        tls: bool,
        resource: &Resource,
        place: &Place,
        report: &mut Report<'_>,
    ) -> Self {
        let https_redirect = !tls && written.tls.as_ref().is_some_and(|tls| tls.https_redirect);
        Self { port: written.port.number, tls, https_redirect, hosts: hosts(written, resource, place, report) }
    }
}

impl ServerHost {
    fn resolve(written: &str, resource: &Resource, place: &Place, report: &mut Report<'_>) -> Option<Self> {
        let (namespace, name) = match written.split_once('/') {
            None | Some(("*", _)) => (None, written.strip_prefix("*/").unwrap_or(written)),
            Some((".", name)) => (Some(resource.namespace.clone()), name),
            Some((namespace, name)) => (Some(namespace.to_owned()), name),
        };
        if let Err(reason) = host::check(name) {
            let help = "write a DNS name, `*.` and one, or `*`; a namespace may stand in front: shop/www.example.com";
            report.error(place, code::HOST, format!("host `{name}` {reason}"), help);
            return None;
        }
        Some(Self { name: name.trim_end_matches('.').to_ascii_lowercase(), namespace })
    }

    /// The names that both this host and one of a resource stand for, if the resource may attach.
    pub fn intersection(&self, namespace: &str, other: &str) -> Option<String> {
        if self.namespace.as_deref().is_some_and(|only| only != namespace) {
            return None;
        }
        let narrower = if host::covers(&self.name, other) { Some(other) } else { None };
        let narrower = narrower.or_else(|| host::covers(other, &self.name).then_some(self.name.as_str()));
        narrower.map(str::to_owned)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sluicegate_sdk::Diagnostics;
    use sluicegate_sdk::testing::resource;

    fn host(written: &str) -> ServerHost {
        let gateway = resource(0, r#"{"kind": "Gateway", "metadata": {"name": "edge", "namespace": "infra"}}"#);
        let mut diagnostics = Diagnostics::default();
        let mut report = Report::new(&gateway, &mut diagnostics);
        ServerHost::resolve(written, &gateway, &Place::spec(), &mut report).expect("it is a host")
    }

    #[test]
    fn a_resource_attaches_for_what_both_hosts_stand_for() {
        for (server, other, expected) in [
            ("*", "a.example.com", Some("a.example.com")),
            ("a.example.com", "*", Some("a.example.com")),
            ("*.example.com", "a.example.com", Some("a.example.com")),
            ("*.example.com", "*.b.example.com", Some("*.b.example.com")),
            ("*.b.example.com", "*.example.com", Some("*.b.example.com")),
            ("*.example.com", "example.com", None),
            ("a.example.com", "b.example.com", None),
        ] {
            assert_eq!(host(server).intersection("shop", other).as_deref(), expected, "{server} {other}");
        }
    }

    #[test]
    fn a_namespace_in_front_of_a_host_is_the_only_one_that_may_attach() {
        for (server, infra, shop) in
            [("*/a.b", true, true), ("./a.b", true, false), ("shop/a.b", false, true), ("a.b", true, true)]
        {
            assert_eq!(host(server).intersection("infra", "a.b").is_some(), infra, "{server}");
            assert_eq!(host(server).intersection("shop", "a.b").is_some(), shop, "{server}");
        }
    }
}
