//! Certificates and keys as PEM (RFC 7468), checked as far as one can without a peer.

use super::provider;
use rustls::pki_types::pem::{Error as PemError, PemObject};
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::sign::CertifiedKey;
use rustls::{Error as TlsError, InconsistentKeys, RootCertStore};
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use webpki::{EndEntityCert, KeyUsage};

/// Which of the two is at fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The certificate, or one of its chain.
    Certificate,
    /// The private key.
    Key,
}

/// What is wrong with a certificate or a key. Never holds any of their text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// There is no certificate in the text.
    #[error("there is no certificate: expected PEM, beginning with `-----BEGIN CERTIFICATE-----`")]
    NoCertificate,
    /// There is no key in the text.
    #[error("there is no private key: expected PEM, such as beginning with `-----BEGIN PRIVATE KEY-----`")]
    NoKey,
    /// The text is not PEM.
    #[error("{0}")]
    Pem(&'static str),
    /// The certificate cannot be understood.
    #[error("the certificate cannot be read: it is not X.509, version 3")]
    Malformed,
    /// The key cannot be understood.
    #[error(
        "the private key cannot be used: it is damaged, encrypted, or not RSA (2048 bits and more), ECDSA or Ed25519"
    )]
    UnusableKey,
    /// They do not belong together.
    #[error("the private key does not belong to the certificate")]
    KeyMismatch,
    /// A revocation list cannot be understood.
    #[error("the revocation list cannot be read")]
    BadRevocationList,
}

impl CertificateError {
    /// Which of the two is at fault.
    pub fn part(&self) -> Part {
        match self {
            Self::NoKey | Self::UnusableKey | Self::KeyMismatch => Part::Key,
            _ => Part::Certificate,
        }
    }
}

/// What is true of a certificate at some time, and a peer may refuse it for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Validity {
    /// It is within its time.
    Valid,
    /// It ended then.
    Expired(SystemTime),
    /// It begins then.
    NotYet(SystemTime),
}

/// Reads a chain, the certificate of the server itself first, and the key of that.
pub fn certified_key(chain: &[u8], key: &[u8]) -> Result<Arc<CertifiedKey>, CertificateError> {
    let chain = certificates(chain)?;
    let key = PrivateKeyDer::from_pem_slice(key).map_err(|error| of_pem(&error, CertificateError::NoKey))?;
    let certified = CertifiedKey::from_der(chain, key, &provider()).map_err(|error| match error {
        TlsError::InconsistentKeys(InconsistentKeys::KeyMismatch) => CertificateError::KeyMismatch,
        TlsError::InvalidCertificate(_) => CertificateError::Malformed,
        _ => CertificateError::UnusableKey,
    })?;
    Ok(Arc::new(certified))
}

/// Reads all certificates of a text; there is at least one, and each can be understood.
pub fn certificates(text: &[u8]) -> Result<Vec<CertificateDer<'static>>, CertificateError> {
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text).collect();
    let certificates = read.map_err(|error| of_pem(&error, CertificateError::NoCertificate))?;
    if certificates.is_empty() {
        return Err(CertificateError::NoCertificate);
    }
    for certificate in &certificates {
        EndEntityCert::try_from(certificate).map_err(|_| CertificateError::Malformed)?;
    }
    Ok(certificates)
}

/// Reads the certificates of authorities.
pub fn roots(text: &[u8]) -> Result<RootCertStore, CertificateError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(text)? {
        roots.add(certificate).map_err(|_| CertificateError::Malformed)?;
    }
    Ok(roots)
}

/// Reads revocation lists.
pub fn revocation_lists(text: &[u8]) -> Result<Vec<CertificateRevocationListDer<'static>>, CertificateError> {
    let read: Result<Vec<_>, _> = CertificateRevocationListDer::pem_slice_iter(text).collect();
    read.ok().filter(|lists| !lists.is_empty()).ok_or(CertificateError::BadRevocationList)
}

/// Whether a certificate is within its time.
pub fn validity(certificate: &CertificateDer<'_>, now: SystemTime) -> Validity {
    let Ok(parsed) = EndEntityCert::try_from(certificate) else { return Validity::Valid };
    let since = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let time = UnixTime::since_unix_epoch(since);
    let algorithms = provider().signature_verification_algorithms.all;
    // Without any authority the chain fails, but only after the times were looked at.
    let checked = parsed.verify_for_usage(algorithms, &[], &[], time, KeyUsage::server_auth(), None, None);
    let at = |time: UnixTime| SystemTime::UNIX_EPOCH + Duration::from_secs(time.as_secs());
    match checked {
        Err(webpki::Error::CertExpired { not_after, .. }) => Validity::Expired(at(not_after)),
        Err(webpki::Error::CertNotValidYet { not_before, .. }) => Validity::NotYet(at(not_before)),
        _ => Validity::Valid,
    }
}

