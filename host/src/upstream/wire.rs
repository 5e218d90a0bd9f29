//! How the endpoints of a cluster are spoken to.
//!
//! Most are spoken to in plain HTTP/1.1, which is the absence of everything here: a cluster has a [`Wire`] only when it
//! wants more.

use super::policy::{ConnectionPool, Http2Upgrade};

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
    /// How a port of this protocol is spoken to under a policy; none means plain HTTP/1.1.
    pub(super) fn of(port: Protocol, pool: &ConnectionPool) -> Option<Self> {
        let protocol = match pool.http2_upgrade {
            Http2Upgrade::Always => Protocol::Http2,
            Http2Upgrade::AsDeclared => port,
        };
        (protocol != Protocol::Http1).then_some(Self { protocol })
    }

    /// Whether requests share connections.
    pub(super) fn is_multiplexed(&self) -> bool {
        self.protocol == Protocol::Http2
    }

    /// The scheme of requests.
    pub(super) fn scheme(&self) -> http::uri::Scheme {
        http::uri::Scheme::HTTP
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        let upgrade = ConnectionPool { http2_upgrade: Http2Upgrade::Always, ..ConnectionPool::default() };
        assert_eq!(Wire::of(Protocol::Http1, &ConnectionPool::default()), None);
        assert!(Wire::of(Protocol::Http1, &upgrade).is_some_and(|wire| wire.is_multiplexed()));
        assert!(Wire::of(Protocol::Http2, &ConnectionPool::default()).is_some_and(|wire| wire.is_multiplexed()));
    }
}
