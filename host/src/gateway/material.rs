//! Certificates, keys and authorities on their way from a Secret or a file to what TLS takes, checked at their place.

use super::scope::Scope;
use crate::manifest::{Diagnostic, Location, Severity, codes};
use crate::telemetry::metrics::CertificateFigures;
use crate::tls::server::{Terms, Version};
use crate::tls::{Authorities, CertificateError, ClientPins, Clients, HostPattern, Part, certificate};
use rustls::ServerConfig;
use rustls::sign::CertifiedKey;
use sha2::{Digest, Sha256};
use std::path::Path;
use std::sync::Arc;

/// PEM text and where it stands.
#[derive(Clone)]
pub(super) struct Text {
    pub(super) bytes: Vec<u8>,
    /// What it is, for messages, such as `tls.crt`.
    pub(super) what: String,
    pub(super) place: Location,
    /// Who uses it, where that is another place.
    pub(super) user: Option<Location>,
}

/// A certificate and its key.
pub(super) struct Pair {
    pub(super) chain: Text,
    pub(super) key: Text,
}

/// What a server asks of clients.
#[derive(Clone)]
pub(super) struct ClientDemand {
    pub(super) required: bool,
    pub(super) authorities: Text,
    pub(super) revoked: Option<Text>,
    pub(super) pins: ClientPins,
}

/// All that the terms of a server are made of.
pub(super) struct Material {
    pub(super) pairs: Vec<Pair>,
    pub(super) clients: Option<ClientDemand>,
    pub(super) oldest: Version,
    pub(super) newest: Version,
    pub(super) cipher_suites: Vec<String>,
}

impl Material {
    /// These certificates for any client.
    pub(super) fn simple(pairs: Vec<Pair>) -> Self {
        let (oldest, newest) = (Version::Tls12, Version::Tls13);
        Self { pairs, clients: None, oldest, newest, cipher_suites: Vec::new() }
    }

    /// Checks it all, and makes of it what TLS takes: the very same as before where nothing has changed, so that sessions
    /// can still be resumed. None when something is wrong, which is then in the diagnostics.
    pub(super) fn config(self, hosts: &[HostPattern], scope: &mut Scope<'_>) -> Option<Arc<ServerConfig>> {
        let fingerprint = self.fingerprint();
        let place = self.pairs.first().map(|pair| pair.chain.place.clone());
        let certificates: Vec<_> = self.pairs.iter().map(|pair| pair.check(hosts, scope)).collect();
        let clients = match self.clients {
            None => Some(Clients::Anyone),
            Some(demand) => demand.check(scope),
        };
        let certificates = certificates.into_iter().collect::<Option<Vec<_>>>()?;
        let clients = clients?;
        if let Some(known) = scope.memory.find(&fingerprint) {
            return Some(known);
        }
        let (oldest, newest, cipher_suites) = (self.oldest, self.newest, self.cipher_suites);
        match (Terms { certificates, clients, oldest, newest, cipher_suites }).config() {
            Ok(config) => {
                scope.memory.keep(fingerprint, &config);
                Some(config)
            }
            Err(reason) => {
                let diagnostic = Diagnostic::error(codes::GATEWAY_TLS, format!("TLS cannot be set up so: {reason}"));
                scope.diagnostics.push(match place {
                    Some(place) => diagnostic.at(place),
                    None => diagnostic,
                });
                None
            }
        }
    }

    fn fingerprint(&self) -> [u8; 32] {
        let mut digest = Sha256::new();
        let mut add = |bytes: &[u8]| {
            digest.update((bytes.len() as u64).to_le_bytes());
            digest.update(bytes);
        };
        for pair in &self.pairs {
            add(&pair.chain.bytes);
            add(&pair.key.bytes);
        }
        add(format!("{:?} {:?} {:?}", self.oldest, self.newest, self.cipher_suites).as_bytes());
        if let Some(demand) = &self.clients {
            add(&demand.authorities.bytes);
            add(demand.revoked.as_ref().map_or(b"", |revoked| &revoked.bytes));
            add(format!("{} {:?}", demand.required, demand.pins).as_bytes());
        }
        digest.finalize().into()
    }
}

