//! Whose document is whose: the host's own kinds, what filters claim, and what nobody does.

use super::super::filters::Component;
use super::super::policy::{FilterPolicy, POLICY_SCHEMA};
use crate::gateway;
use crate::manifest::schema::Schema;
use crate::manifest::{Diagnostics, Document, Severity, codes, endpoints};
use crate::overload;
use crate::wasm::manifest::ClaimedKind;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The group of the host's own kinds.
const OWN_GROUP: &str = "sluicegate.dev";

/// The `Filter` documents, by the name of the filter that they are for.
pub(super) fn policies(documents: &[Arc<Document>], diagnostics: &mut Diagnostics) -> BTreeMap<String, FilterPolicy> {
    let mine: Vec<_> = documents.iter().filter(|document| document.is(OWN_GROUP, "Filter")).collect();
    if mine.is_empty() {
        return BTreeMap::new();
    }
    let schema = serde_json::from_str(POLICY_SCHEMA).unwrap_or_default();
    let Some(schema) = compiled("Filter", &schema, diagnostics) else { return BTreeMap::new() };
    let fitting = mine.into_iter().filter(|document| schema.check(document, diagnostics)).cloned().collect::<Vec<_>>();
    fitting.iter().map(|document| (document.name.clone(), FilterPolicy::read(document, diagnostics))).collect()
}

/// The documents of a kind that filters may be given. Keys are none of their business.
pub(super) fn for_filters<'d>(documents: &'d [Arc<Document>], group: &str, kind: &str) -> Vec<&'d Arc<Document>> {
    let may = |document: &&Arc<Document>| document.is(group, kind) && !gateway::is_secret(document);
    documents.iter().filter(may).collect()
}

/// The second place of a filter that has one, while there are documents of its kinds.
pub(super) fn early(component: &Component, documents: &[Arc<Document>]) -> Option<i32> {
    let manifest = &component.code.manifest;
    let has_documents = |kind: &ClaimedKind| !for_filters(documents, &kind.group, &kind.kind).is_empty();
    manifest.early.filter(|_| manifest.kinds.iter().any(has_documents))
}

/// Warns of documents that neither the host nor a filter knows what to do with.
pub(super) fn report_unclaimed(documents: &[Arc<Document>], components: &[Component], diagnostics: &mut Diagnostics) {
    for document in documents {
        let claims = |component: &Component| {
            component.code.manifest.kinds.iter().any(|kind| document.is(&kind.group, &kind.kind))
        };
        let own = document.is(OWN_GROUP, "Filter")
            || endpoints::claims(document)
            || gateway::claims(document)
            || overload::document::KIND.is_of(document);
        if !own && !components.iter().any(claims) {
            let message = format!("nothing implements kind {} of {}", document.kind, document.api_version);
            let diagnostic = document.diagnostic(Severity::Warning, codes::UNCLAIMED, "/kind", message);
            diagnostics.push(diagnostic.help("add a filter that claims this kind, or remove the document"));
        }
    }
}

/// A schema that can be checked against; none, and a finding, when it is none itself.
pub(super) fn compiled(owner: &str, schema: &serde_json::Value, diagnostics: &mut Diagnostics) -> Option<Schema> {
    Schema::compile(owner, schema.clone()).map_err(|diagnostic| diagnostics.push(*diagnostic)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest;

    #[test]
    fn no_filter_is_given_a_secret() {
        let text = "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n";
        let path = std::path::Path::new("a.yaml");
        let documents = manifest::parse(path, text.as_bytes(), "default", &mut Diagnostics::new());
        let documents: Vec<_> = documents.into_iter().map(Arc::new).collect();
        assert_eq!(for_filters(&documents, "", "ConfigMap").len(), 1);
        assert!(for_filters(&documents, "", "Secret").is_empty());
    }
}
