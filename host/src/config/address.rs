//! Addresses as people write them.

use super::problem::Mistake;
use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

/// Where the admin endpoint listens, or is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AdminAddress {
    /// A TCP address.
    Tcp(SocketAddr),
    /// A Unix socket at this path.
    Unix(PathBuf),
}

impl AdminAddress {
    /// Reads `ADDR:PORT` or `unix:PATH`.
    ///
    /// # Errors
    /// When it is neither.
    pub fn parse(text: &str) -> Result<Self, Mistake> {
        match text.strip_prefix("unix:") {
            Some("") => Err(Mistake::with_help("`unix:` names no path", "write `unix:/run/sluice/admin.sock`")),
            Some(path) => Ok(Self::Unix(PathBuf::from(path))),
            None => socket_address(text).map(Self::Tcp),
        }
    }

    /// Whether only this machine reaches it.
    pub fn is_local(&self) -> bool {
        match self {
            Self::Tcp(address) => address.ip().is_loopback(),
            Self::Unix(_) => true,
        }
    }
}

impl fmt::Display for AdminAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => write!(formatter, "http://{address}"),
            Self::Unix(path) => write!(formatter, "unix:{}", path.display()),
        }
    }
}

/// A static endpoint: `NAME[:PORT]=ADDR:PORT`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upstream {
    /// The service as it was written; `*` takes every name that no service has.
    pub name: String,
    /// The service's port; none takes any.
    pub port: Option<u16>,
    /// Where requests go.
    pub address: SocketAddr,
}

impl Upstream {
    /// Reads `NAME[:PORT]=ADDR:PORT`; an `http://` before the address is ignored.
    ///
    /// # Errors
    /// When a part is missing or is not what it should be.
    pub fn parse(text: &str) -> Result<Self, Mistake> {
        let help = "write NAME=ADDRESS:PORT or NAME:PORT=ADDRESS:PORT, such as `orders:8080=127.0.0.1:9000`";
        let Some((service, address)) = text.split_once('=') else {
            return Err(Mistake::with_help(format!("`{text}` has no `=` between the service and its address"), help));
        };
        let (name, port) = match service.split_once(':') {
            None => (service, None),
            Some((name, port)) => match port.parse::<u16>() {
                Ok(number) if number > 0 => (name, Some(number)),
                _ => return Err(Mistake::with_help(format!("`{port}` is not a port (1 to 65535)"), help)),
            },
        };
        if name.is_empty() {
            return Err(Mistake::with_help(format!("`{text}` names no service"), help));
        }
        let address = address.strip_prefix("http://").unwrap_or(address).trim_end_matches('/');
        Ok(Self { name: name.to_ascii_lowercase(), port, address: socket_address(address)? })
    }
}

/// Reads `ADDR:PORT`, where `localhost` stands for `127.0.0.1`.
///
/// # Errors
/// When it is no address with a port. Other names are not looked up.
pub fn socket_address(text: &str) -> Result<SocketAddr, Mistake> {
    if let Ok(address) = text.parse() {
        return Ok(address);
    }
    let loopback = |port: &str| port.parse::<u16>().ok().map(|port| SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    if let Some(address) = text.strip_prefix("localhost:").and_then(loopback) {
        return Ok(address);
    }
    let help = if let Some(address) = text.strip_prefix(':').or(Some(text)).and_then(loopback) {
        format!("write `{address}` for this machine only, or `0.0.0.0:{}` for every network", address.port())
    } else {
        "write an IP address and a port, such as `127.0.0.1:8080` or `[::1]:8080`; names other than `localhost` are \
         not looked up"
            .into()
    };
    Err(Mistake::with_help(format!("`{text}` is not an address with a port"), help))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_upstreams_with_and_without_a_port() {
        let upstream = Upstream::parse("Orders:8080=127.0.0.1:9000").unwrap();
        assert_eq!((upstream.name.as_str(), upstream.port), ("orders", Some(8080)));
        assert_eq!(upstream.address, "127.0.0.1:9000".parse().unwrap());
        assert_eq!(Upstream::parse("*=http://localhost:9000/").unwrap().name, "*");
        assert_eq!(Upstream::parse("v6=[::1]:9000").unwrap().address, "[::1]:9000".parse().unwrap());
    }

    #[test]
    fn says_what_an_upstream_lacks() {
        assert!(Upstream::parse("orders").unwrap_err().message.contains("no `=`"));
        assert!(Upstream::parse("orders:http=127.0.0.1:1").unwrap_err().message.contains("`http` is not a port"));
        assert!(Upstream::parse("=127.0.0.1:1").unwrap_err().message.contains("names no service"));
        assert!(Upstream::parse("orders=shop:1").unwrap_err().message.contains("`shop:1` is not an address"));
    }

    #[test]
    fn proposes_an_address_for_a_bare_port() {
        assert!(socket_address(":8080").unwrap_err().help.unwrap().contains("`127.0.0.1:8080`"));
        assert!(socket_address("8080").unwrap_err().help.unwrap().contains("`0.0.0.0:8080`"));
    }

    #[test]
    fn tells_local_admin_addresses_from_remote_ones() {
        assert!(AdminAddress::parse("unix:/run/a.sock").unwrap().is_local());
        assert!(AdminAddress::parse("[::1]:9901").unwrap().is_local());
        assert!(!AdminAddress::parse("0.0.0.0:9901").unwrap().is_local());
        assert!(AdminAddress::parse("unix:").is_err());
    }
}
