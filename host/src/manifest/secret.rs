//! What `Secret` documents hold. No message shows any of it.

use super::document::Document;
use super::node;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// Whether a document is a Secret.
pub fn is(document: &Document) -> bool {
    document.is("", "Secret") && document.version == "v1"
}

/// A field's pointer, and its text decoded; `stringData` beats `data`, as it does in a cluster.
pub fn value(secret: &Document, name: &str) -> Option<(String, Result<Vec<u8>, base64::DecodeError>)> {
    let text = |field: &str| secret.value.get(field)?.get(name)?.as_str().filter(|text| !text.is_empty());
    let pointer = |field: &str| node::step(&format!("/{field}"), name);
    if let Some(plain) = text("stringData") {
        return Some((pointer("stringData"), Ok(plain.as_bytes().to_vec())));
    }
    let encoded: String = text("data")?.split_ascii_whitespace().collect();
    Some((pointer("data"), STANDARD.decode(encoded)))
}
