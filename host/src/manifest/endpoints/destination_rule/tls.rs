//! TLS to upstreams: what `tls` of a traffic policy comes to, with its files and Secrets.

use super::super::codes;
use super::resolve::Place;
use super::written::Tls;
use crate::manifest::secret;
use crate::tls::Part;
use crate::tls::client::{ClientError, ClientTerms, Identity};
use crate::upstream::policy::TlsSettings;
use std::path::Path;
use std::sync::Arc;

/// Where an operator writes it, the authorities of the system.
const SYSTEM: &str = "system";
/// The names of what a Secret holds, as Kubernetes and Istio have them.
const CERTIFICATE: [&str; 2] = ["tls.crt", "cert"];
const KEY: [&str; 2] = ["tls.key", "key"];
const AUTHORITIES: [&str; 2] = ["ca.crt", "cacert"];

/// The settings; none when TLS is off, or when something is wrong with them, which is then reported.
pub(super) fn resolve(written: &Tls, place: &mut Place<'_, '_>) -> Option<Arc<TlsSettings>> {
    match written.mode.as_deref().unwrap_or("DISABLE") {
        "DISABLE" => {
            report_plain(written, place);
            return None;
        }
        "ISTIO_MUTUAL" => {
            let message = "mode ISTIO_MUTUAL takes its certificates from a mesh, which this proxy is not part of";
            let help = "write `mode: MUTUAL` with a certificate of your own, or `mode: SIMPLE`";
            place.field("mode").error(codes::POLICY_UNSUPPORTED, message, help);
            return None;
        }
        mode => {
            if !fields_fit(written, mode == "MUTUAL", place) {
                return None;
            }
        }
    }
    let mutual = written.mode.as_deref() == Some("MUTUAL");
    let authorities = authorities(written, place);
    let own = if mutual { Some(identity(written, place)?) } else { None };
    let insecure = written.insecure_skip_verify == Some(true);
    if insecure {
        let help = "anyone who can answer at the endpoint's address is taken for it; name its authority instead";
        let message = "the server's certificate is not verified";
        place.field("insecureSkipVerify").warn(codes::TLS_UNVERIFIED, message, help);
    }
    let names = written.subject_alt_names.clone().unwrap_or_default();
    let terms = ClientTerms { names, authorities: authorities?, own, insecure, ..ClientTerms::default() };
    let server_name = written.sni.clone().filter(|name| !name.is_empty());
    TlsSettings::new(&terms, server_name).map(Arc::new).map_err(|error| report(&error, written, place)).ok()
}

/// Without TLS no other field has an effect. Where nobody has written that there is to be none, that is an error: whoever
/// names an authority would have their requests sent in plain text.
fn report_plain(written: &Tls, place: &mut Place<'_, '_>) {
    if !written.says_how() {
        return;
    }
    if written.mode.is_some() {
        let help = "write `mode: SIMPLE` to speak TLS, or remove the other fields";
        place.warn(codes::POLICY_WITHOUT_EFFECT, "the other fields of `tls` have no effect in mode DISABLE", help);
    } else {
        let help = "write `mode: SIMPLE`, or `mode: MUTUAL` to show a certificate";
        place.error(codes::POLICY_FIELDS, "without `mode` no TLS is spoken, and this says how", help);
    }
}

fn fields_fit(written: &Tls, mutual: bool, place: &mut Place<'_, '_>) -> bool {
    let files = written.client_certificate.is_some() || written.private_key.is_some();
    let secret = written.credential_name.is_some();
    let (message, help) = if mutual && secret && files {
        ("`credentialName` and files exclude each other", "keep one of them")
    } else if mutual && !secret && (written.client_certificate.is_none() || written.private_key.is_none()) {
        (
            "mode MUTUAL shows a certificate, and none is given",
            "write `clientCertificate` and `privateKey`, or `credentialName`",
        )
    } else if !mutual && files {
        ("a certificate is only shown in mode MUTUAL", "write `mode: MUTUAL`, or remove the files")
    } else {
        return true;
    };
    place.error(codes::POLICY_FIELDS, message, help);
    false
}

