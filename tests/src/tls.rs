//! Certificates for tests, and clients that speak TLS.

use crate::client::{Answer, Client, Protocol, Request};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use std::net::SocketAddr;
use std::sync::Arc;

/// Issues certificates.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate and its key, as PEM.
#[derive(Debug, Clone)]
pub struct Pair {
    /// The certificate.
    pub certificate: String,
    /// The key.
    pub key: String,
}

impl Authority {
    /// A new one, which nobody knows yet.
    #[allow(clippy::new_without_default, reason = "each is another one")]
    pub fn new() -> Self {
        let mut parameters = CertificateParams::new(Vec::new()).expect("no name is a bad one");
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        parameters.distinguished_name.push(DnType::CommonName, "an authority of tests");
        let key = KeyPair::generate().expect("a key is made");
        Self(CertifiedIssuer::self_signed(parameters, key).expect("a certificate is made"))
    }

    /// Its own certificate, as PEM.
    pub fn certificate(&self) -> String {
        self.0.pem()
    }

    /// A certificate for these DNS names, of servers and of clients.
    ///
    /// # Panics
    /// When a name is none.
    pub fn issue(&self, names: &[&str]) -> Pair {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut parameters = CertificateParams::new(names).expect("DNS names");
        parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        let key = KeyPair::generate().expect("a key is made");
        let certificate = parameters.signed_by(&key, &self.0).expect("a certificate is made").pem();
        Pair { certificate, key: key.serialize_pem() }
    }
}

impl Pair {
    /// A Secret that holds it, and what else there is to be in it, as further lines of its `stringData`.
    pub fn secret(&self, name: &str, more: &[(&str, &str)]) -> String {
        let mut text =
            format!("apiVersion: v1\nkind: Secret\nmetadata: {{name: {name}}}\ntype: kubernetes.io/tls\nstringData:\n");
        let own = [("tls.crt", self.certificate.as_str()), ("tls.key", self.key.as_str())];
        for (field, value) in own.iter().chain(more) {
            let lines: Vec<String> = value.lines().map(|line| format!("    {line}\n")).collect();
            text.extend(["  ", field, ": |\n", &lines.concat()]);
        }
        text + "---\n"
    }

    /// How a server speaks TLS that shows it, and takes clients that show a certificate of the authority, if there is one.
    #[track_caller]
    pub(crate) fn server(&self, clients: Option<&Authority>) -> ServerConfig {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider));
        let builder = builder.with_safe_default_protocol_versions().expect("the versions are known");
        let builder = match clients {
            None => builder.with_no_client_auth(),
            Some(authority) => {
                let mut roots = RootCertStore::empty();
                let certificate = CertificateDer::from_pem_slice(authority.certificate().as_bytes()).expect("PEM");
                roots.add(certificate).expect("an authority");
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
                builder.with_client_cert_verifier(verifier.expect("an authority"))
            }
        };
        let key = PrivateKeyDer::from_pem_slice(self.key.as_bytes()).expect("PEM");
        builder.with_single_cert(vec![self.der().into()], key).expect("a pair")
    }

    /// The certificate as it goes over the wire.
    ///
    /// # Panics
    /// When it is no PEM.
    pub fn der(&self) -> Vec<u8> {
        CertificateDer::from_pem_slice(self.certificate.as_bytes()).expect("PEM").to_vec()
    }
}

/// How a client speaks TLS.
#[derive(Debug, Clone)]
pub struct Tls {
    roots: RootCertStore,
    name: String,
    protocols: Vec<Vec<u8>>,
    own: Option<Pair>,
}

impl Tls {
    /// Asks for a server of this name, whose certificate an authority has issued, and offers HTTP/1.1 alone.
    ///
    /// # Panics
    /// When the authority's certificate is none.
    pub fn to(name: &str, authority: &Authority) -> Self {
        let mut roots = RootCertStore::empty();
        roots
            .add(CertificateDer::from_pem_slice(authority.certificate().as_bytes()).expect("PEM"))
            .expect("an authority");
        Self { roots, name: name.to_owned(), protocols: vec![b"http/1.1".to_vec()], own: None }
    }

    /// Offers these protocols.
    #[must_use]
    pub fn offering(mut self, protocols: &[&str]) -> Self {
        self.protocols = protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
        self
    }

    /// Shows a certificate when it is asked for one.
    #[must_use]
    pub fn showing(mut self, pair: &Pair) -> Self {
        self.own = Some(pair.clone());
        self
    }

    /// Connects. HTTP/2 is spoken when the server chooses it.
    ///
    /// # Errors
    /// What went wrong with the handshake.
    pub fn connect(&self, address: SocketAddr) -> Result<TlsClient, String> {
        let (config, name) = (Arc::new(self.config()?), self.name.clone());
        let name = ServerName::try_from(name).map_err(|error| error.to_string())?;
        crate::background::run(async move {
            let stream = tokio::net::TcpStream::connect(address).await.map_err(|error| error.to_string())?;
            let connector = tokio_rustls::TlsConnector::from(config);
            let stream = connector.connect(name, stream).await.map_err(|error| error.to_string())?;
            let session = stream.get_ref().1;
            let chosen = session.alpn_protocol().map(|protocol| String::from_utf8_lossy(protocol).into_owned());
            let certificate = session.peer_certificates().and_then(|chain| chain.first()).map(|own| own.to_vec());
            let protocol = if chosen.as_deref() == Some("h2") { Protocol::Http2 } else { Protocol::Http1 };
            let client = Client::over(stream, protocol).await?;
            Ok(TlsClient { client, protocol: chosen, certificate: certificate.unwrap_or_default() })
        })
    }

    fn config(&self) -> Result<ClientConfig, String> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let builder = builder.map_err(|error| error.to_string())?.with_root_certificates(self.roots.clone());
        let mut config = match &self.own {
            None => builder.with_no_client_auth(),
            Some(pair) => {
                let key = PrivateKeyDer::from_pem_slice(pair.key.as_bytes()).map_err(|error| error.to_string())?;
                builder.with_client_auth_cert(vec![pair.der().into()], key).map_err(|error| error.to_string())?
            }
        };
        config.alpn_protocols.clone_from(&self.protocols);
        Ok(config)
    }
}

/// A connection over TLS.
#[derive(Debug)]
pub struct TlsClient {
    client: Client,
    /// What the server has chosen of the protocols.
    pub protocol: Option<String>,
    /// The server's certificate, as it came over the wire.
    pub certificate: Vec<u8>,
}

impl TlsClient {
    /// Sends a request and waits for the whole answer.
    ///
    /// # Errors
    /// When the connection ends before.
    pub fn send(&mut self, request: Request) -> Result<Answer, String> {
        self.client.send(request)
    }

    /// Sends a GET, and gives the status.
    ///
    /// # Panics
    /// When there is no answer.
    #[track_caller]
    pub fn status_of(&mut self, url: &str) -> u16 {
        self.send(Request::get(url)).expect("an answer").status
    }

    /// Whether the other side has kept the connection open.
    pub fn is_open(&self) -> bool {
        self.client.is_open()
    }
}
