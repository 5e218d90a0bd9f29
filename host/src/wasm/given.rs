//! Which documents an instance has been given, and what it lacks of others.

use super::bindings::sluicegate::filter::types::ResourceDocument;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// The documents that a filter is configured with, in order. A document that stays the same stays the same allocation, so
/// that two lists are compared by pointers alone.
pub type Documents = Arc<[Arc<ResourceDocument>]>;

/// Documents of an instance by the numbers that the contract gives them.
#[derive(Debug, Default)]
pub(super) struct Given {
    by_number: BTreeMap<u32, Arc<ResourceDocument>>,
    next: u32,
}

/// Where each document of a list stands.
#[derive(Debug)]
pub(super) struct Places<'a> {
    documents: &'a [Arc<ResourceDocument>],
    by_pointer: HashMap<*const ResourceDocument, usize>,
}

/// What an instance has to be told to get to another list.
#[derive(Debug)]
pub(super) struct Difference<'a> {
    /// Numbers of documents that are no more.
    pub(super) removed: Vec<u32>,
    /// The number of the first that is added.
    pub(super) first: u32,
    /// In the order of the list.
    pub(super) added: Vec<&'a Arc<ResourceDocument>>,
}

impl<'a> Places<'a> {
    pub(super) fn new(documents: &'a [Arc<ResourceDocument>]) -> Self {
        let by_pointer = documents.iter().enumerate().map(|(place, document)| (Arc::as_ptr(document), place));
        Self { documents, by_pointer: by_pointer.collect() }
    }

    /// Where a document stands.
    pub(super) fn of(&self, document: &Arc<ResourceDocument>) -> Option<u32> {
        u32::try_from(*self.by_pointer.get(&Arc::as_ptr(document))?).ok()
    }
}

impl Given {
    /// All documents of a list, numbered in its order.
    pub(super) fn all(documents: &[Arc<ResourceDocument>]) -> Self {
        let by_number: BTreeMap<u32, _> = (0..).zip(documents.iter().cloned()).collect();
        let next = by_number.last_key_value().map_or(0, |(last, _)| last.saturating_add(1));
        Self { by_number, next }
    }

    /// What is different in another list; none where numbers have run out.
    pub(super) fn difference<'a>(&self, places: &Places<'a>) -> Option<Difference<'a>> {
        let mut known = vec![false; places.documents.len()];
        let mut removed = Vec::new();
        for (number, document) in &self.by_number {
            let place = places.by_pointer.get(&Arc::as_ptr(document));
            match place.and_then(|place| known.get_mut(*place)) {
                Some(known) => *known = true,
                None => removed.push(*number),
            }
        }
        let added = places.documents.iter().zip(known).filter(|(_, known)| !known);
        let added: Vec<_> = added.map(|(document, _)| document).collect();
        self.next.checked_add(u32::try_from(added.len()).ok()?)?;
        Some(Difference { removed, first: self.next, added })
    }

    /// The document that a diagnostic about a difference means.
    pub(super) fn named<'a>(
        &'a self,
        number: u32,
        difference: &'a Difference<'_>,
    ) -> Option<&'a Arc<ResourceDocument>> {
        let added = number.checked_sub(difference.first).and_then(|place| usize::try_from(place).ok());
        match added {
            Some(place) => difference.added.get(place).copied(),
            None => self.by_number.get(&number),
        }
    }

    /// Notes that the instance has taken a difference.
    pub(super) fn take(&mut self, difference: &Difference<'_>) {
        for number in &difference.removed {
            self.by_number.remove(number);
        }
        for document in &difference.added {
            self.by_number.insert(self.next, Arc::clone(document));
            self.next = self.next.saturating_add(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(name: &str) -> Arc<ResourceDocument> {
        Arc::new(ResourceDocument {
            api_version: "shop.example/v1".into(),
            kind: "Shop".into(),
            namespace: "default".into(),
            name: name.into(),
            origin: "test.yaml:1".into(),
            json: "{}".into(),
        })
    }

    fn told(given: &Given, documents: &[Arc<ResourceDocument>]) -> (Vec<u32>, u32, Vec<String>) {
        let places = Places::new(documents);
        let Difference { removed, first, added } = given.difference(&places).unwrap();
        (removed, first, added.into_iter().map(|document| document.name.clone()).collect())
    }

    #[test]
    fn what_is_told_is_what_has_changed() {
        let [a, b, c] = ["a", "b", "c"].map(document);
        let mut given = Given::all(&[Arc::clone(&a), b, Arc::clone(&c)]);
        let next = [document("b"), Arc::clone(&c), Arc::clone(&a)];
        assert_eq!(told(&given, &next), (vec![1], 3, vec!["b".to_owned()]));
        given.take(&given.difference(&Places::new(&next)).unwrap());
        assert_eq!(told(&given, &next), (vec![], 4, vec![]));
        assert_eq!(told(&given, &next[..1]), (vec![0, 2], 4, vec![]));
    }

    #[test]
    fn a_diagnostic_may_mean_a_new_document_or_an_old_one() {
        let [a, b] = ["a", "b"].map(document);
        let given = Given::all(&[Arc::clone(&a)]);
        let next = [b, a];
        let places = Places::new(&next);
        let difference = given.difference(&places).unwrap();
        let place = |number| given.named(number, &difference).and_then(|document| places.of(document));
        assert_eq!([place(0), place(1), place(2)], [Some(1), Some(0), None]);
    }

    #[test]
    fn numbers_never_run_over() {
        let given = Given { by_number: BTreeMap::new(), next: u32::MAX };
        let next = [document("a")];
        assert!(given.difference(&Places::new(&next)).is_none());
    }
}
