//! What filters are given of documents, kept from one load to the next.
//!
//! A document that no change has touched is the same allocation as before, and so is what was made of it: it is not checked
//! again, not written as JSON again, and a filter sees by the pointer alone that it knows it already.

use crate::manifest::schema::Schema;
use crate::manifest::{Diagnostics, Document};
use crate::wasm::engine::ContentHash;
use crate::wasm::manifest::ClaimedKind;
use crate::wasm::types::ResourceDocument;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// Everything that is known of documents.
#[derive(Debug, Default)]
pub(super) struct Offers {
    /// By the document's place in memory, which the offer keeps from being used again.
    by_document: HashMap<usize, Offer>,
    /// By the component that they come from, and by kind.
    schemas: HashMap<(ContentHash, String, String), Arc<Checked>>,
    /// Counts the schemas.
    last_schema: u32,
}

#[derive(Debug)]
struct Offer {
    document: Arc<Document>,
    given: Arc<ResourceDocument>,
    /// The schemas that it fits.
    fits: Vec<u32>,
}

/// A schema and its number.
#[derive(Debug)]
pub(super) struct Checked {
    number: u32,
    schema: Schema,
}

impl Offers {
    /// The schema of a kind; none, and a diagnostic, where it is not one.
    pub(super) fn schema(
        &mut self,
        (owner, hash): (&str, ContentHash),
        kind: &ClaimedKind,
        diagnostics: &mut Diagnostics,
    ) -> Option<Arc<Checked>> {
        let key = (hash, kind.group.clone(), kind.kind.clone());
        if let Some(known) = self.schemas.get(&key) {
            return Some(Arc::clone(known));
        }
        let schema =
            Schema::compile(owner, kind.schema.clone()).map_err(|diagnostic| diagnostics.push(*diagnostic)).ok()?;
        self.last_schema += 1;
        let checked = Arc::new(Checked { number: self.last_schema, schema });
        self.schemas.insert(key, Arc::clone(&checked));
        Some(checked)
    }

    /// Makes offers of documents. One whose file has changed but which has not, place included, is offered as before.
    pub(super) fn add<'d>(&mut self, documents: impl Iterator<Item = &'d Arc<Document>>) {
        let new: Vec<_> = documents.filter(|document| !self.by_document.contains_key(&address(document))).collect();
        if new.is_empty() {
            return;
        }
        let known = self.by_document.values().map(|offer| (key(&offer.document), (&offer.given, &offer.fits)));
        let known: HashMap<_, _> = known.collect();
        let offers = new.into_iter().map(|document| {
            let given = resource(document);
            let before = known.get(&key(document)).filter(|(before, _)| ***before == given);
            let (given, fits) = match before {
                Some((before, fits)) => (Arc::clone(before), (*fits).clone()),
                None => (Arc::new(given), Vec::new()),
            };
            Offer { document: Arc::clone(document), given, fits }
        });
        let offers: Vec<Offer> = offers.collect();
        self.by_document.extend(offers.into_iter().map(|offer| (address(&offer.document), offer)));
    }

    /// What filters are given of a document.
    pub(super) fn given(&self, document: &Arc<Document>) -> Option<Arc<ResourceDocument>> {
        self.by_document.get(&address(document)).map(|offer| Arc::clone(&offer.given))
    }

    /// Whether a document fits a schema.
    pub(super) fn fits(&mut self, document: &Arc<Document>, checked: &Checked, diagnostics: &mut Diagnostics) -> bool {
        let Some(offer) = self.by_document.get_mut(&address(document)) else {
            return checked.schema.check(document, diagnostics);
        };
        let fits = offer.fits.contains(&checked.number) || checked.schema.check(document, diagnostics);
        if fits && !offer.fits.contains(&checked.number) {
            offer.fits.push(checked.number);
        }
        fits
    }

    /// Forgets everything but these documents and the schemas of these components.
    pub(super) fn keep<'d>(
        &mut self,
        documents: impl Iterator<Item = &'d Arc<Document>>,
        components: &HashSet<ContentHash>,
    ) {
        let kept: HashSet<usize> = documents.map(address).collect();
        self.by_document.retain(|document, _| kept.contains(document));
        self.schemas.retain(|(hash, _, _), _| components.contains(hash));
    }
}

/// A name for a document, as long as it lives.
fn address(document: &Arc<Document>) -> usize {
    Arc::as_ptr(document).addr()
}

fn key(document: &Document) -> (&str, &str, &str, &str) {
    (&document.group, &document.kind, &document.namespace, &document.name)
}

fn resource(document: &Document) -> ResourceDocument {
    ResourceDocument {
        api_version: document.api_version.clone(),
        kind: document.kind.clone(),
        namespace: document.namespace.clone(),
        name: document.name.clone(),
        origin: document.origin(),
        json: document.value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest;
    use serde_json::json;
    use std::path::Path;

    fn documents(text: &str) -> Vec<Arc<Document>> {
        let parsed = manifest::parse(Path::new("a.yaml"), text.as_bytes(), "default", &mut Diagnostics::new());
        parsed.into_iter().map(Arc::new).collect()
    }

    fn shop(name: &str, spec: &str) -> String {
        format!("---\napiVersion: shop.example/v1\nkind: Shop\nmetadata: {{name: {name}}}\nspec: {spec}\n")
    }

    fn offered(offers: &mut Offers, documents: &[Arc<Document>]) -> Vec<Arc<ResourceDocument>> {
        offers.add(documents.iter());
        documents.iter().map(|document| offers.given(document).unwrap()).collect()
    }

    #[test]
    fn a_document_beside_the_one_that_has_changed_in_its_file_is_offered_as_before() {
        let mut offers = Offers::default();
        let before = offered(&mut offers, &documents(&(shop("a", "1") + &shop("b", "2"))));
        let after = offered(&mut offers, &documents(&(shop("a", "1") + &shop("b", "3"))));
        assert!(Arc::ptr_eq(&before[0], &after[0]));
        assert!(!Arc::ptr_eq(&before[1], &after[1]));
        // One that has moved is another, as messages name its place.
        let moved = offered(&mut offers, &documents(&("\n".to_owned() + &shop("a", "1"))));
        assert!(!Arc::ptr_eq(&before[0], &moved[0]));
    }

    #[test]
    fn a_document_is_checked_once_for_each_schema() {
        let mut offers = Offers::default();
        let kind =
            ClaimedKind { group: "shop.example".into(), kind: "Shop".into(), schema: json!({"required": ["spec"]}) };
        let strict = ClaimedKind { schema: json!({"properties": {"spec": {"type": "string"}}}), ..kind.clone() };
        let documents = documents(&shop("a", "1"));
        offers.add(documents.iter());
        let mut fits = |hash: u8, kind: &ClaimedKind| {
            let mut diagnostics = Diagnostics::new();
            let checked = offers.schema(("shop", ContentHash([hash; 32])), kind, &mut diagnostics).unwrap();
            (offers.fits(&documents[0], &checked, &mut diagnostics), diagnostics.len())
        };
        assert_eq!(fits(1, &kind), (true, 0));
        assert_eq!(fits(2, &strict), (false, 1));
        // What does not fit is said each time, as nothing of it may go into force.
        assert_eq!(fits(2, &strict), (false, 1));
        assert_eq!(fits(1, &kind), (true, 0));
        assert_eq!(offers.by_document[&address(&documents[0])].fits, [1]);
    }
}
