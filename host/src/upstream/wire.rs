//! How the endpoints of a cluster are spoken to.
//!
//! Most are spoken to in plain HTTP/1.1, which is the absence of everything here: a cluster has a [`Wire`] only when it
//! wants more.

use super::policy::{Http2Upgrade, Policy, TlsSettings};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use sha2::{Digest, Sha256};
use std::sync::Arc;

/// The version of HTTP that a port is spoken to in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP/1.1: one request at a time on each connection.
    #[default]
    Http1,
    /// HTTP/2: without TLS by prior knowledge (RFC 9113, section 3.3).
    Http2,
}

/// What a cluster's connections have beyond plain HTTP/1.1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wire {
    /// The version of HTTP.
    pub protocol: Protocol,
    /// None speaks without TLS.
    pub tls: Option<Arc<Tls>>,
}

/// Tells one set of TLS settings from another: a digest of all that they are made of, server name and protocol included.
pub type TlsId = [u8; 32];

/// How TLS is spoken to the endpoints of a cluster.
#[derive(Debug, Clone)]
pub struct Tls {
    /// Connections of different ids never mix.
    pub(super) id: TlsId,
    pub(super) config: Arc<ClientConfig>,
    /// The name to ask the server for; none when the service's name can be none, and its policy gives no other.
    pub(super) server_name: Option<ServerName<'static>>,
}

impl PartialEq for Tls {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl Eq for Tls {}

impl Tls {
    /// What a policy's settings come to for a service. Without a name of their own the server is asked for the service.
    fn of(settings: &TlsSettings, service: &str, protocol: Protocol) -> Self {
        let mut config = ClientConfig::clone(&settings.config);
        let offered: &[u8] = match protocol {
            Protocol::Http1 => b"http/1.1",
            Protocol::Http2 => b"h2",
        };
        config.alpn_protocols = vec![offered.to_vec()];
        let name = settings.server_name.as_deref().unwrap_or(service);
        let mut digest = Sha256::new();
        digest.update(settings.digest);
        digest.update(offered);
        digest.update(name.as_bytes());
        let server_name = ServerName::try_from(name.to_owned()).ok();
        Self { id: digest.finalize().into(), config: Arc::new(config), server_name }
    }
}

impl Protocol {
    /// What a Kubernetes port says of itself in `appProtocol`; none when that says nothing of HTTP's version.
    pub fn of_application(name: &str) -> Option<Self> {
        match name.to_ascii_lowercase().as_str() {
            "kubernetes.io/h2c" | "http2" | "h2c" | "grpc" | "grpc-web" => Some(Self::Http2),
            "http" | "https" | "kubernetes.io/ws" | "kubernetes.io/wss" => Some(Self::Http1),
            _ => None,
        }
    }

    /// What the name of a port says: Istio's `PROTOCOL[-SUFFIX]`.
    pub fn of_port_name(name: &str) -> Option<Self> {
        let protocol = name.split('-').next().unwrap_or_default();
        matches!(protocol.to_ascii_lowercase().as_str(), "http2" | "grpc").then_some(Self::Http2)
    }
}

impl Wire {
    /// How a service's port of this protocol is spoken to under a policy; none means plain HTTP/1.1.
    pub(super) fn of(service: &str, port: Protocol, policy: &Policy) -> Option<Self> {
        let protocol = match policy.pool.http2_upgrade {
            Http2Upgrade::Always => Protocol::Http2,
            Http2Upgrade::AsDeclared => port,
        };
        let tls = policy.tls.as_ref().map(|settings| Arc::new(Tls::of(settings, service, protocol)));
        (protocol != Protocol::Http1 || tls.is_some()).then_some(Self { protocol, tls })
    }

    /// Whether requests share connections.
    pub(super) fn is_multiplexed(&self) -> bool {
        self.protocol == Protocol::Http2
    }

    /// The scheme of requests.
    pub(super) fn scheme(&self) -> http::uri::Scheme {
        if self.tls.is_some() { http::uri::Scheme::HTTPS } else { http::uri::Scheme::HTTP }
    }
}

#[cfg(test)]
mod tests {
    use super::super::policy::ConnectionPool;
    use super::*;
    use crate::tls::client::ClientTerms;

    #[test]
    fn a_ports_name_and_application_protocol_say_its_version_of_http() {
        let names = [("grpc", true), ("grpc-shop", true), ("http2-a", true), ("http", false), ("http-grpc", false)];
        for (name, http2) in names {
            assert_eq!(Protocol::of_port_name(name) == Some(Protocol::Http2), http2, "{name}");
        }
        assert_eq!(Protocol::of_application("kubernetes.io/h2c"), Some(Protocol::Http2));
        assert_eq!(Protocol::of_application("GRPC"), Some(Protocol::Http2));
        assert_eq!(Protocol::of_application("http"), Some(Protocol::Http1));
        assert_eq!(Protocol::of_application("mongo"), None);
    }

    #[test]
    fn a_policy_upgrades_and_plain_http_needs_nothing() {
        let pool = ConnectionPool { http2_upgrade: Http2Upgrade::Always, ..ConnectionPool::default() };
        let upgrade = Policy { pool, ..Policy::default() };
        assert_eq!(Wire::of("a", Protocol::Http1, &Policy::default()), None);
        assert!(Wire::of("a", Protocol::Http1, &upgrade).is_some_and(|wire| wire.is_multiplexed()));
        assert!(Wire::of("a", Protocol::Http2, &Policy::default()).is_some_and(|wire| wire.is_multiplexed()));
    }

    #[test]
    fn settings_services_and_protocols_have_ids_of_their_own() {
        let terms = |insecure| ClientTerms { insecure, authorities: Some(Vec::new()), ..ClientTerms::default() };
        let policy = |insecure, name: Option<&str>| Policy {
            tls: Some(Arc::new(TlsSettings::new(&terms(insecure), name.map(str::to_owned)).unwrap())),
            ..Policy::default()
        };
        let id = |service, protocol, policy: &Policy| Wire::of(service, protocol, policy).unwrap().tls.unwrap().id;
        let one = policy(true, None);
        let ids = [
            id("a", Protocol::Http1, &one),
            id("b", Protocol::Http1, &one),
            id("a", Protocol::Http2, &one),
            id("a", Protocol::Http1, &policy(true, Some("c"))),
        ];
        assert_eq!(ids.iter().collect::<std::collections::HashSet<_>>().len(), ids.len());
        assert_eq!(id("a", Protocol::Http1, &policy(true, None)), ids[0], "the same settings share connections");
    }
}
