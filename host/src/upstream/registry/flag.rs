//! The flag `--upstream NAME[:PORT]=ADDRESS[:PORT]`.

use std::net::{IpAddr, SocketAddr, ToSocketAddrs};

/// What plain HTTP uses where no port is given.
const HTTP_PORT: u16 = 80;
/// A DNS name, RFC 1035, section 2.3.4.
const NAME_LENGTH: usize = 253;

/// A service from the command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upstream {
    /// As written, in lower case; none takes every name that no service has (`*`).
    pub name: Option<String>,
    /// The service's port; none takes every port.
    pub port: Option<u16>,
    /// Where requests go; at least one.
    pub addresses: Vec<SocketAddr>,
}

/// Why the flag's value is not understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UpstreamError {
    /// There is no equals sign.
    #[error("`{0}` names no address: write NAME[:PORT]=ADDRESS[:PORT], such as `inventory-service:80=127.0.0.1:9001`")]
    NoAddress(String),
    /// The part before the equals sign.
    #[error(
        "`{0}` is no service name: write a DNS name such as `inventory-service`, or `*` for every name without a service of its own"
    )]
    Name(String),
    /// One of the ports.
    #[error("`{0}` is no port: write a number from 1 to 65535")]
    Port(String),
    /// A scheme other than http.
    #[error("`{0}` is not plain HTTP: upstreams are reached over http only, so write ADDRESS:PORT")]
    Scheme(String),
    /// More than an address.
    #[error("`{0}` holds a path: an upstream is ADDRESS:PORT only; paths are rewritten by routes")]
    Path(String),
    /// A host name that does not resolve.
    #[error("`{name}` is no IP address and could not be resolved: {reason}")]
    Unresolved {
        /// The name.
        name: String,
        /// What the system said.
        reason: String,
    },
}

/// Reads the flag's value. A host name as address is resolved, which may block for as long as the system's resolver
/// takes; its IPv4 addresses are taken, or else its IPv6 ones. Without a port the address has the service's, or 80.
pub fn parse_upstream(text: &str) -> Result<Upstream, UpstreamError> {
    let (service, address) = text.split_once('=').ok_or_else(|| UpstreamError::NoAddress(text.into()))?;
    let (name, port) = parse_service(service.trim())?;
    let address = address.trim();
    if address.is_empty() {
        return Err(UpstreamError::NoAddress(text.into()));
    }
    let addresses = parse_address(address, port.unwrap_or(HTTP_PORT))?;
    Ok(Upstream { name, port, addresses })
}

fn parse_service(text: &str) -> Result<(Option<String>, Option<u16>), UpstreamError> {
    let (name, port) = match text.rsplit_once(':') {
        Some((name, port)) => (name, Some(parse_port(port)?)),
        None => (text, None),
    };
    if name == "*" {
        return Ok((None, port));
    }
    let name = name.to_ascii_lowercase();
    let label = |label: &str| {
        let inner = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        !label.is_empty() && label.bytes().all(inner) && !label.starts_with('-') && !label.ends_with('-')
    };
    if name.len() > NAME_LENGTH || !name.split('.').all(label) {
        return Err(UpstreamError::Name(text.into()));
    }
    Ok((Some(name), port))
}

fn parse_address(text: &str, default_port: u16) -> Result<Vec<SocketAddr>, UpstreamError> {
    let rest = match text.split_once("://") {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http") => rest,
        Some(_) => return Err(UpstreamError::Scheme(text.into())),
        None => text,
    };
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    if rest.contains(['/', '?', '#', '@']) {
        return Err(UpstreamError::Path(text.into()));
    }
    // An IPv6 address stands alone or in brackets; everything else has at most one colon.
    let unbracketed = rest.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(rest);
    if let Ok(address) = unbracketed.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(address, default_port)]);
    }
    let (host, port) = match rest.rsplit_once(':') {
        Some((host, port)) => (host, parse_port(port)?),
        None => (rest, default_port),
    };
    match host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>() {
        Ok(address) => Ok(vec![SocketAddr::new(address, port)]),
        Err(_) => resolve(host, port),
    }
}

fn parse_port(text: &str) -> Result<u16, UpstreamError> {
    text.parse().ok().filter(|port| *port > 0).ok_or_else(|| UpstreamError::Port(text.into()))
}

fn resolve(host: &str, port: u16) -> Result<Vec<SocketAddr>, UpstreamError> {
    let unresolved = |reason: String| UpstreamError::Unresolved { name: host.into(), reason };
    let found = (host, port).to_socket_addrs().map_err(|error| unresolved(error.to_string()))?;
    let mut found: Vec<SocketAddr> = found.collect();
    if found.iter().any(SocketAddr::is_ipv4) {
        found.retain(SocketAddr::is_ipv4);
    }
    found.dedup();
    if found.is_empty() { Err(unresolved("it has no address".into())) } else { Ok(found) }
}
