//! One document as the host hands it over.

use crate::bindings::imports::sluicegate::filter::types as wit;
use crate::configuration::Diagnostics;
use serde::Deserialize;
use serde::de::DeserializeOwned;

/// One document of a kind that the filter claims. Its text is read when it is asked for, so that a filter with thousands of
/// documents need not hold them all as values.
#[derive(Debug, Clone)]
pub struct Resource {
    /// Its number, which diagnostics refer to.
    pub index: u32,
    /// Such as `networking.istio.io/v1`.
    pub api_version: String,
    /// Such as `VirtualService`.
    pub kind: String,
    /// The namespace, never empty.
    pub namespace: String,
    /// The name.
    pub name: String,
    /// `file:line`.
    pub origin: String,
    /// The whole document.
    json: String,
}

/// A document's number, by which diagnostics name it when the document itself is not at hand any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ResourceId(pub u32);

impl From<&Resource> for ResourceId {
    fn from(resource: &Resource) -> Self {
        Self(resource.index)
    }
}

impl Resource {
    pub(crate) fn new(index: u32, document: wit::ResourceDocument) -> Self {
        let wit::ResourceDocument { api_version, kind, namespace, name, origin, json } = document;
        Self { index, api_version, kind, namespace, name, origin, json }
    }

    /// The whole document as JSON.
    pub fn json(&self) -> &str {
        &self.json
    }

    /// The whole document as a value. Each call reads the text anew.
    pub fn value(&self) -> serde_json::Value {
        // The host made this text from a parsed document, so it is JSON.
        serde_json::from_str(&self.json).unwrap_or_default()
    }

    /// Reads the whole document into a type, such as one that has a field for `spec`. Each call reads the text anew.
    ///
    /// # Errors
    /// When the document does not fit the type.
    pub fn read<'d, T: Deserialize<'d>>(&'d self) -> Result<T, serde_json::Error> {
        serde_json::from_str(&self.json)
    }

    /// Reads the document's `spec`; an absent one counts as `{}`. The host has already checked it against the schema
    /// that the filter's manifest gives for the kind, so a failure here is reported at `/spec` without more detail.
    pub fn spec<T: DeserializeOwned>(&self, diagnostics: &mut Diagnostics) -> Option<T> {
        match self.read_spec() {
            Ok(spec) => Some(spec),
            Err(error) => {
                diagnostics.error(self, "/spec", "SG0101", error.to_string());
                None
            }
        }
    }

    /// Reads the document's `spec`; an absent one counts as `{}`.
    ///
    /// # Errors
    /// When it does not fit the type.
    pub fn read_spec<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        match self.read::<Document<T>>()?.spec {
            Some(spec) => Ok(spec),
            None => serde_json::from_str("{}"),
        }
    }
}

/// The part of a document that is a filter's own.
#[derive(Deserialize)]
struct Document<T> {
    spec: Option<T>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::resource;

    #[derive(Deserialize, Debug, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct Spec {
        #[serde(default)]
        hosts: Vec<String>,
    }

    #[test]
    fn a_spec_is_read_without_the_rest_of_the_document() {
        let document = resource(0, r#"{"kind": "Shop", "metadata": {"name": "a"}, "spec": {"hosts": ["b"]}}"#);
        assert_eq!(document.read_spec::<Spec>().expect("it fits"), Spec { hosts: vec!["b".to_owned()] });
    }

    #[test]
    fn a_spec_that_is_absent_counts_as_an_empty_one() {
        let document = resource(0, r#"{"kind": "Shop", "metadata": {"name": "a"}}"#);
        assert_eq!(document.read_spec::<Spec>().expect("it fits"), Spec { hosts: Vec::new() });
    }

    #[test]
    fn a_spec_that_does_not_fit_is_reported_where_it_stands() {
        let document = resource(7, r#"{"kind": "Shop", "metadata": {"name": "a"}, "spec": {"host": ["b"]}}"#);
        let mut diagnostics = Diagnostics::default();
        assert_eq!(document.spec::<Spec>(&mut diagnostics), None);
        assert!(diagnostics.lines()[0].starts_with("error SG0101 /spec: "), "{:?}", diagnostics.lines());
        assert_eq!(diagnostics.into_wit()[0].document, Some(7));
    }
}
