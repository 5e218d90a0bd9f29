//! Reads the header that every document has: apiVersion, kind, metadata.name and metadata.namespace.

use super::codes;
use super::diagnostic::{Diagnostic, Diagnostics};
use super::document::Document;
use super::node::{Content, Entry, Node};
use super::source::{Source, Span};
use std::sync::Arc;

/// RFC 1123, section 2.1, and what Kubernetes makes of it: a label of a name.
const LABEL_LENGTH: usize = 63;
/// A whole name.
const NAME_LENGTH: usize = 253;

/// Turns the documents of a file, lists flattened, into documents with a header. Those without one are reported.
pub(super) fn read(
    source: &Arc<Source>,
    nodes: Vec<Node>,
    default_namespace: &str,
    diagnostics: &mut Diagnostics,
) -> Vec<Document> {
    let mut items = Vec::new();
    for node in nodes {
        flatten(node, &mut items);
    }
    let mut documents = Vec::new();
    for node in items {
        let mut reader = Reader { source, diagnostics };
        documents.extend(reader.document(node, documents.len(), default_namespace));
    }
    documents
}

/// Takes the items out of a list of documents (`kind: List`, or a typed one such as `ServiceList`).
fn flatten(node: Node, documents: &mut Vec<Node>) {
    let list = node.field("kind").and_then(Node::as_str).is_some_and(|kind| kind.ends_with("List"));
    let mut node = node;
    let items = match &mut node.content {
        Content::Mapping(entries) if list => entries.iter_mut().find(|entry| entry.key == "items"),
        _ => None,
    };
    match items {
        Some(Entry { value: Node { content: Content::Sequence(items), .. }, .. }) => {
            for item in std::mem::take(items) {
                flatten(item, documents);
            }
        }
        _ => documents.push(node),
    }
}

struct Reader<'a> {
    source: &'a Arc<Source>,
    diagnostics: &'a mut Diagnostics,
}

