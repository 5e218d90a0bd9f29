//! What is said about clients where nobody looks at it.

use super::{Reading, Tls};
use crate::gateway::scope::Scope;
use crate::manifest::codes;

impl Reading<'_, '_> {
    /// Warns of what is said about clients in a mode that asks them for nothing: who wrote it believes that they are checked.
    pub(super) fn report_ignored(&self, tls: &Tls, scope: &mut Scope<'_>) {
        let given = [
            ("caCertificates", tls.ca_certificates.is_some()),
            ("caCrl", tls.ca_crl.is_some()),
            ("caCertCredentialName", tls.ca_cert_credential_name.is_some()),
            ("subjectAltNames", tls.subject_alt_names.is_some()),
            ("verifyCertificateSpki", tls.verify_certificate_spki.is_some()),
            ("verifyCertificateHash", tls.verify_certificate_hash.is_some()),
        ];
        for (field, _) in given.into_iter().filter(|(_, given)| *given) {
            let message = format!("`{field}` has no effect: in mode SIMPLE clients are asked for no certificate");
            let help = format!("write `mode: MUTUAL` or `mode: OPTIONAL_MUTUAL`, or remove `{field}`");
            let at = self.pointer(&format!("tls/{field}"));
            scope.warn(self.document, codes::GATEWAY_WITHOUT_EFFECT, &at, message, Some(&help));
        }
    }
}
