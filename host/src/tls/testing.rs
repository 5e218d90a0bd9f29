//! Certificates for unit tests.

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CertifiedIssuer, ExtendedKeyUsagePurpose,
    IsCa, KeyIdMethod, KeyPair, RevokedCertParams, SanType, SerialNumber,
};
use std::time::{Duration, SystemTime};

/// A certificate and its key, as PEM.
pub(crate) struct Pair {
    pub(crate) certificate: String,
    pub(crate) key: String,
}

/// Issues certificates.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        let mut parameters = CertificateParams::new(Vec::new()).unwrap();
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        parameters.distinguished_name.push(rcgen::DnType::CommonName, name);
        Self(CertifiedIssuer::self_signed(parameters, KeyPair::generate().unwrap()).unwrap())
    }

    /// Its own certificate, as PEM.
    pub(crate) fn certificate(&self) -> String {
        self.0.pem()
    }

    /// A certificate for these names, of servers and of clients; those with a scheme are URIs.
    pub(crate) fn issue(&self, names: &[&str]) -> Pair {
        self.sign(&Self::parameters(names))
    }

    /// The same, for a time.
    pub(crate) fn issue_for(&self, names: &[&str], from: SystemTime, to: SystemTime) -> Pair {
        let mut parameters = Self::parameters(names);
        parameters.not_before = from.into();
        parameters.not_after = to.into();
        self.sign(&parameters)
    }

    /// A list, as PEM, that revokes a certificate.
    pub(crate) fn revoke(&self, pair: &Pair) -> String {
        let certificates = crate::tls::certificate::certificates(pair.certificate.as_bytes()).unwrap();
        let parsed = webpki::EndEntityCert::try_from(&certificates[0]).unwrap();
        let now = SystemTime::now();
        let revoked = RevokedCertParams {
            serial_number: SerialNumber::from_slice(parsed.serial()),
            revocation_time: now.into(),
            reason_code: None,
            invalidity_date: None,
        };
        let parameters = CertificateRevocationListParams {
            this_update: (now - Duration::from_hours(1)).into(),
            next_update: (now + Duration::from_hours(1)).into(),
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: vec![revoked],
            key_identifier_method: KeyIdMethod::Sha256,
        };
        parameters.signed_by(&self.0).unwrap().pem().unwrap()
    }

    fn parameters(names: &[&str]) -> CertificateParams {
        let mut parameters = CertificateParams::new(Vec::new()).unwrap();
        let name = |name: &&str| match name.parse() {
            Ok(address) => SanType::IpAddress(address),
            Err(_) if name.contains("://") => SanType::URI((*name).try_into().unwrap()),
            Err(_) => SanType::DnsName((*name).try_into().unwrap()),
        };
        parameters.subject_alt_names = names.iter().map(name).collect();
        parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        parameters
    }

    fn sign(&self, parameters: &CertificateParams) -> Pair {
        let key = KeyPair::generate().unwrap();
        let certificate = parameters.signed_by(&key, &self.0).unwrap().pem();
        Pair { certificate, key: key.serialize_pem() }
    }
}
