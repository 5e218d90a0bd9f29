//! `Secret` documents: certificates, keys and authorities under the names that Kubernetes and Istio give them.
//!
//! No message shows what they hold.

use super::SECRET;
use super::material::{Pair, Text};
use super::scope::{HostSchema, Scope, compile};
use crate::manifest::secret::value;
use crate::manifest::{Document, Location, codes, nearest, node};
use serde_json::Value;
use std::sync::LazyLock;

/// The certificate with its chain.
const CERTIFICATE: [&str; 2] = ["tls.crt", "cert"];
/// Its key.
const KEY: [&str; 2] = ["tls.key", "key"];
/// Authorities for clients.
const AUTHORITIES: [&str; 2] = ["ca.crt", "cacert"];

static SCHEMA: HostSchema = LazyLock::new(|| compile("Secret", include_str!("secret.schema.json")));

/// A place that names a Secret.
pub(super) struct Reference<'d> {
    pub(super) document: &'d Document,
    pub(super) pointer: String,
    pub(super) namespace: String,
    pub(super) name: String,
}

/// Reports what is wrong with the shape of any Secret.
pub(super) fn check(scope: &mut Scope<'_>) {
    let documents = scope.documents;
    for document in documents.iter().filter(|document| SECRET.is_of(document)) {
        match &*SCHEMA {
            Ok(schema) => drop(schema.check(document, scope.diagnostics)),
            Err(error) => scope.diagnostics.push(crate::manifest::Diagnostic::clone(error)),
        }
        for field in ["data", "stringData"] {
            check_texts(document, field, scope);
        }
    }
}

fn check_texts(document: &Document, field: &str, scope: &mut Scope<'_>) {
    let pointer = format!("/{field}");
    match document.value.get(field) {
        None | Some(Value::Null) => {}
        Some(Value::Object(texts)) => {
            for (name, text) in texts {
                if !text.is_string() && !text.is_null() {
                    let at = node::step(&pointer, name);
                    scope.error(document, codes::WRONG_TYPE, &at, format!("expected a string in `{name}`"), None);
                }
            }
        }
        Some(_) => scope.error(document, codes::WRONG_TYPE, &pointer, format!("expected a mapping in `{field}`"), None),
    }
}

/// The certificate and key of a Secret.
pub(super) fn pair(reference: &Reference<'_>, scope: &mut Scope<'_>) -> Option<Pair> {
    let secret = find(reference, scope)?;
    let chain = required(secret, &CERTIFICATE, reference, scope);
    let key = required(secret, &KEY, reference, scope);
    Some(Pair { chain: chain?, key: key? })
}

/// The authorities in a Secret.
pub(super) fn authorities(reference: &Reference<'_>, scope: &mut Scope<'_>) -> Option<Text> {
    let secret = find(reference, scope)?;
    required(secret, &AUTHORITIES, reference, scope)
}

/// The authorities that come with a certificate: in its own Secret, or in the one named after it.
pub(super) fn authorities_beside(reference: &Reference<'_>, scope: &mut Scope<'_>) -> Option<Text> {
    let named = |name: &str| {
        let documents = scope.documents;
        documents.iter().find(|document| is(document, &reference.namespace, name)).map(|document| &**document)
    };
    let beside = named(&format!("{}-cacert", reference.name));
    let own = named(&reference.name).filter(|secret| AUTHORITIES.iter().any(|name| value(secret, name).is_some()));
    let Some(secret) = beside.or(own) else {
        let message = format!("clients have to show a certificate, but Secret {} has no authorities", reference.name);
        let help = format!("add `ca.crt` to it, or a Secret `{}-cacert` that has one", reference.name);
        scope.error(reference.document, codes::CERTIFICATE_MISSING, &reference.pointer, message, Some(&help));
        return None;
    };
    required(secret, &AUTHORITIES, reference, scope)
}

fn is(document: &Document, namespace: &str, name: &str) -> bool {
    SECRET.is_of(document) && document.namespace == namespace && document.name == name
}

fn find<'a>(reference: &Reference<'_>, scope: &mut Scope<'a>) -> Option<&'a Document> {
    let Reference { document, pointer, namespace, name } = reference;
    let documents = scope.documents;
    if let Some(found) = documents.iter().find(|document| is(document, namespace, name)) {
        return Some(found);
    }
    let others = documents.iter().filter(|document| SECRET.is_of(document) && document.namespace == *namespace);
    let help = match nearest(name, others.map(|document| document.name.as_str())) {
        Some(close) => format!("did you mean `{close}`?"),
        None => "add one of type kubernetes.io/tls, with `tls.crt` and `tls.key`".to_owned(),
    };
    let message = format!("there is no Secret `{name}` in namespace `{namespace}`");
    scope.error(document, codes::CERTIFICATE_MISSING, pointer, message, Some(&help));
    None
}

/// The first of some fields that there is; it is an error when there is none, or when it is not base64.
fn required(secret: &Document, names: &[&str], reference: &Reference<'_>, scope: &mut Scope<'_>) -> Option<Text> {
    let Some((name, found)) = names.iter().find_map(|name| Some((*name, value(secret, name)?))) else {
        let field = names.first().copied().unwrap_or_default();
        let message = format!("the Secret has no `{field}`");
        let diagnostic =
            secret.diagnostic(crate::manifest::Severity::Error, codes::CERTIFICATE_MISSING, "/data", message);
        let user = reference.document.location_of(&reference.pointer);
        scope.diagnostics.push(diagnostic.related("it is used here", Some(user)));
        return None;
    };
    let (pointer, text) = found;
    let place: Location = Location::new(&secret.source, secret.key_span_of(&pointer));
    let Ok(bytes) = text else {
        let message = format!("`{name}` is not base64");
        let help = "write it under `stringData` as it is, or encode it, for example with `base64 -w0`";
        scope.error(secret, codes::CERTIFICATE_INVALID, &pointer, message, Some(help));
        return None;
    };
    let user = Some(reference.document.location_of(&reference.pointer));
    Some(Text { bytes, what: format!("`{name}` of {}", secret.label()), place, user })
}
