//! Manifests: documents with places, what is wrong with them, and what the host itself makes of them.
//!
//! [`load`] reads directories, [`load_from`] files that are read already; both give every document and every finding
//! and never stop at the first one. [`schema`] checks a document against its kind's schema. [`endpoints`] turns
//! Service, EndpointSlice and ServiceEntry into the registry of upstreams. Documents of other kinds belong to filters.

mod build;
pub mod codes;
pub mod diagnostic;
pub mod document;
pub mod endpoints;
mod header;
mod load;
pub mod node;
mod scalar;
pub mod schema;
pub mod secret;
pub mod source;
pub mod yaml;

pub use diagnostic::{Diagnostic, Diagnostics, Related, Severity};
pub use document::Document;
pub use load::{EXTENSIONS, FILE_LIMIT, Parsed, load, load_changed, load_from, parse};
pub use source::{Location, Position, Source, Span};

/// The one of some names that was most likely meant, for did-you-mean: at most a third of its letters differ.
pub fn nearest<'a>(text: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let distance = |name: &str| {
        // Snake case, dashes and capitals are how other formats write the same name.
        let plain = |text: &str| text.to_ascii_lowercase().replace(['_', '-'], "");
        if plain(name) == plain(text) { 0 } else { strsim::damerau_levenshtein(name, text) }
    };
    let close = |(name, distance): &(&str, usize)| distance * 3 <= name.chars().count().max(3);
    names.into_iter().map(|name| (name, distance(name))).filter(close).min_by_key(|found| found.1).map(|found| found.0)
}

#[cfg(test)]
mod tests;
