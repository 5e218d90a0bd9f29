//! The head of a request as the chain sees it.

use bytes::Bytes;
use http::uri::{PathAndQuery, Scheme};
use http::{HeaderMap, Method, Version};
use std::borrow::Cow;
use std::net::SocketAddr;
use std::sync::Arc;

/// What a filter may read and edit of a request, and what the host needs to carry it out.
#[derive(Debug, Clone)]
pub struct RequestHead {
    /// Unique in this process's life and unguessable in others: the access record's and the event's id.
    pub id: RequestId,
    /// The method.
    pub method: Method,
    /// `http` or `https`.
    pub scheme: Scheme,
    /// The authority as the client sent it, port included; empty when an HTTP/1.0 client sent none.
    pub authority: String,
    /// Path and query, as sent.
    pub path_and_query: PathAndQuery,
    /// End-to-end headers: hop-by-hop ones and `host` are gone.
    pub headers: HeaderMap,
    /// What filters told each other, in the order they said it; the last value of a name counts.
    pub attributes: Vec<(Cow<'static, str>, String)>,
    /// The whole body, once a filter has asked for it.
    pub body: Option<Bytes>,
    /// The client's address.
    pub peer: SocketAddr,
    /// The address it came in on.
    pub local: SocketAddr,
    /// The listener it came in by.
    pub arrival: Arrival,
    /// The client's protocol version.
    pub version: Version,
}

/// By which listener a request came in, and what the handshake said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Arrival {
    /// Whose listener it is.
    pub listener: ListenerName,
    /// The port as declared, even where the operator listens on another one for it.
    pub port: u16,
    /// The server name that the client sent, when the connection is encrypted.
    pub server_name: Option<Arc<str>>,
}

/// Whose a listener is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ListenerName {
    /// The command line's or the configuration file's.
    #[default]
    Mesh,
    /// A Gateway document's.
    Gateway,
}

impl ListenerName {
    /// As filters see it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Mesh => "mesh",
            Self::Gateway => "gateway",
        }
    }
}

/// 128 bits, written as 32 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RequestId(pub u128);

impl RequestId {
    /// A new one.
    pub fn random() -> Self {
        Self(fastrand::u128(..))
    }
}

impl std::fmt::Display for RequestId {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{:032x}", self.0)
    }
}

/// A placeholder without meaning, for the moment in which a filter's store holds the real one.
impl Default for RequestHead {
    fn default() -> Self {
        let unspecified = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED), 0);
        Self {
            id: RequestId(0),
            method: Method::GET,
            scheme: Scheme::HTTP,
            authority: String::new(),
            path_and_query: PathAndQuery::from_static("/"),
            headers: HeaderMap::new(),
            attributes: Vec::new(),
            body: None,
            peer: unspecified,
            local: unspecified,
            arrival: Arrival::default(),
            version: Version::HTTP_11,
        }
    }
}

impl RequestHead {
    /// The value of an attribute: the host's own names, then what filters set.
    pub fn attribute(&self, name: &str) -> Option<Cow<'_, str>> {
        match name {
            "request.id" => Some(Cow::Owned(self.id.to_string())),
            "peer.address" => Some(Cow::Owned(self.peer.to_string())),
            "listener.name" => Some(Cow::Borrowed(self.arrival.listener.as_str())),
            "listener.port" => Some(Cow::Owned(self.arrival.port.to_string())),
            "tls.sni" => self.arrival.server_name.as_deref().map(Cow::Borrowed),
            "protocol" => Some(Cow::Borrowed(match self.version {
                Version::HTTP_10 => "HTTP/1.0",
                Version::HTTP_2 => "HTTP/2",
                _ => "HTTP/1.1",
            })),
            _ => {
                let set = self.attributes.iter().rev().find(|(known, _)| known == name);
                set.map(|(_, value)| Cow::Borrowed(value.as_str()))
            }
        }
    }
}
