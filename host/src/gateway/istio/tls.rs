//! `tls` of an Istio server: mode, certificates, what clients show, versions.

mod ignored;

use super::Reading;
use crate::gateway::material::{ClientDemand, Material, Pair, Text};
use crate::gateway::scope::Scope;
use crate::gateway::secret;
use crate::manifest::codes;
use crate::tls::server::{Version, cipher_suite_names};
use crate::tls::{ClientPins, HostPattern};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls::ServerConfig;
use serde::Deserialize;
use std::path::Path;
use std::sync::Arc;

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[allow(clippy::struct_field_names, reason = "the names are the format's own")]
pub(super) struct Tls {
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

impl Tls {
    /// Whether connections go on undecrypted.
    pub(super) fn passes(&self) -> bool {
        let single = [&self.credential_name, &self.server_certificate, &self.private_key];
        let certificate = single.iter().any(|source| source.is_some())
            || self.credential_names.is_some()
            || self.tls_certificates.is_some();
        matches!(self.mode, Mode::Passthrough | Mode::AutoPassthrough) && !certificate
    }
}

impl<'d> Reading<'d, '_> {
    /// How TLS ends at the server; none when something is wrong with it, which is then reported.
    pub(super) fn config(&self, tls: &Tls, hosts: &[HostPattern], scope: &mut Scope<'d>) -> Option<Arc<ServerConfig>> {
        self.mode_is_served(tls, scope)?;
        let pairs = self.pairs(tls, scope);
        let clients = match tls.mode {
            Mode::Mutual => self.clients(tls, true, scope).map(Some),
            Mode::OptionalMutual => self.clients(tls, false, scope).map(Some),
            _ => {
                self.report_ignored(tls, scope);
                Some(None)
            }
        };
        let (oldest, newest) = self.versions(tls, scope)?;
        let cipher_suites = self.cipher_suites(tls, scope);
        Material { pairs: pairs?, clients: clients?, oldest, newest, cipher_suites }.config(hosts, scope)
    }

    fn mode_is_served(&self, tls: &Tls, scope: &mut Scope<'_>) -> Option<()> {
        let written = self.document.value.pointer(&self.pointer("tls/mode")).is_some();
        let (message, help) = match tls.mode {
            Mode::Simple | Mode::Mutual | Mode::OptionalMutual => return Some(()),
            Mode::Passthrough | Mode::AutoPassthrough => (
                "connections would pass through undecrypted, and the certificate be of no use",
                if written { "write `mode: SIMPLE`, or remove the certificate" } else { "write `mode: SIMPLE`" },
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
