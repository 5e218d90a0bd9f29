//! Where the ports of Gateway documents are listened on.

use super::address::socket_address;
use super::problem::Mistake;
use std::net::{IpAddr, SocketAddr};

/// A port as Gateway documents declare it, and where it is listened on instead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GatewayPort {
    /// The port that documents name.
    pub declared: u16,
    /// The port that is listened on; 0 lets the system choose.
    pub port: u16,
    /// The address; none means those of the other listeners.
    pub address: Option<IpAddr>,
}

impl GatewayPort {
    /// Reads `PORT=PORT` or `PORT=ADDR:PORT`.
    ///
    /// # Errors
    /// When it is neither.
    pub fn parse(text: &str) -> Result<Self, Mistake> {
        let help = "write `80=8080`, or `80=127.0.0.1:8080`: first the port that the documents declare";
        let wrong = || Mistake::with_help(format!("`{text}` is no pair of ports"), help);
        let (declared, place) = text.split_once('=').ok_or_else(wrong)?;
        let declared = declared.parse().ok().filter(|port| *port != 0).ok_or_else(wrong)?;
        if let Ok(port) = place.parse() {
            return Ok(Self { declared, port, address: None });
        }
        let place: SocketAddr = socket_address(place)?;
        Ok(Self { declared, port: place.port(), address: Some(place.ip()) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_stands_for_another_or_for_an_address() {
        let port = |text| GatewayPort::parse(text).unwrap();
        assert_eq!(port("80=8080"), GatewayPort { declared: 80, port: 8080, address: None });
        let local = Some(IpAddr::from([127, 0, 0, 1]));
        assert_eq!(port("443=localhost:0"), GatewayPort { declared: 443, port: 0, address: local });
        for wrong in ["80", "0=1", "80=", "a=1", "80=70000", "80=here:1"] {
            assert!(GatewayPort::parse(wrong).is_err(), "{wrong}");
        }
    }
}
