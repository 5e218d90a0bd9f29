//! Static endpoints as people write them: `NAME[:PORT]=ADDRESS[:PORT]`.

use super::problem::Mistake;
use std::net::{IpAddr, SocketAddr};

/// What plain HTTP uses where no port is given.
const HTTP_PORT: u16 = 80;
/// A DNS name, RFC 1035, section 2.3.4.
const NAME_LENGTH: usize = 253;

/// A service with its endpoints.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upstream {
    /// As written, in lower case; none takes every name that no service has (`*`).
    pub name: Option<String>,
    /// The service's port; none takes any.
    pub port: Option<u16>,
    /// Whether it is spoken to in HTTP/2 by prior knowledge rather than in HTTP/1.1.
    pub http2: bool,
    /// Where requests go.
    pub place: Place,
}

/// Where an upstream is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// There.
    Address(SocketAddr),
    /// Wherever DNS says, at this port.
    Host(String, u16),
}

impl Upstream {
    /// Reads `NAME[:PORT]=ADDRESS[:PORT]`; an `http://` before the address is ignored, and `h2c://` means HTTP/2. Without a port the address has
    /// the service's, or 80.
    ///
    /// # Errors
    /// When a part is missing or is not what it should be.
    pub fn parse(text: &str) -> Result<Self, Mistake> {
        let Some((service, address)) = text.split_once('=') else {
            return Err(mistake(format!("`{text}` has no `=` between the service and its address")));
        };
        let (name, port) = parse_service(service.trim())?;
        let address = address.trim();
        if address.is_empty() {
            return Err(mistake(format!("`{text}` names no address")));
        }
        let (http2, address) = parse_scheme(address)?;
        let place = parse_address(address, port.unwrap_or(HTTP_PORT))?;
        Ok(Self { name, port, http2, place })
    }
}

fn mistake(message: String) -> Mistake {
    Mistake::with_help(message, "write NAME[:PORT]=ADDRESS[:PORT], such as `orders:8080=127.0.0.1:9000`")
}

fn parse_service(text: &str) -> Result<(Option<String>, Option<u16>), Mistake> {
    let (name, port) = match text.rsplit_once(':') {
        Some((name, port)) => (name, Some(parse_port(port)?)),
        None => (text, None),
    };
    if name == "*" {
        return Ok((None, port));
    }
    let name = name.to_ascii_lowercase();
    if !is_name(&name) {
        let help = "write a DNS name such as `orders`, or `*` for every name without a service of its own";
        return Err(Mistake::with_help(format!("`{text}` is not a service name"), help));
    }
    Ok((Some(name), port))
}

fn is_name(name: &str) -> bool {
    let label = |label: &str| {
        let inner = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        !label.is_empty() && label.bytes().all(inner) && !label.starts_with('-') && !label.ends_with('-')
    };
    name.len() <= NAME_LENGTH && name.split('.').all(label)
}

/// Whether it is HTTP/2, and what follows the scheme.
fn parse_scheme(text: &str) -> Result<(bool, &str), Mistake> {
    match text.split_once("://") {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http") => Ok((false, rest)),
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("h2c") => Ok((true, rest)),
        Some((scheme, _)) => {
            let help = "write ADDRESS:PORT, or h2c://ADDRESS:PORT for HTTP/2; TLS to upstreams is for a DestinationRule to say";
            Err(Mistake::with_help(format!("`{scheme}` is not http or h2c"), help))
        }
        None => Ok((false, text)),
    }
}

