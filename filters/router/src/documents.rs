//! All documents, found by number, by age and by host.

use crate::document::Document;
use crate::host;
use sluicegate_sdk::ResourceId;
use std::cmp::Ordering;
use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;

/// A document that is ordered by its age, the oldest first.
#[derive(Debug, Clone)]
pub struct Aged(pub Rc<Document>);

impl Ord for Aged {
    fn cmp(&self, other: &Self) -> Ordering {
        by_age(&self.0, &other.0)
    }
}

impl PartialOrd for Aged {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Aged {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Aged {}

/// All documents. What is asked about a host looks at the documents that have it and not at all of them.
#[derive(Debug, Default)]
#[expect(clippy::struct_field_names, reason = "three indexes of the same documents, told apart by their keys")]
pub struct Documents {
    by_age: BTreeSet<Aged>,
    by_number: HashMap<ResourceId, Rc<Document>>,
    /// The oldest first.
    by_host: HashMap<String, Vec<Rc<Document>>>,
}

impl Documents {
    /// Adds a document.
    pub fn insert(&mut self, document: Document) -> Rc<Document> {
        let document = Rc::new(document);
        for (_, name) in &document.hosts {
            let known = self.by_host.entry(name.clone()).or_insert_with(|| Vec::with_capacity(1));
            if let Err(place) = known.binary_search_by(|other| by_age(other, &document)) {
                known.insert(place, Rc::clone(&document));
            }
        }
        self.by_number.insert(document.resource, Rc::clone(&document));
        self.by_age.insert(Aged(Rc::clone(&document)));
        document
    }

    /// Takes a document out.
    pub fn remove(&mut self, number: ResourceId) -> Option<Rc<Document>> {
        let document = self.by_number.remove(&number)?;
        for (_, name) in &document.hosts {
            let Some(known) = self.by_host.get_mut(name) else { continue };
            known.retain(|other| other.resource != number);
            if known.is_empty() {
                self.by_host.remove(name);
            }
        }
        self.by_age.remove(&Aged(Rc::clone(&document)));
        Some(document)
    }

    /// The document with a number.
    pub fn get(&self, number: ResourceId) -> Option<&Rc<Document>> {
        self.by_number.get(&number)
    }

    /// All documents, the oldest first.
    pub fn iter(&self) -> impl Iterator<Item = &Rc<Document>> {
        self.by_age.iter().map(|Aged(document)| document)
    }

    /// All hosts that documents have, in no certain order.
    pub fn hosts(&self) -> impl Iterator<Item = &String> {
        self.by_host.keys()
    }

    /// The documents that have a host by just this name, the oldest first.
    pub fn of_host(&self, name: &str) -> &[Rc<Document>] {
        self.by_host.get(name).map_or(&[], Vec::as_slice)
    }

    /// The documents that have a host or a wildcard that covers it, the oldest first.
    pub fn covering(&self, name: &str) -> Vec<Rc<Document>> {
        let mut found: Vec<Rc<Document>> = host::covering(name).flat_map(|wide| self.of_host(&wide).to_vec()).collect();
        found.sort_by(|one, other| by_age(one, other));
        found.dedup_by_key(|document| document.resource);
        found
    }
}

fn by_age(one: &Document, other: &Document) -> Ordering {
    // No two documents of a kind share a name; the number only makes sure that nothing is lost if they do.
    one.age().cmp(&other.age()).then_with(|| one.resource.cmp(&other.resource))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::{Age, Kind};
    use sluicegate_sdk::testing::resource;
    use std::cell::Cell;

    fn document(number: u32, name: &str, hosts: &[&str]) -> Document {
        Document {
            kind: Kind::VirtualService,
            name: format!("default/{name}"),
            namespace: "default".to_owned(),
            origin: String::new(),
            resource: ResourceId(number),
            hosts: (0..).zip(hosts.iter().map(|&host| host.to_owned())).collect(),
            gateways: Vec::new(),
            rules: Vec::new(),
            tls: Vec::new(),
            parents: Vec::new(),
            on_mesh: Cell::new(false),
            age: Age::of(&resource(number, r#"{"kind": "VirtualService", "metadata": {"name": "a"}}"#)),
            linked: false,
        }
    }

    fn names<'a>(documents: impl IntoIterator<Item = &'a Rc<Document>>) -> Vec<&'a str> {
        documents.into_iter().map(|document| document.name.as_str()).collect()
    }

    #[test]
    fn documents_of_a_host_come_by_age_whenever_they_were_added() {
        let mut documents = Documents::default();
        documents.insert(document(0, "b", &["x", "y"]));
        documents.insert(document(1, "a", &["x"]));
        assert_eq!(names(documents.of_host("x")), ["default/a", "default/b"]);
        assert_eq!(names(documents.iter()), ["default/a", "default/b"]);
        assert_eq!(names(documents.of_host("y")), ["default/b"]);
    }

    #[test]
    fn nothing_is_left_of_a_document_that_was_taken_out() {
        let mut documents = Documents::default();
        documents.insert(document(0, "b", &["x", "*.y"]));
        documents.insert(document(1, "a", &["x"]));
        documents.remove(ResourceId(0)).expect("it is there");
        assert_eq!(names(documents.of_host("x")), ["default/a"]);
        assert_eq!(documents.hosts().collect::<Vec<_>>(), ["x"]);
        assert!(documents.get(ResourceId(0)).is_none() && documents.covering("a.y").is_empty());
    }
}
