//! What a listener does with a handshake: several servers on one port, told apart by the name that the client sends.

use super::clients::Clients;
use super::names::{HostIndex, HostPattern};
use super::{PROTOCOLS, certificate, provider};
use rustls::crypto::CryptoProvider;
use rustls::server::{ClientHello, NoServerSessionStorage, ResolvesServerCert, ServerSessionMemoryCache};
use rustls::sign::CertifiedKey;
use rustls::{ServerConfig, SupportedProtocolVersion, version};
use std::sync::Arc;

/// Sessions that clients may resume, for each server: a busy hour's returning clients, at some hundred bytes each.
const RESUMABLE_SESSIONS: usize = 4096;

/// The TLS 1.2 cipher suites there are, by OpenSSL's names, which manifests use. TLS 1.3 has its own, which are always on.
const CIPHER_SUITES: [(&str, rustls::CipherSuite); 6] = [
    ("ECDHE-ECDSA-AES128-GCM-SHA256", rustls::CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256),
    ("ECDHE-ECDSA-AES256-GCM-SHA384", rustls::CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384),
    ("ECDHE-ECDSA-CHACHA20-POLY1305", rustls::CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256),
    ("ECDHE-RSA-AES128-GCM-SHA256", rustls::CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256),
    ("ECDHE-RSA-AES256-GCM-SHA384", rustls::CipherSuite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384),
    ("ECDHE-RSA-CHACHA20-POLY1305", rustls::CipherSuite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256),
];

/// The names of the cipher suites that can be chosen.
pub fn cipher_suite_names() -> impl Iterator<Item = &'static str> {
    CIPHER_SUITES.iter().map(|(name, _)| *name)
}

/// A version of TLS. Older ones than 1.2 are not spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Version {
    /// RFC 5246.
    Tls12,
    /// RFC 8446.
    Tls13,
}

/// How a server ends TLS.
#[derive(Debug, Clone)]
pub struct Terms {
    /// Certificates, of which the first that suits the client is shown; at least one.
    pub certificates: Vec<Arc<CertifiedKey>>,
    /// Whether clients show one too.
    pub clients: Clients,
    /// The oldest version.
    pub oldest: Version,
    /// The newest version.
    pub newest: Version,
    /// OpenSSL's names of TLS 1.2 cipher suites; none means all. Unknown names are left out.
    pub cipher_suites: Vec<String>,
}

impl Terms {
    /// This certificate, any client, all versions.
    pub fn simple(certificate: Arc<CertifiedKey>) -> Self {
        let (oldest, newest) = (Version::Tls12, Version::Tls13);
        Self { certificates: vec![certificate], clients: Clients::Anyone, oldest, newest, cipher_suites: Vec::new() }
    }

    /// As the TLS library takes it. The error says which of the terms contradict each other.
    pub fn config(self) -> Result<Arc<ServerConfig>, String> {
        let versions: Vec<&'static SupportedProtocolVersion> =
            [(Version::Tls12, &version::TLS12), (Version::Tls13, &version::TLS13)]
                .into_iter()
                .filter(|(version, _)| (self.oldest..=self.newest).contains(version))
                .map(|(_, version)| version)
                .collect();
        let builder = ServerConfig::builder_with_provider(provider_with(&self.cipher_suites))
            .with_protocol_versions(&versions)
            .map_err(|error| error.to_string())?;
        let asks = !matches!(self.clients, Clients::Anyone);
        let builder = match self.clients.verifier()? {
            Some(verifier) => builder.with_client_cert_verifier(verifier),
            None => builder.with_no_client_auth(),
        };
        let mut config = builder.with_cert_resolver(Arc::new(FirstThatSuits(self.certificates)));
        config.alpn_protocols = PROTOCOLS.iter().map(|protocol| protocol.to_vec()).collect();
        // A resumed session is not checked again, so what was revoked since would still be let in.
        if asks {
            config.session_storage = Arc::new(NoServerSessionStorage {});
            config.send_tls13_tickets = 0;
        } else {
            config.session_storage = ServerSessionMemoryCache::new(RESUMABLE_SESSIONS);
        }
        Ok(Arc::new(config))
    }
}

