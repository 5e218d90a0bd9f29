//! Where requests are taken, plain and over TLS.

use super::merge::Merge;
use super::paths::Expected;
use crate::config::address::socket_address;
use crate::config::file::Text;
use crate::config::gateway_port::GatewayPort;
use crate::config::settings::{DEFAULT_LISTEN, ListenTls};
use std::net::SocketAddr;

impl Merge<'_> {
    pub(super) fn listen(&mut self, flags: Vec<String>, file: Option<Vec<Text>>) -> Vec<SocketAddr> {
        let addresses = self.addresses(flags, "--listen", file);
        if addresses.is_empty() { vec![DEFAULT_LISTEN] } else { addresses }
    }

    pub(super) fn listen_tls(
        &mut self,
        (listen, certificate, key): (Vec<String>, Option<String>, Option<String>),
        (file_listen, file_certificate, file_key): (Option<Vec<Text>>, Option<Text>, Option<Text>),
    ) -> Option<ListenTls> {
        let origin = self.pick_all(listen.clone(), "--listen-tls", file_listen.clone()).into_iter().next();
        let addresses = self.addresses(listen, "--listen-tls", file_listen);
        let certificate = self.pick(certificate, "--tls-certificate", file_certificate);
        let key = self.pick(key, "--tls-key", file_key);
        match (origin, certificate, key) {
            (None, None, None) => None,
            (Some(_), Some(certificate), Some(key)) => {
                let certificate = self.existing(certificate, Expected::File);
                let key = self.existing(key, Expected::File);
                Some(ListenTls { addresses, certificate: certificate?, key: key? })
            }
            (None, one, other) => {
                let help = "give an address to `--listen-tls`, such as `127.0.0.1:8443`";
                for written in one.into_iter().chain(other) {
                    self.problems.add(written.origin, "no listener uses it".to_owned(), Some(help.into()));
                }
                None
            }
            (Some(listen), ..) => {
                let help = "give PEM files to both `--tls-certificate` and `--tls-key`";
                self.problems.add(listen.origin, "TLS needs a certificate and its key".to_owned(), Some(help.into()));
                None
            }
        }
    }

    pub(super) fn gateway_ports(&mut self, flags: Vec<String>, file: Option<Vec<Text>>) -> Vec<GatewayPort> {
        let mut ports: Vec<GatewayPort> = Vec::new();
        for written in self.pick_all(flags, "--gateway-port", file) {
            let Some(port) = self.problems.keep(&written.origin, GatewayPort::parse(&written.text)) else { continue };
            if ports.iter().any(|known| known.declared == port.declared) {
                self.problems.add(written.origin, format!("port {} is there twice", port.declared), None);
            } else {
                ports.push(port);
            }
        }
        ports
    }

    fn addresses(&mut self, flags: Vec<String>, name: &'static str, file: Option<Vec<Text>>) -> Vec<SocketAddr> {
        let mut addresses = Vec::new();
        for written in self.pick_all(flags, name, file) {
            let Some(address) = self.problems.keep(&written.origin, socket_address(&written.text)) else { continue };
            if addresses.contains(&address) && address.port() != 0 {
                self.problems.add(written.origin, format!("{address} is there twice"), None);
            } else {
                addresses.push(address);
            }
        }
        addresses
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::load;
    use crate::config::{Flags, Settings};

    fn problems(flags: Flags) -> String {
        Settings::load(None, flags).unwrap_err().to_string()
    }

    #[test]
    fn tls_takes_an_address_a_certificate_and_a_key() {
        let (address, file) = (vec!["127.0.0.1:1".to_owned()], Some("Cargo.toml".to_owned()));
        let flags = || Flags { listen_tls: address.clone(), ..Flags::default() };
        assert!(problems(flags()).contains("--listen-tls: error: TLS needs a certificate and its key"));
        let half = Flags { tls_key: file.clone(), ..flags() };
        assert!(problems(half).contains("TLS needs a certificate and its key"));
        let unused = Flags { tls_key: file.clone(), ..Flags::default() };
        assert!(problems(unused).contains("--tls-key: error: no listener uses it"));
        let absent = Flags { tls_certificate: Some("nowhere".into()), tls_key: file.clone(), ..flags() };
        assert!(problems(absent).contains("--tls-certificate: error: there is no file `nowhere`"));
        let whole = Flags { tls_certificate: file.clone(), tls_key: file.clone(), ..flags() };
        let listen = Settings::load(None, whole).unwrap().listen_tls.unwrap();
        assert_eq!((listen.addresses, listen.key.to_str()), (vec![([127, 0, 0, 1], 1).into()], file.as_deref()));
    }

    #[test]
    fn a_gateway_port_is_given_once() {
        let gateway_ports = vec!["80=1".to_owned(), "80=2".to_owned(), "80".to_owned()];
        let problems = problems(Flags { gateway_ports, ..Flags::default() });
        assert!(problems.contains("--gateway-port: error: port 80 is there twice"), "{problems}");
        assert!(problems.contains("--gateway-port: error: `80` is no pair of ports"), "{problems}");
    }

    #[test]
    fn an_address_that_is_there_twice_is_refused() {
        assert!(load("listen: ['127.0.0.1:1', 'localhost:1']", Flags::default()).unwrap_err()[0].contains("twice"));
    }
}
