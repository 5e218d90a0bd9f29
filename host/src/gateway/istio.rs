//! `Gateway` (networking.istio.io): servers, each with a port, hosts and TLS of its own.

use super::material::{ClientDemand, Material, Pair, Text};
use super::scope::{HostSchema, Scope, compile};
use super::secret::{self, Reference};
use super::{Declared, ISTIO_GATEWAY};
use crate::manifest::{Document, codes, node};
use crate::tls::server::{Version, cipher_suite_names};
use crate::tls::{ClientPins, HostPattern};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls::ServerConfig;
use serde::Deserialize;
use std::collections::HashSet;
use std::net::IpAddr;
use std::path::Path;
use std::sync::{Arc, LazyLock};

static SCHEMA: HostSchema = LazyLock::new(|| compile("Gateway", include_str!("istio.schema.json")));

#[derive(Deserialize)]
struct Gateway {
    spec: Spec,
}

#[derive(Deserialize)]
struct Spec {
    servers: Vec<Server>,
}

#[derive(Deserialize)]
struct Server {
    port: Port,
    bind: Option<String>,
    hosts: Vec<String>,
    tls: Option<Tls>,
}

#[derive(Deserialize)]
struct Port {
    number: u16,
    name: String,
    protocol: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Tls {
    mode: Mode,
    server_certificate: Option<String>,
    private_key: Option<String>,
    ca_certificates: Option<String>,
    ca_crl: Option<String>,
    credential_name: Option<String>,
    credential_names: Option<Vec<String>>,
    tls_certificates: Option<Vec<CertificateFiles>>,
    ca_cert_credential_name: Option<String>,
    subject_alt_names: Option<Vec<String>>,
    verify_certificate_spki: Option<Vec<String>>,
    verify_certificate_hash: Option<Vec<String>>,
    min_protocol_version: ProtocolVersion,
    max_protocol_version: ProtocolVersion,
    cipher_suites: Option<Vec<String>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct CertificateFiles {
    server_certificate: Option<String>,
    private_key: Option<String>,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum Mode {
    #[default]
    Passthrough,
    Simple,
    Mutual,
    AutoPassthrough,
    IstioMutual,
    OptionalMutual,
}

#[derive(Default, Clone, Copy, PartialEq, Eq, Deserialize)]
enum ProtocolVersion {
    #[default]
    #[serde(rename = "TLS_AUTO")]
    Auto,
    #[serde(rename = "TLSV1_0")]
    Tls10,
    #[serde(rename = "TLSV1_1")]
    Tls11,
    #[serde(rename = "TLSV1_2")]
    Tls12,
    #[serde(rename = "TLSV1_3")]
    Tls13,
}

/// What a protocol means for a listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Protocol {
    Plain,
    Https,
    /// Encrypted bytes that need not be HTTP.
    Tls,
    /// Bytes that are not HTTP.
    Other,
}

/// Reads all Gateways.
pub(super) fn read<'d>(scope: &mut Scope<'d>, declared: &mut Vec<Declared<'d>>) {
    for (document, gateway) in scope.read::<Gateway>(ISTIO_GATEWAY, &SCHEMA) {
        let mut names = HashSet::new();
        for (index, server) in gateway.spec.servers.iter().enumerate() {
            let at = node::step("/spec/servers", &index.to_string());
            if !names.insert(server.port.name.as_str()) {
                let message = format!("another port of the Gateway is called `{}`", server.port.name);
                scope.error(document, codes::GATEWAY_PORT, &format!("{at}/port/name"), message, None);
            }
            declared.extend(Reading { document, at, server }.server(scope));
        }
    }
}

/// One server that is being read.
struct Reading<'d, 's> {
    document: &'d Document,
    at: String,
    server: &'s Server,
}

impl<'d> Reading<'d, '_> {
    fn server(&self, scope: &mut Scope<'d>) -> Option<Declared<'d>> {
        let (hosts, bind) = (self.hosts(scope), self.bind(scope));
        let name = self.server.port.protocol.as_str();
        let Some(protocol) = Protocol::of(name) else {
            let message = format!("`{name}` is not a protocol");
            let help = "the protocols are HTTP, HTTP2, GRPC, GRPC-WEB, HTTPS, TLS, TCP and MONGO";
            return self.refuse(codes::GATEWAY_PROTOCOL, "port/protocol", message, Some(help), scope);
        };
        let tls = match (protocol, &self.server.tls) {
            (Protocol::Plain, None) => None,
            (Protocol::Plain, Some(_)) => self.plain_tls_fits(scope).then_some(None)?,
            (Protocol::Https | Protocol::Tls, None) => {
                let help = "write `tls: {mode: SIMPLE, credentialName: NAME}`";
                let message = format!("a server of protocol {name} needs `tls`");
                return self.refuse(codes::GATEWAY_TLS, "", message, Some(help), scope);
            }
            (Protocol::Https, Some(tls)) => Some(self.config(tls, hosts.as_deref().unwrap_or_default(), scope)?),
            (Protocol::Tls | Protocol::Other, _) => {
                let message = format!("protocol {name} is not served: the port is not opened");
                let help = "HTTP, HTTP2, GRPC, GRPC-WEB and HTTPS are";
                scope.warn(self.document, codes::GATEWAY_PROTOCOL, &self.pointer("port/protocol"), message, Some(help));
                return None;
            }
        };
        Some(Declared {
            document: self.document,
            at: self.at.clone(),
            port_at: self.pointer("port/number"),
            port: self.server.port.number,
            bind: bind?,
            hosts: hosts?,
            tls,
        })
    }

    /// The hosts without the namespaces that may attach to them, which are for routes.
    fn hosts(&self, scope: &mut Scope<'_>) -> Option<Vec<HostPattern>> {
        let mut hosts = Vec::new();
        for (index, host) in self.server.hosts.iter().enumerate() {
            let name = host.rsplit_once('/').map_or(host.as_str(), |(_, name)| name);
            match HostPattern::parse(name) {
                Some(pattern) => hosts.push(pattern),
                None => {
                    let at = node::step(&self.pointer("hosts"), &index.to_string());
                    let help =
                        "write a DNS name, `*.` and one, or `*`; a namespace may stand in front: `store/shop.example`";
                    scope.error(self.document, codes::GATEWAY_HOST, &at, format!("`{host}` is not a host"), Some(help));
                }
            }
        }
        (hosts.len() == self.server.hosts.len()).then_some(hosts)
    }

    fn bind(&self, scope: &mut Scope<'_>) -> Option<Option<IpAddr>> {
        let Some(bind) = self.server.bind.as_deref().filter(|bind| !bind.is_empty()) else { return Some(None) };
        match bind.parse() {
            Ok(address) => Some(Some(address)),
            Err(_) => {
                let message = format!("`{bind}` is not an IP address");
                self.refuse(codes::GATEWAY_PORT, "bind", message, Some("Unix sockets are not listened on"), scope)
            }
        }
    }

    fn plain_tls_fits(&self, scope: &mut Scope<'_>) -> bool {
        let written = self.document.value.pointer(&self.pointer("tls")).and_then(serde_json::Value::as_object);
        let other = written.and_then(|fields| fields.keys().find(|field| *field != "httpsRedirect"));
        let Some(other) = other else { return true };
        let message = format!("`{other}` has no place on a port of protocol {}", self.server.port.protocol);
        let help = "plain HTTP may have `httpsRedirect` only; for TLS write `protocol: HTTPS`";
        self.refuse::<()>(codes::GATEWAY_TLS, &format!("tls/{other}"), message, Some(help), scope);
        false
    }

    fn config(&self, tls: &Tls, hosts: &[HostPattern], scope: &mut Scope<'d>) -> Option<Arc<ServerConfig>> {
        self.mode_is_served(tls, scope)?;
        let pairs = self.pairs(tls, scope);
        let clients = match tls.mode {
            Mode::Mutual => self.clients(tls, true, scope).map(Some),
            Mode::OptionalMutual => self.clients(tls, false, scope).map(Some),
            _ => Some(None),
        };
        let (oldest, newest) = self.versions(tls, scope)?;
        let cipher_suites = self.cipher_suites(tls, scope);
        Material { pairs: pairs?, clients: clients?, oldest, newest, cipher_suites }.config(hosts, scope)
    }

    fn mode_is_served(&self, tls: &Tls, scope: &mut Scope<'_>) -> Option<()> {
        let written = self.document.value.pointer(&self.pointer("tls/mode")).is_some();
        let (message, help) = match tls.mode {
            Mode::Simple | Mode::Mutual | Mode::OptionalMutual => return Some(()),
            Mode::Passthrough if !written => {
                ("`mode` is missing, and without it connections would pass through undecrypted", "write `mode: SIMPLE`")
            }
            Mode::Passthrough | Mode::AutoPassthrough => (
                "connections cannot pass through undecrypted",
                "end TLS here: write `mode: SIMPLE` and name a certificate",
            ),
            Mode::IstioMutual => (
                "ISTIO_MUTUAL takes the certificates of a mesh, which this proxy is not part of",
                "write `mode: MUTUAL` and name certificates",
            ),
        };
        self.refuse(codes::GATEWAY_TLS, "tls/mode", message.to_owned(), Some(help), scope)
    }

    /// The certificates, of which there is one source only.
    fn pairs(&self, tls: &Tls, scope: &mut Scope<'d>) -> Option<Vec<Pair>> {
        let files = tls.server_certificate.is_some() || tls.private_key.is_some();
        let names = tls.credential_names.as_deref().unwrap_or_default();
        let several = tls.tls_certificates.as_deref().unwrap_or_default();
        let name = tls.credential_name.as_deref().filter(|name| !name.is_empty());
        let sources = [files, name.is_some(), !names.is_empty(), !several.is_empty()];
        let help = "write `credentialName`, or `serverCertificate` with `privateKey`";
        match sources.iter().filter(|given| **given).count() {
            1 => {}
            0 => {
                return self.refuse(
                    codes::GATEWAY_TLS,
                    "tls",
                    "the server has no certificate".into(),
                    Some(help),
                    scope,
                );
            }
            _ => {
                let message = "the server's certificates come from several sources".to_owned();
                return self.refuse(
                    codes::GATEWAY_TLS,
                    "tls",
                    message,
                    Some(&format!("keep one of them: {help}")),
                    scope,
                );
            }
        }
        if let Some(name) = name {
            return Some(vec![secret::pair(&self.reference("tls/credentialName", name), scope)?]);
        }
        if files {
            let own = CertificateFiles {
                server_certificate: tls.server_certificate.clone(),
                private_key: tls.private_key.clone(),
            };
            return Some(vec![self.files("tls", &own, scope)?]);
        }
        let of_names = names
            .iter()
            .enumerate()
            .map(|(index, name)| secret::pair(&self.reference(&format!("tls/credentialNames/{index}"), name), scope));
        let mut pairs: Vec<Option<Pair>> = of_names.collect();
        pairs.extend(
            several
                .iter()
                .enumerate()
                .map(|(index, files)| self.files(&format!("tls/tlsCertificates/{index}"), files, scope)),
        );
        pairs.into_iter().collect()
    }

    fn files(&self, at: &str, files: &CertificateFiles, scope: &mut Scope<'d>) -> Option<Pair> {
        let (Some(chain), Some(key)) = (&files.server_certificate, &files.private_key) else {
            let message = "`serverCertificate` and `privateKey` belong together".to_owned();
            return self.refuse(codes::GATEWAY_TLS, at, message, None, scope);
        };
        let chain = self.file(&format!("{at}/serverCertificate"), chain, scope);
        let key = self.file(&format!("{at}/privateKey"), key, scope);
        Some(Pair { chain: chain?, key: key? })
    }

    /// A file, whose path is relative to the document's.
    fn file(&self, at: &str, path: &str, scope: &mut Scope<'d>) -> Option<Text> {
        let base = self.document.source.path.parent().unwrap_or(Path::new(""));
        Text::file(&base.join(path), self.document.location_of(&self.pointer(at)), scope)
    }

    fn clients(&self, tls: &Tls, required: bool, scope: &mut Scope<'d>) -> Option<ClientDemand> {
        let authorities = match (&tls.ca_certificates, &tls.ca_cert_credential_name, &tls.credential_name) {
            (Some(path), ..) => self.file("tls/caCertificates", path, scope),
            (None, Some(name), _) => secret::authorities(&self.reference("tls/caCertCredentialName", name), scope),
            (None, None, Some(name)) => secret::authorities_beside(&self.reference("tls/credentialName", name), scope),
            (None, None, None) => {
                let message = "clients have to show a certificate, but no authority says which".to_owned();
                let help = "write `caCertificates` or `caCertCredentialName`";
                self.refuse(codes::GATEWAY_TLS, "tls", message, Some(help), scope)
            }
        };
        let revoked = match &tls.ca_crl {
            None => Some(None),
            Some(path) => self.file("tls/caCrl", path, scope).map(Some),
        };
        let pins = self.pins(tls, scope);
        Some(ClientDemand { required, authorities: authorities?, revoked: revoked?, pins: pins? })
    }

    fn pins(&self, tls: &Tls, scope: &mut Scope<'_>) -> Option<ClientPins> {
        let mut fits = true;
        let mut digests = |field: &str, texts: &Option<Vec<String>>, decode: fn(&str) -> Option<Vec<u8>>| {
            let mut digests = Vec::new();
            for (index, text) in texts.iter().flatten().enumerate() {
                if let Some(digest) = decode(text).and_then(|bytes| <[u8; 32]>::try_from(bytes).ok()) {
                    digests.push(digest);
                } else {
                    fits = false;
                    let message = "this is not a SHA-256 digest".to_owned();
                    self.refuse::<()>(codes::GATEWAY_TLS, &format!("tls/{field}/{index}"), message, None, scope);
                }
            }
            digests
        };
        let keys = digests("verifyCertificateSpki", &tls.verify_certificate_spki, |text| STANDARD.decode(text).ok());
        let certificates = digests("verifyCertificateHash", &tls.verify_certificate_hash, hexadecimal);
        let names = tls.subject_alt_names.clone().unwrap_or_default();
        fits.then_some(ClientPins { names, keys, certificates })
    }

    fn versions(&self, tls: &Tls, scope: &mut Scope<'_>) -> Option<(Version, Version)> {
        use ProtocolVersion::{Auto, Tls10, Tls11, Tls12, Tls13};
        let oldest = match tls.min_protocol_version {
            Tls13 => Version::Tls13,
            Auto | Tls12 => Version::Tls12,
            Tls10 | Tls11 => {
                let (at, help) =
                    (self.pointer("tls/minProtocolVersion"), "clients that speak nothing newer are refused");
                let message = "versions before TLS 1.2 are not spoken";
                scope.warn(self.document, codes::TLS_VERSION, &at, message, Some(help));
                Version::Tls12
            }
        };
        let newest = match tls.max_protocol_version {
            Auto | Tls13 => Version::Tls13,
            Tls12 => Version::Tls12,
            Tls10 | Tls11 => {
                let message = "versions before TLS 1.2 are not spoken".to_owned();
                return self.refuse(
                    codes::TLS_VERSION,
                    "tls/maxProtocolVersion",
                    message,
                    Some("write TLSV1_2"),
                    scope,
                );
            }
        };
        if oldest > newest {
            let message = "the newest version is older than the oldest".to_owned();
            return self.refuse(codes::TLS_VERSION, "tls/maxProtocolVersion", message, None, scope);
        }
        Some((oldest, newest))
    }

    fn cipher_suites(&self, tls: &Tls, scope: &mut Scope<'_>) -> Vec<String> {
        let mut chosen: Vec<String> = Vec::new();
        for (index, name) in tls.cipher_suites.iter().flatten().enumerate() {
            let message = if chosen.contains(name) {
                format!("cipher suite {name} is given twice")
            } else if cipher_suite_names().any(|known| known == name) {
                chosen.push(name.clone());
                continue;
            } else {
                format!("cipher suite {name} is not known, and left out")
            };
            let at = self.pointer(&format!("tls/cipherSuites/{index}"));
            let known: Vec<&str> = cipher_suite_names().collect();
            let help = format!("known are {}; those of TLS 1.3 are always on", known.join(", "));
            scope.warn(self.document, codes::TLS_CIPHER, &at, message, Some(&help));
        }
        chosen
    }

    fn reference(&self, at: &str, name: &str) -> Reference<'d> {
        let (document, pointer) = (self.document, self.pointer(at));
        Reference { document, pointer, namespace: document.namespace.clone(), name: name.to_owned() }
    }

