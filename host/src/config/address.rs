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
