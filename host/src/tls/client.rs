//! TLS towards an upstream: what a client shows, and by what it knows the server.

use super::certificate::{self, CertificateError};
use super::provider;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::sign::SingleCertAndKey;
use rustls::{ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use std::sync::{Arc, LazyLock};
use webpki::EndEntityCert;

/// What a client asks of a server, and shows it.
#[derive(Debug, Clone, Default)]
pub struct ClientTerms {
    /// The name to send and, when `names` is empty, to find in the server's certificate. An IP address is not sent.
    pub server_name: String,
    /// Names (DNS names, IP addresses, URIs), one of which the server's certificate has to have instead; `*.` in front of
    /// one of them has no meaning of its own.
    pub names: Vec<String>,
    /// PEM of the authorities to trust; none trusts those of the system.
    pub authorities: Option<Vec<u8>>,
    /// The client's own certificate.
    pub own: Option<Identity>,
    /// Takes any server for the right one. The connection is then safe from listeners only, not from impostors.
    pub insecure: bool,
    /// The application protocols to offer (RFC 7301), in order of preference.
    pub protocols: Vec<Vec<u8>>,
}

/// A certificate with its chain, and its key, as PEM.
#[derive(Clone)]
pub struct Identity {
    /// The certificate, then its issuers.
    pub chain: Vec<u8>,
    /// The key.
    pub key: Vec<u8>,
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Identity")
    }
}

/// A client that is ready to connect.
#[derive(Debug, Clone)]
pub struct Connector {
    /// For the TLS library.
    pub config: Arc<ClientConfig>,
    /// The name that is sent.
    pub server_name: ServerName<'static>,
}

/// Why there is no client.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClientError {
    /// The name is neither a DNS name nor an IP address.
    #[error("`{0}` is neither a DNS name nor an IP address")]
    ServerName(String),
    /// The authorities cannot be used.
    #[error("the authorities: {0}")]
    Authorities(CertificateError),
    /// The client's own certificate or key cannot be used.
    #[error(transparent)]
    Own(CertificateError),
    /// The system has no authorities.
    #[error("the system has no certificate authorities; name a file of them")]
    NoSystemAuthorities,
    /// The TLS library refuses the combination.
    #[error("{0}")]
    Refused(String),
}

impl ClientTerms {
    /// Checks everything and makes a client of it. Reads the system's authorities once in a process's life.
    pub fn connector(&self) -> Result<Connector, ClientError> {
        let server_name = ServerName::try_from(self.server_name.clone())
            .map_err(|_| ClientError::ServerName(self.server_name.clone()))?;
        let builder = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(|error| ClientError::Refused(error.to_string()))?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(self.verifier()?));
        let mut config = match &self.own {
            None => builder.with_no_client_auth(),
            Some(Identity { chain, key }) => {
                let certified = certificate::certified_key(chain, key).map_err(ClientError::Own)?;
                builder.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(certified)))
            }
        };
        config.alpn_protocols.clone_from(&self.protocols);
        Ok(Connector { config: Arc::new(config), server_name })
    }

    fn verifier(&self) -> Result<Verifier, ClientError> {
        let roots = match &self.authorities {
            _ if self.insecure => Arc::new(RootCertStore::empty()),
            Some(text) => Arc::new(certificate::roots(text).map_err(ClientError::Authorities)?),
            None => system_roots().ok_or(ClientError::NoSystemAuthorities)?,
        };
        let algorithms = provider().signature_verification_algorithms;
        Ok(Verifier { roots, names: self.names.clone(), insecure: self.insecure, algorithms })
    }
}

/// The authorities that the system trusts; none when there are none to be found.
fn system_roots() -> Option<Arc<RootCertStore>> {
    static ROOTS: LazyLock<Arc<RootCertStore>> = LazyLock::new(|| {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        Arc::new(roots)
    });
    (!ROOTS.is_empty()).then(|| Arc::clone(&ROOTS))
}

/// Checks the server's chain, and its name or one of several.
#[derive(Debug)]
struct Verifier {
    roots: Arc<RootCertStore>,
    names: Vec<String>,
    insecure: bool,
    algorithms: WebPkiSupportedAlgorithms,
}