impl Pair {
    fn check(&self, hosts: &[HostPattern], scope: &mut Scope<'_>) -> Option<Arc<CertifiedKey>> {
        let certified = certificate::certified_key(&self.chain.bytes, &self.key.bytes);
        let certified = certified.map_err(|error| match error.part() {
            Part::Certificate => self.chain.report(&error, scope),
            Part::Key => self.key.report(&error, scope),
        });
        let certified = certified.ok()?;
        let own = certified.cert.first()?;
        if let Some(expires) = certificate::end(own) {
            let name = certificate::names(own).into_iter().next().unwrap_or_default();
            scope.certificates.push(CertificateFigures { source: self.chain.source(), name, expires });
        }
        let time = |time| jiff::Timestamp::try_from(time).map_or_else(|_| String::new(), |time| format!("{time:.0}"));
        match certificate::validity(own, scope.now) {
            certificate::Validity::Valid => {}
            certificate::Validity::Expired(at) => {
                let message = format!("the certificate expired at {}", time(at));
                self.chain.warn(codes::CERTIFICATE_EXPIRED, &message, "clients refuse it: renew it", scope);
            }
            certificate::Validity::NotYet(from) => {
                let message = format!("the certificate is not valid before {}", time(from));
                self.chain.warn(codes::CERTIFICATE_EXPIRED, &message, "clients refuse it until then", scope);
            }
        }
        let exact = hosts.iter().filter_map(|host| match host {
            HostPattern::Exact(name) => Some(name),
            _ => None,
        });
        for host in exact.filter(|host| !certificate::covers(own, host)).take(1) {
            let message = format!("the certificate is not for `{host}`");
            let names = certificate::names(own).join(", ");
            self.chain.warn(codes::CERTIFICATE_NAME, &message, &format!("it is for {names}: clients refuse it"), scope);
        }
        Some(certified)
    }
}

impl ClientDemand {
    fn check(self, scope: &mut Scope<'_>) -> Option<Clients> {
        let roots = certificate::roots(&self.authorities.bytes);
        let roots = roots.map_err(|error| self.authorities.report(&error, scope)).ok();
        let revoked = match &self.revoked {
            None => Some(Vec::new()),
            Some(text) => {
                let lists = certificate::revocation_lists(&text.bytes);
                lists.map_err(|error| text.report(&error, scope)).ok()
            }
        };
        let authorities = Box::new(Authorities { roots: roots?, revoked: revoked?, pins: self.pins });
        Some(if self.required { Clients::Required(authorities) } else { Clients::Asked(authorities) })
    }
}

impl Text {
    /// Reads a file. `place` is where it is named.
    pub(super) fn file(path: &Path, place: Location, scope: &mut Scope<'_>) -> Option<Self> {
        match scope.files.read(path) {
            Ok(bytes) => Some(Self { bytes, what: path.display().to_string(), place, user: None }),
            Err(error) => {
                let message = format!("the file {} cannot be read: {error}", path.display());
                scope.diagnostics.push(Diagnostic::error(codes::CERTIFICATE_MISSING, message).at(place));
                None
            }
        }
    }

    /// The file, or the Secret.
    fn source(&self) -> String {
        self.what.split_once("` of ").map_or(self.what.as_str(), |(_, secret)| secret).to_owned()
    }

    fn report(&self, error: &CertificateError, scope: &mut Scope<'_>) {
        let code = match error {
            CertificateError::KeyMismatch => codes::CERTIFICATE_KEY,
            _ => codes::CERTIFICATE_INVALID,
        };
        let diagnostic = Diagnostic::error(code, format!("{}: {error}", self.what));
        self.push(diagnostic, scope);
    }

    fn warn(&self, code: &str, message: &str, help: &str, scope: &mut Scope<'_>) {
        let diagnostic = Diagnostic::new(Severity::Warning, code, format!("{}: {message}", self.what));
        self.push(diagnostic.help(help), scope);
    }

    fn push(&self, diagnostic: Diagnostic, scope: &mut Scope<'_>) {
        let diagnostic = diagnostic.at(self.place.clone());
        scope.diagnostics.push(match &self.user {
            Some(user) => diagnostic.related("it is used here", Some(user.clone())),
            None => diagnostic,
        });
    }
}