/// When a certificate ends; none when it cannot be told.
pub fn end(certificate: &CertificateDer<'_>) -> Option<SystemTime> {
    // No certificate is good in the year 10000, which has no place in its dates (RFC 5280, section 4.1.2.5).
    const NEVER: Duration = Duration::from_secs(253_402_300_800);
    match validity(certificate, SystemTime::UNIX_EPOCH + NEVER) {
        Validity::Expired(at) => Some(at),
        Validity::Valid | Validity::NotYet(_) => None,
    }
}

/// The DNS names that a certificate is for; wildcards as they stand.
pub fn names(certificate: &CertificateDer<'_>) -> Vec<String> {
    EndEntityCert::try_from(certificate)
        .map(|parsed| parsed.valid_dns_names().map(str::to_owned).collect())
        .unwrap_or_default()
}

/// Whether a certificate is for a DNS name.
pub fn covers(certificate: &CertificateDer<'_>, name: &str) -> bool {
    let (Ok(parsed), Ok(name)) = (EndEntityCert::try_from(certificate), ServerName::try_from(name)) else {
        return false;
    };
    parsed.verify_is_valid_for_subject_name(&name).is_ok()
}

/// In words of our own: the library's repeat what they found, which may be a key.
fn of_pem(error: &PemError, nothing: CertificateError) -> CertificateError {
    match error {
        PemError::NoItemsFound => nothing,
        PemError::MissingSectionEnd { .. } => CertificateError::Pem("the PEM text is cut off: its END line is missing"),
        PemError::Base64Decode(_) => CertificateError::Pem("the PEM text is damaged: it is not base64"),
        _ => CertificateError::Pem("the text is not PEM"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tls::testing::Authority;

    #[test]
    fn a_certificate_and_its_key_are_read() {
        let pair = Authority::new("ca").issue(&["shop.example", "*.shop.example"]);
        let certified = certified_key(pair.certificate.as_bytes(), pair.key.as_bytes()).unwrap();
        assert_eq!(names(&certified.cert[0]), ["shop.example", "*.shop.example"]);
        assert_eq!(validity(&certified.cert[0], SystemTime::now()), Validity::Valid);
    }

    #[test]
    fn the_end_of_a_certificate_is_known_before_it_comes() {
        let (day, now) = (Duration::from_hours(24), SystemTime::now());
        let pair = Authority::new("ca").issue_for(&["shop.example"], now - day, now + 2 * day);
        let certified = certified_key(pair.certificate.as_bytes(), pair.key.as_bytes()).unwrap();
        let left = end(&certified.cert[0]).unwrap().duration_since(now).unwrap();
        assert!(left.abs_diff(2 * day) < Duration::from_secs(2), "{left:?}");
    }

    #[test]
    fn what_is_wrong_is_said_of_the_right_part() {
        let authority = Authority::new("ca");
        let (pair, other) = (authority.issue(&["a.example"]), authority.issue(&["a.example"]));
        let (certificate, key) = (pair.certificate.as_str(), pair.key.as_str());
        let garbled = certificate.replace("MII", "!!!");
        let cut = certificate.split("-----END").next().unwrap();
        let hollow = "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n";
        let table = [
            ("", key, CertificateError::NoCertificate, Part::Certificate),
            (key, key, CertificateError::NoCertificate, Part::Certificate),
            (certificate, "", CertificateError::NoKey, Part::Key),
            (certificate, certificate, CertificateError::NoKey, Part::Key),
            (certificate, &other.key, CertificateError::KeyMismatch, Part::Key),
            (hollow, key, CertificateError::Malformed, Part::Certificate),
        ];
        for (certificate, key, expected, part) in table {
            let error = certified_key(certificate.as_bytes(), key.as_bytes()).unwrap_err();
            assert_eq!((error.part(), &error), (part, &expected));
        }
        for broken in [garbled.as_str(), cut] {
            let error = certified_key(broken.as_bytes(), key.as_bytes()).unwrap_err();
            assert!(matches!(error, CertificateError::Pem(_)), "{error:?}");
        }
    }

    #[test]
    fn a_damaged_key_is_not_quoted() {
        let pair = Authority::new("ca").issue(&["a.example"]);
        let secret = pair.key.lines().nth(1).unwrap();
        for broken in [pair.key.replace("-----END", "----END"), pair.key.replace(secret, &format!("{secret}%"))] {
            let error = certified_key(pair.certificate.as_bytes(), broken.as_bytes()).unwrap_err();
            assert!(!format!("{error} {error:?}").contains(&secret[..8]), "{error}");
        }
    }

    #[test]
    fn times_are_told() {
        let authority = Authority::new("ca");
        let day = Duration::from_hours(24);
        let now = SystemTime::now();
        let of = |from, to| {
            let pair = authority.issue_for(&["a.example"], from, to);
            validity(&certificates(pair.certificate.as_bytes()).unwrap()[0], now)
        };
        assert_eq!(of(now - day, now + day), Validity::Valid);
        assert!(matches!(of(now - 2 * day, now - day), Validity::Expired(at) if at < now));
        assert!(matches!(of(now + day, now + 2 * day), Validity::NotYet(at) if at > now));
    }
}
