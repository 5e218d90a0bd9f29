//! Client certificates: who must show one, by whom it must be issued, and which of those are let in.

use super::provider;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, Error, RootCertStore, SignatureScheme};
use sha2::{Digest, Sha256};
use std::sync::Arc;
use webpki::EndEntityCert;

/// Whether clients show a certificate.
#[derive(Debug, Clone, Default)]
pub enum Clients {
    /// They are not asked.
    #[default]
    Anyone,
    /// They are asked, and what they show is checked.
    Asked(Box<Authorities>),
    /// There is no connection without one.
    Required(Box<Authorities>),
}

/// Who vouches for clients.
#[derive(Debug, Clone)]
pub struct Authorities {
    /// Issuers.
    pub roots: RootCertStore,
    /// What they have revoked.
    pub revoked: Vec<CertificateRevocationListDer<'static>>,
    /// Which of the clients that they vouch for are let in.
    pub pins: ClientPins,
}

/// Which clients are let in. An empty list asks for nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClientPins {
    /// Subject alternative names (DNS names and URIs), one of which the certificate has to have, letter for letter.
    pub names: Vec<String>,
    /// SHA-256 of the public keys (subjectPublicKeyInfo) and of the certificates; either list may name it.
    pub keys: Vec<[u8; 32]>,
    /// See `keys`.
    pub certificates: Vec<[u8; 32]>,
}

impl Clients {
    /// What checks client certificates; none when they are not asked for.
    pub(super) fn verifier(self) -> Result<Option<Arc<dyn ClientCertVerifier>>, String> {
        let (authorities, required) = match self {
            Self::Anyone => return Ok(None),
            Self::Asked(authorities) => (authorities, false),
            Self::Required(authorities) => (authorities, true),
        };
        let Authorities { roots, revoked, pins } = *authorities;
        let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider()).with_crls(revoked);
        // A list of one issuer says nothing of the others.
        let builder = builder.allow_unknown_revocation_status();
        let builder = if required { builder } else { builder.allow_unauthenticated() };
        let inner = builder.build().map_err(|error| error.to_string())?;
        Ok(Some(if pins == ClientPins::default() { inner } else { Arc::new(Pinned { inner, pins }) }))
    }
}

impl ClientPins {
    fn admit(&self, certificate: &CertificateDer<'_>) -> Result<(), CertificateError> {
        let parsed = EndEntityCert::try_from(certificate).map_err(|_| CertificateError::BadEncoding)?;
        let mut names = parsed.valid_dns_names().chain(parsed.valid_uri_names());
        let is_known = |name| self.names.iter().any(|known| known == name);
        let by_name = self.names.is_empty() || names.any(is_known);
        let digest = |bytes: &[u8]| <[u8; 32]>::from(Sha256::digest(bytes));
        let pinned = (self.keys.is_empty() && self.certificates.is_empty())
            || self.keys.contains(&digest(&parsed.subject_public_key_info()))
            || self.certificates.contains(&digest(certificate));
        if by_name && pinned { Ok(()) } else { Err(CertificateError::ApplicationVerificationFailure) }
    }
}

/// Lets in some of those whom another lets in.
#[derive(Debug)]
struct Pinned {
    inner: Arc<dyn ClientCertVerifier>,
    pins: ClientPins,
}

impl ClientCertVerifier for Pinned {
    fn offer_client_auth(&self) -> bool {
        self.inner.offer_client_auth()
    }

    fn client_auth_mandatory(&self) -> bool {
        self.inner.client_auth_mandatory()
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.inner.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let verified = self.inner.verify_client_cert(certificate, intermediates, now)?;
        self.pins.admit(certificate)?;
        Ok(verified)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tls::certificate::certificates;
    use crate::tls::testing::Authority;

    #[test]
    fn pins_let_in_by_name_key_or_certificate_and_nobody_else() {
        let pair = Authority::new("ca").issue(&["client.example"]);
        let certificate = certificates(pair.certificate.as_bytes()).unwrap().remove(0);
        let key = EndEntityCert::try_from(&certificate).unwrap().subject_public_key_info();
        let digest = |bytes: &[u8]| <[u8; 32]>::from(Sha256::digest(bytes));
        let pins = |names: &[&str], keys: &[[u8; 32]], certificates: &[[u8; 32]]| ClientPins {
            names: names.iter().map(|name| (*name).to_owned()).collect(),
            keys: keys.to_vec(),
            certificates: certificates.to_vec(),
        };
        let table = [
            (pins(&[], &[], &[]), true),
            (pins(&["client.example"], &[], &[]), true),
            (pins(&["other.example"], &[], &[]), false),
            (pins(&[], &[digest(&key)], &[]), true),
            (pins(&[], &[[0; 32]], &[digest(&certificate)]), true),
            (pins(&[], &[[0; 32]], &[[0; 32]]), false),
            (pins(&["other.example"], &[digest(&key)], &[]), false),
        ];
        for (pins, admitted) in table {
            assert_eq!(pins.admit(&certificate).is_ok(), admitted, "{pins:?}");
        }
    }
}
