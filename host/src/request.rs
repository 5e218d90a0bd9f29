//! The head of a request as the chain sees it.

use bytes::Bytes;
use http::uri::{PathAndQuery, Scheme};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Version};
use std::borrow::Cow;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::SystemTime;

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
    /// When it came.
    pub received: SystemTime,
    /// Whether filters are asked only what they would do: for a test, an explanation or a comparison.
    pub rehearsed: bool,
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

    /// As a header's value.
    pub fn header_value(self) -> HeaderValue {
        // Digits are always valid; the fallback is never taken.
        HeaderValue::from_bytes(&self.digits()).unwrap_or(HeaderValue::from_static("0"))
    }

    /// By hand, since the general formatting of 128 bits costs as much as a filter's header read.
    fn digits(self) -> [u8; 32] {
        let mut digits = [0; 32];
        for (pair, byte) in digits.chunks_exact_mut(2).zip(self.0.to_be_bytes()) {
            for (digit, nibble) in pair.iter_mut().zip([byte >> 4, byte & 15]) {
                *digit = nibble + if nibble < 10 { b'0' } else { b'a' - 10 };
            }
        }
        digits
    }
}

impl std::fmt::Display for RequestId {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(std::str::from_utf8(&self.digits()).unwrap_or_default())
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
            received: SystemTime::UNIX_EPOCH,
            rehearsed: false,
        }
    }
}

impl RequestHead {
    /// Whether a service that is not there is a fault of the route: of those of a Gateway it always is, and of others when
    /// the filter says so by the attribute `destination.unknown`.
    pub fn blames_routes(&self) -> bool {
        let told = || self.attribute("destination.unknown").is_some_and(|status| status == "500");
        self.arrival.listener == ListenerName::Gateway || told()
    }

    /// The value of an attribute: the host's own names, then what filters set.
    pub fn attribute(&self, name: &str) -> Option<Cow<'_, str>> {
        match name {
            "request.id" => Some(Cow::Owned(self.id.to_string())),
            "peer.address" => Some(Cow::Owned(self.peer.to_string())),
            "request.time" => {
                let since = self.received.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
                Some(Cow::Owned(since.as_millis().to_string()))
            }
            "request.elapsed" => {
                let elapsed = self.received.elapsed().unwrap_or_default();
                Some(Cow::Owned(elapsed.as_millis().to_string()))
            }
            "proxy.hostname" => Some(Cow::Borrowed(hostname())),
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

/// Whether filters leave a header alone: framing and hop-by-hop headers are the host's own (RFC 9110, section 7.6.1); `host` is edited as the authority.
pub fn belongs_to_host(name: &HeaderName) -> bool {
    matches!(
        name.as_str(),
        "connection"
            | "content-length"
            | "host"
            | "keep-alive"
            | "proxy-connection"
            | "te"
            | "trailer"
            | "transfer-encoding"
            | "upgrade"
    )
}

/// The name of the machine or container; empty where the system does not tell.
fn hostname() -> &'static str {
    static NAME: OnceLock<String> = OnceLock::new();
    NAME.get_or_init(|| {
        let of_kernel = std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
        let name = of_kernel.or_else(|| std::env::var("HOSTNAME").ok()).unwrap_or_default();
        name.trim().to_owned()
    })
}

/// Host and port of an authority; IPv6 addresses stand in brackets.
pub fn split_authority(authority: &str) -> (&str, Option<u16>) {
    match authority.rsplit_once(':') {
        Some((host, port)) if !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()) => {
            (host, port.parse().ok())
        }
        _ => (authority, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn an_id_is_written_as_32_digits() {
        for id in [0, 1, 0xabcd_ef01_2345_6789, u128::MAX, u128::MAX / 3] {
            assert_eq!(RequestId(id).to_string(), format!("{id:032x}"));
            assert_eq!(RequestId(id).header_value(), RequestId(id).to_string());
        }
    }

    #[test]
    fn the_host_tells_when_a_request_came_and_where() {
        let received = SystemTime::UNIX_EPOCH + Duration::from_millis(1_700_000_000_123);
        let head = RequestHead { received, ..RequestHead::default() };
        assert_eq!(head.attribute("request.time").as_deref(), Some("1700000000123"));
        let elapsed = head.attribute("request.elapsed").and_then(|elapsed| elapsed.parse::<u64>().ok());
        assert!(elapsed.is_some_and(|elapsed| elapsed > 0));
        assert!(head.attribute("proxy.hostname").is_some_and(|name| !name.contains(char::is_whitespace)));
    }
}