impl Verifier {
    fn has_name(&self, certificate: &CertificateDer<'_>) -> Result<(), Error> {
        let bad = |_| Error::InvalidCertificate(rustls::CertificateError::BadEncoding);
        let (plain, parsed) =
            (EndEntityCert::try_from(certificate).map_err(bad)?, ParsedCertificate::try_from(certificate)?);
        let has = |name: &String| {
            plain.valid_uri_names().any(|known| known == name)
                || ServerName::try_from(name.as_str()).is_ok_and(|name| verify_server_name(&parsed, &name).is_ok())
        };
        if self.names.iter().any(has) {
            return Ok(());
        }
        Err(Error::InvalidCertificate(rustls::CertificateError::NotValidForName))
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if self.insecure {
            return Ok(ServerCertVerified::assertion());
        }
        let parsed = ParsedCertificate::try_from(certificate)?;
        let all = self.algorithms.all;
        verify_server_cert_signed_by_trust_anchor(&parsed, &self.roots, intermediates, now, all)?;
        if self.names.is_empty() {
            verify_server_name(&parsed, server_name)?;
        } else {
            self.has_name(certificate)?;
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tls::clients::{Authorities, ClientPins, Clients};
    use crate::tls::server::{Action, Server, Servers, Terms};
    use crate::tls::testing::{Authority, Pair};
    use crate::tls::{Greeted, HostPattern, Session, accept};
    use tokio_rustls::TlsConnector;

    /// Connects to a server with this certificate; the session is the server's, with the name that it was sent.
    async fn connect(pair: &Pair, clients: Clients, upstream: &ClientTerms) -> Result<Session, String> {
        let certified = certificate::certified_key(pair.certificate.as_bytes(), pair.key.as_bytes()).unwrap();
        let config = Terms { clients, ..Terms::simple(certified) }.config().unwrap();
        let server = Server { hosts: vec![HostPattern::Any], action: Action::Terminate(config) };
        let servers = Arc::new(Servers::new(vec![server]));
        let (near, far) = tokio::io::duplex(64 << 10);
        let Connector { config, server_name } = upstream.connector().map_err(|error| error.to_string())?;
        let connector = TlsConnector::from(config);
        let (connected, accepted) = tokio::join!(connector.connect(server_name, near), accept(far, &servers));
        connected.map_err(|error| error.to_string())?;
        match accepted.map_err(|error| error.to_string())? {
            Greeted::Terminated(_, session) => Ok(session),
            Greeted::Passed { .. } => Err("it was passed on".into()),
        }
    }

    fn upstream(authority: &Authority, server_name: &str) -> ClientTerms {
        let authorities = Some(authority.certificate().into_bytes());
        ClientTerms { server_name: server_name.into(), authorities, ..ClientTerms::default() }
    }

    #[tokio::test]
    async fn a_server_is_known_by_its_issuer_and_the_name_that_is_sent() {
        let (authority, stranger) = (Authority::new("ca"), Authority::new("stranger"));
        let pair = authority.issue(&["shop.example", "10.0.0.1"]);
        let table = [
            (upstream(&authority, "shop.example"), Some(Some("shop.example"))),
            (upstream(&authority, "10.0.0.1"), Some(None)),
            (upstream(&authority, "other.example"), None),
            (upstream(&stranger, "shop.example"), None),
            (ClientTerms { insecure: true, ..upstream(&stranger, "other.example") }, Some(Some("other.example"))),
        ];
        for (upstream, expected) in table {
            let session = connect(&pair, Clients::Anyone, &upstream).await;
            let name = session.as_ref().ok().map(|session| session.name.as_deref());
            assert_eq!(name, expected, "{upstream:?}: {:?}", session.as_ref().err());
        }
    }

    #[tokio::test]
    async fn other_names_may_stand_for_the_one_that_is_sent() {
        let authority = Authority::new("ca");
        let pair = authority.issue(&["shop.example", "spiffe://cluster.local/ns/default/sa/shop"]);
        let table: [(&[&str], bool); 4] = [
            (&["spiffe://cluster.local/ns/default/sa/shop"], true),
            (&["absent.example", "shop.example"], true),
            (&["absent.example"], false),
            (&["spiffe://cluster.local/ns/default/sa/other"], false),
        ];
        for (names, known) in table {
            let names = names.iter().map(|name| (*name).to_owned()).collect();
            let upstream = ClientTerms { names, ..upstream(&authority, "inside.example") };
            assert_eq!(connect(&pair, Clients::Anyone, &upstream).await.is_ok(), known, "{upstream:?}");
        }
    }

    #[tokio::test]
    async fn a_certificate_of_its_own_is_shown() {
        let authority = Authority::new("ca");
        let (pair, own) = (authority.issue(&["shop.example"]), authority.issue(&["proxy.example"]));
        let required = || {
            let roots = certificate::roots(authority.certificate().as_bytes()).unwrap();
            Clients::Required(Box::new(Authorities { roots, revoked: Vec::new(), pins: ClientPins::default() }))
        };
        let without = upstream(&authority, "shop.example");
        let own = Some(Identity { chain: own.certificate.into_bytes(), key: own.key.into_bytes() });
        let with = ClientTerms { own, ..without.clone() };
        assert!(connect(&pair, required(), &with).await.is_ok());
        assert!(connect(&pair, required(), &without).await.is_err());
    }

    #[test]
    fn what_cannot_be_used_is_said() {
        let authority = Authority::new("ca");
        let good = upstream(&authority, "shop.example");
        let named = |name: &str| ClientTerms { server_name: name.into(), ..good.clone() };
        assert_eq!(named("a b").connector().unwrap_err(), ClientError::ServerName("a b".into()));
        let authorities = ClientTerms { authorities: Some(b"none".to_vec()), ..good.clone() };
        assert!(matches!(authorities.connector().unwrap_err(), ClientError::Authorities(_)));
        let own = ClientTerms { own: Some(Identity { chain: b"none".to_vec(), key: b"none".to_vec() }), ..good };
        assert_eq!(own.connector().unwrap_err(), ClientError::Own(CertificateError::NoCertificate));
    }
}