/// The text of authorities: from a file, or beside the certificate in its Secret. The inner none trusts the system's; the
/// outer one means that something is wrong.
#[allow(clippy::option_option, reason = "both mean something else, and it is read once")]
fn authorities(written: &Tls, place: &mut Place<'_, '_>) -> Option<Option<Vec<u8>>> {
    match (written.ca_certificates.as_deref(), &written.credential_name) {
        (Some(SYSTEM), _) => Some(None),
        (Some(path), _) if !path.is_empty() => place.field("caCertificates").file(path).map(Some),
        (_, Some(name)) => {
            let beside = format!("{name}-cacert");
            let mut place = place.field("credentialName");
            let found = place.secret(name, &AUTHORITIES).or_else(|| place.secret(&beside, &AUTHORITIES));
            let mutual = written.mode.as_deref() == Some("MUTUAL");
            match found {
                Some(text) => text.map(Some),
                None if mutual => Some(None),
                None => {
                    let message = format!("there is no Secret `{name}` with authorities in the rule's namespace");
                    place.error(codes::CERTIFICATE_MISSING, &message, "add one that has `ca.crt`");
                    None
                }
            }
        }
        _ => Some(None),
    }
}

fn identity(written: &Tls, place: &mut Place<'_, '_>) -> Option<Identity> {
    if let Some(name) = &written.credential_name {
        let mut place = place.field("credentialName");
        let (chain, key) = (place.secret(name, &CERTIFICATE), place.secret(name, &KEY));
        let (Some(chain), Some(key)) = (chain, key) else {
            let message = format!("there is no Secret `{name}` with a certificate and its key in the rule's namespace");
            place.error(codes::CERTIFICATE_MISSING, &message, "add one with `tls.crt` and `tls.key`");
            return None;
        };
        return Some(Identity { chain: chain?, key: key? });
    }
    let chain = place.field("clientCertificate").file(written.client_certificate.as_deref()?);
    let key = place.field("privateKey").file(written.private_key.as_deref()?);
    Some(Identity { chain: chain?, key: key? })
}

fn report(error: &ClientError, written: &Tls, place: &mut Place<'_, '_>) {
    let field = match error {
        ClientError::ServerName(_) => "sni",
        ClientError::Authorities(_) if written.ca_certificates.is_some() => "caCertificates",
        ClientError::Own(own) if written.credential_name.is_none() => match own.part() {
            Part::Certificate => "clientCertificate",
            Part::Key => "privateKey",
        },
        ClientError::Authorities(_) | ClientError::Own(_) => "credentialName",
        _ => "mode",
    };
    let help = "give PEM text of a certificate with its chain, of its key, and of the authorities to trust";
    place.field(field).error(codes::CERTIFICATE_INVALID, &error.to_string(), help);
}

impl Place<'_, '_> {
    /// A file named here; its path is relative to the document's. One that cannot be read is reported.
    fn file(&mut self, path: &str) -> Option<Vec<u8>> {
        let base = self.document.source.path.parent().unwrap_or(Path::new(""));
        let path = base.join(path);
        (self.scope.files)(&path)
            .map_err(|error| {
                let message = format!("the file {} cannot be read: {error}", path.display());
                self.error(codes::CERTIFICATE_MISSING, &message, "paths are relative to the document's file");
            })
            .ok()
    }

    /// The first of some fields of a Secret in the rule's namespace; none when there is none, and none in it when it is
    /// not base64, which is reported.
    #[allow(clippy::option_option, reason = "both mean something else, and it is read once")]
    fn secret(&mut self, name: &str, fields: &[&str]) -> Option<Option<Vec<u8>>> {
        let documents = self.scope.documents;
        let namespace = &self.document.namespace;
        let found = documents
            .iter()
            .find(|known| secret::is(known) && known.name == name && known.namespace == *namespace)
            .and_then(|found| fields.iter().find_map(|field| Some((*field, secret::value(found, field)?.1))));
        let (field, text) = found?;
        Some(text.ok().or_else(|| {
            let message = format!("`{field}` of Secret `{name}` is not base64");
            self.error(codes::CERTIFICATE_INVALID, &message, "write it under `stringData`, or encode it");
            None
        }))
    }
}