impl Reader<'_> {
    fn document(&mut self, root: Node, index: usize, default_namespace: &str) -> Option<Document> {
        let Content::Mapping(entries) = &root.content else {
            let message = "a document has to be a mapping with `apiVersion`, `kind` and `metadata`";
            self.error(codes::NOT_A_MANIFEST, root.span, message, "keep files that are no manifests elsewhere");
            return None;
        };
        if ["apiVersion", "kind", "metadata"].iter().all(|key| root.field(key).is_none()) {
            let message = "the document has neither `apiVersion` nor `kind` nor `metadata`, so it is no manifest";
            let first = entries.first().map_or(root.span, |entry| entry.key_span);
            self.error(codes::NOT_A_MANIFEST, first, message, "keep files that are no manifests elsewhere");
            return None;
        }
        // All three are looked at before giving up, so that all that is missing is reported at once.
        let api_version = self.api_version(&root);
        let kind = self.kind(&root);
        let name = self.name(&root);
        let namespace = self.namespace(&root, default_namespace);
        let (api_version, kind, name) = (api_version?, kind?, name?);
        let (group, version) = api_version.split_once('/').unwrap_or(("", &api_version));
        Some(Document {
            source: Arc::clone(self.source),
            index,
            group: group.into(),
            version: version.into(),
            api_version: api_version.clone(),
            kind,
            namespace,
            name,
            value: root.to_value(),
            root,
        })
    }

    fn api_version(&mut self, root: &Node) -> Option<String> {
        let help = "write `apiVersion: VERSION` or `apiVersion: GROUP/VERSION`, such as `networking.istio.io/v1`";
        let (value, span) = self.text(root, "apiVersion", codes::API_VERSION, help)?;
        let (group, version) =
            value.split_once('/').map_or((None, value.as_str()), |(group, rest)| (Some(group), rest));
        let valid = group.is_none_or(is_name)
            && version.starts_with('v')
            && version.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
        if !valid {
            self.error(codes::API_VERSION, span, format!("`{value}` is not a valid apiVersion"), help);
            return None;
        }
        Some(value)
    }

    fn kind(&mut self, root: &Node) -> Option<String> {
        let help = "write `kind: KIND`, such as `kind: VirtualService`";
        let (value, span) = self.text(root, "kind", codes::KIND, help)?;
        let valid = value.starts_with(|first: char| first.is_ascii_uppercase())
            && value.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if !valid {
            let message =
                format!("`{value}` is not a valid kind: it starts with a capital and has letters and digits only");
            self.error(codes::KIND, span, message, help);
            return None;
        }
        Some(value)
    }

    fn name(&mut self, root: &Node) -> Option<String> {
        let help = "write `metadata:` and below it, indented, `name: NAME`";
        let Some(metadata) = root.entry("metadata") else {
            self.missing(root, root.span, "metadata", codes::NAME_MISSING, help);
            return None;
        };
        if !matches!(metadata.value.content, Content::Mapping(_)) {
            let message = "`metadata` has to be a mapping with a `name`";
            self.error(codes::NAME_MISSING, metadata.key_span, message, help);
            return None;
        }
        let Some(name) = metadata.value.entry("name") else {
            self.missing(&metadata.value, metadata.key_span, "name", codes::NAME_MISSING, help);
            return None;
        };
        let valid = name.value.as_str().filter(|name| is_name(name));
        if let Some(name) = valid {
            return Some(name.into());
        }
        let message = format!("{} is not a valid name", shown(&name.value, self.source));
        self.error(codes::NAME_INVALID, place(name), message, NAME_RULE);
        None
    }

    fn namespace(&mut self, root: &Node, default_namespace: &str) -> String {
        let entry = root.field("metadata").and_then(|metadata| metadata.entry("namespace"));
        let Some(entry) = entry.filter(|entry| !entry.value.is_null()) else { return default_namespace.into() };
        if let Some(namespace) = entry.value.as_str().filter(|namespace| is_label(namespace)) {
            return namespace.into();
        }
        let message = format!("{} is not a valid namespace", shown(&entry.value, self.source));
        let help = "lower case letters, digits and dashes, starting and ending with a letter or digit, at most 63";
        self.error(codes::NAME_INVALID, place(entry), message, help);
        default_namespace.into()
    }

    /// A text at the top level, with its place.
    fn text(&mut self, root: &Node, key: &str, code: &str, help: &str) -> Option<(String, Span)> {
        let Some(entry) = root.entry(key) else {
            self.missing(root, root.span, key, code, help);
            return None;
        };
        match entry.value.as_str() {
            Some(text) if !text.is_empty() => Some((text.into(), entry.value.span)),
            _ => {
                self.error(code, place(entry), format!("`{key}` has to be a text that is not empty"), help);
                None
            }
        }
    }

    fn missing(&mut self, parent: &Node, span: Span, key: &str, code: &str, help: &str) {
        let Content::Mapping(entries) = &parent.content else { return };
        let close = super::nearest(key, entries.iter().map(|entry| entry.key.as_str()));
        let close = close.and_then(|close| parent.entry(close));
        match close {
            Some(close) => {
                let message = format!("`{key}` is missing; `{}` is not it", close.key);
                self.error(code, close.key_span, message, &format!("did you mean `{key}`?"));
            }
            None => self.error(code, span, format!("`{key}` is missing"), help),
        }
    }

    fn error(&mut self, code: &str, span: Span, message: impl Into<String>, help: &str) {
        self.diagnostics.push(Diagnostic::error(code, message).in_source(self.source, span).help(help));
    }
}

const NAME_RULE: &str = "lower case letters, digits, dashes and dots, each part starting and ending with a letter or digit, at most 63 a part";

fn place(entry: &Entry) -> Span {
    super::node::Found { node: &entry.value, key: Some(entry.key_span), complete: true }.place()
}

fn shown(node: &Node, source: &Source) -> String {
    match node.as_str() {
        Some(text) => format!("`{text}`"),
        None if matches!(node.content, Content::Scalar(_)) => match source.slice(node.span) {
            "" => "an empty value".into(),
            text => format!("`{text}` (not quoted, so not a text)"),
        },
        None => "a list or mapping".into(),
    }
}

/// A DNS label as RFC 1123 has it.
pub(super) fn is_label(text: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=LABEL_LENGTH).contains(&text.len())
        && text.bytes().all(inner)
        && !text.starts_with('-')
        && !text.ends_with('-')
}

/// A DNS name as RFC 1123 has it, in lower case.
pub(super) fn is_name(text: &str) -> bool {
    text.len() <= NAME_LENGTH && text.split('.').all(is_label)
}
