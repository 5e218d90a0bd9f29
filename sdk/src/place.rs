//! Places in documents, for diagnostics.

use std::fmt;

/// A place in a document, as a JSON pointer (RFC 6901), which [`Diagnostics`](crate::Diagnostics) take.
///
/// ```
/// use sluicegate_sdk::Place;
///
/// let place = Place::spec().key("hosts").index(0);
/// assert_eq!(place.as_str(), "/spec/hosts/0");
/// assert_eq!(Place::spec().key("a/b~c").as_str(), "/spec/a~1b~0c");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Place(String);

impl Place {
    /// The document's `spec`.
    pub fn spec() -> Self {
        Self("/spec".to_owned())
    }

    /// A member of the object here.
    #[must_use]
    pub fn key(&self, name: &str) -> Self {
        Self(format!("{}/{}", self.0, name.replace('~', "~0").replace('/', "~1")))
    }

    /// An element of the list here, from 0.
    #[must_use]
    pub fn index(&self, index: usize) -> Self {
        Self(format!("{}/{index}", self.0))
    }

    /// The pointer.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<&Place> for String {
    fn from(place: &Place) -> Self {
        place.0.clone()
    }
}