    fn pointer(&self, at: &str) -> String {
        if at.is_empty() { self.at.clone() } else { format!("{}/{at}", self.at) }
    }

    /// Reports an error of the server, and gives nothing.
    fn refuse<T>(&self, code: &str, at: &str, message: String, help: Option<&str>, scope: &mut Scope<'_>) -> Option<T> {
        scope.error(self.document, code, &self.pointer(at), message, help);
        None
    }
}

impl Protocol {
    fn of(text: &str) -> Option<Self> {
        Some(match text.to_ascii_uppercase().as_str() {
            "HTTP" | "HTTP2" | "GRPC" | "GRPC-WEB" => Self::Plain,
            "HTTPS" => Self::Https,
            "TLS" => Self::Tls,
            "TCP" | "MONGO" => Self::Other,
            _ => return None,
        })
    }
}

/// Reads hexadecimal digits; colons between them are for people.
fn hexadecimal(text: &str) -> Option<Vec<u8>> {
    let digits: Vec<u8> = text
        .chars()
        .filter(|character| *character != ':')
        .map(|digit| digit.to_digit(16).and_then(|digit| u8::try_from(digit).ok()))
        .collect::<Option<_>>()?;
    let (pairs, rest) = digits.as_chunks::<2>();
    rest.is_empty().then(|| pairs.iter().map(|[high, low]| high << 4 | low).collect())
}