fn parse_address(text: &str, default_port: u16) -> Result<Place, Mistake> {
    let rest = text.strip_suffix('/').unwrap_or(text);
    if rest.contains(['/', '?', '#', '@']) {
        let help = "an upstream is ADDRESS:PORT only; paths are rewritten by routes";
        return Err(Mistake::with_help(format!("`{text}` holds more than an address"), help));
    }
    // An IPv6 address stands alone or in brackets; everything else has at most one colon.
    let unbracketed = rest.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(rest);
    if let Ok(address) = unbracketed.parse::<IpAddr>() {
        return Ok(Place::Address(SocketAddr::new(address, default_port)));
    }
    let (host, port) = match rest.rsplit_once(':') {
        Some((host, port)) => (host, parse_port(port)?),
        None => (rest, default_port),
    };
    match host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>() {
        Ok(address) => Ok(Place::Address(SocketAddr::new(address, port))),
        Err(_) => parse_host(host, port),
    }
}

fn parse_port(text: &str) -> Result<u16, Mistake> {
    text.parse().ok().filter(|port| *port > 0).ok_or_else(|| mistake(format!("`{text}` is not a port (1 to 65535)")))
}

fn parse_host(host: &str, port: u16) -> Result<Place, Mistake> {
    let host = host.to_ascii_lowercase();
    if is_name(&host) {
        return Ok(Place::Host(host, port));
    }
    let help = "write an IP address or a host name, such as 127.0.0.1:9000 or orders.example.com:80";
    Err(Mistake::with_help(format!("`{host}` is neither an address nor a host name"), help))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> String {
        match Upstream::parse(text) {
            Ok(upstream) => {
                let place = match &upstream.place {
                    Place::Address(address) => address.to_string(),
                    Place::Host(host, port) => format!("{host} at {port}"),
                };
                let name = upstream.name.as_deref().unwrap_or("any");
                format!("{name}:{} -> {}", upstream.port.map_or("any".into(), |port| port.to_string()), place)
            }
            Err(mistake) => mistake.message,
        }
    }

    #[test]
    fn names_ports_and_addresses_of_every_form_are_read() {
        let table = [
            ("inventory-service:80=127.0.0.1:9001", "inventory-service:80 -> 127.0.0.1:9001"),
            ("Shop=127.0.0.1:9000", "shop:any -> 127.0.0.1:9000"),
            ("*=127.0.0.1:9000", "any:any -> 127.0.0.1:9000"),
            ("a.b.svc:8080=10.0.0.1", "a.b.svc:8080 -> 10.0.0.1:8080"),
            ("a=10.0.0.1", "a:any -> 10.0.0.1:80"),
            ("a=[::1]:9000", "a:any -> [::1]:9000"),
            ("a:81=[::1]", "a:81 -> [::1]:81"),
            ("a=::1", "a:any -> [::1]:80"),
            ("a=http://127.0.0.1:9000/", "a:any -> 127.0.0.1:9000"),
            ("a=localhost:9000", "a:any -> localhost at 9000"),
        ];
        for (text, expected) in table {
            assert_eq!(parsed(text), expected, "{text}");
        }
    }

    #[test]
    fn the_scheme_says_the_version_of_http() {
        let http2 = |text: &str| Upstream::parse(text).unwrap().http2;
        assert!(http2("a=h2c://127.0.0.1:9000") && http2("a=H2C://[::1]:9000/"));
        assert!(!http2("a=http://127.0.0.1:9000") && !http2("a=127.0.0.1:9000"));
    }

    #[test]
    fn what_an_upstream_lacks_is_explained() {
        let table = [
            ("127.0.0.1:9000", "has no `=`"),
            ("a=", "names no address"),
            ("=127.0.0.1:1", "is not a service name"),
            ("a b=127.0.0.1:1", "is not a service name"),
            ("a:0=127.0.0.1:1", "`0` is not a port"),
            ("a=127.0.0.1:99999", "`99999` is not a port"),
            ("a=https://127.0.0.1:1", "`https` is not http or h2c"),
            ("a=http://127.0.0.1:1/path", "holds more than an address"),
            ("a=no where:80", "is neither an address nor a host name"),
        ];
        for (text, expected) in table {
            assert!(parsed(text).contains(expected), "{text}: {}", parsed(text));
        }
    }
}