/// The provider with these TLS 1.2 cipher suites only.
fn provider_with(names: &[String]) -> Arc<CryptoProvider> {
    let chosen: Vec<_> = CIPHER_SUITES.iter().filter(|(name, _)| names.iter().any(|chosen| chosen == name)).collect();
    if chosen.is_empty() {
        return provider();
    }
    let mut provider = CryptoProvider::clone(&provider());
    provider
        .cipher_suites
        .retain(|suite| suite.version() == &version::TLS13 || chosen.iter().any(|(_, known)| *known == suite.suite()));
    Arc::new(provider)
}

/// Several certificates, such as RSA and ECDSA: the first whose signatures the client understands, and which is for the
/// name it asks for if any is.
#[derive(Debug)]
struct FirstThatSuits(Vec<Arc<CertifiedKey>>);

impl ResolvesServerCert for FirstThatSuits {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        if let [only] = self.0.as_slice() {
            return Some(Arc::clone(only));
        }
        let suits = |certified: &&Arc<CertifiedKey>| certified.key.choose_scheme(hello.signature_schemes()).is_some();
        let mut suiting = self.0.iter().filter(suits);
        let named = |certified: &&Arc<CertifiedKey>| {
            hello.server_name().zip(certified.cert.first()).is_some_and(|(name, own)| certificate::covers(own, name))
        };
        suiting.clone().find(named).or_else(|| suiting.next()).or_else(|| self.0.first()).cloned()
    }
}

/// What becomes of a connection.
#[derive(Debug, Clone)]
pub enum Action {
    /// TLS ends here, on these terms.
    Terminate(Arc<ServerConfig>),
    /// It goes on undecrypted to the service that the client names.
    Pass,
}

/// One server of a listener.
#[derive(Debug, Clone)]
pub struct Server {
    /// The names it takes.
    pub hosts: Vec<HostPattern>,
    /// What it does.
    pub action: Action,
}

/// The servers of one listener.
#[derive(Debug)]
pub struct Servers {
    servers: Vec<Server>,
    index: HostIndex,
}

impl Servers {
    /// These; of two that take a name the first has it.
    pub fn new(servers: Vec<Server>) -> Self {
        let mut index = HostIndex::default();
        for (number, server) in servers.iter().enumerate() {
            for host in &server.hosts {
                index.insert(host, number);
            }
        }
        Self { servers, index }
    }

    /// Whether TLS ends at any, so that requests are seen.
    pub fn end_tls(&self) -> bool {
        self.servers.iter().any(|server| matches!(server.action, Action::Terminate(_)))
    }

    /// The number of the server that a name belongs to.
    pub fn find(&self, host: Option<&str>) -> Option<usize> {
        self.index.find(host)
    }

    /// A server by its number.
    pub fn server(&self, number: usize) -> Option<&Server> {
        self.servers.get(number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tls::certificate::certified_key;
    use crate::tls::testing::Authority;

    fn terms() -> Terms {
        let pair = Authority::new("ca").issue(&["a.example"]);
        Terms::simple(certified_key(pair.certificate.as_bytes(), pair.key.as_bytes()).unwrap())
    }

    #[test]
    fn cipher_suites_are_limited_and_those_of_tls_1_3_stay() {
        let all = terms().config().unwrap();
        assert_eq!(all.crypto_provider().cipher_suites.len(), 9);
        let cipher_suites = vec!["ECDHE-RSA-AES128-GCM-SHA256".to_owned(), "unknown".to_owned()];
        let one = Terms { cipher_suites, ..terms() }.config().unwrap();
        assert_eq!(one.crypto_provider().cipher_suites.len(), 4);
    }

    #[test]
    fn every_cipher_suite_of_the_library_has_a_name() {
        let known = |suite| CIPHER_SUITES.iter().any(|(_, known)| *known == suite);
        let mut suites = provider().cipher_suites.clone();
        suites.retain(|suite| suite.version() == &version::TLS12);
        assert!(suites.iter().all(|suite| known(suite.suite())) && suites.len() == CIPHER_SUITES.len());
    }
}
