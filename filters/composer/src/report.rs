//! Says what is wrong with a document, and where.

pub use sluicegate_sdk::Place;

use sluicegate_sdk::{Diagnostics, Resource};

/// Collects the diagnostics of one document.
#[derive(Debug)]
pub struct Report<'a> {
    resource: &'a Resource,
    diagnostics: &'a mut Diagnostics,
    errors: usize,
}

impl<'a> Report<'a> {
    /// A report on a document.
    pub fn new(resource: &'a Resource, diagnostics: &'a mut Diagnostics) -> Self {
        Self { resource, diagnostics, errors: 0 }
    }

    /// Refuses the configuration; `help` says what to do.
    pub fn error(&mut self, place: &Place, code: &str, message: impl Into<String>, help: impl Into<String>) {
        self.errors += 1;
        self.diagnostics.error(self.resource, place, code, message);
        self.diagnostics.help(help);
    }

    /// Something that likely does not do what the author meant.
    pub fn warning(&mut self, place: &Place, code: &str, message: impl Into<String>, help: impl Into<String>) {
        self.diagnostics.warning(self.resource, place, code, message);
        self.diagnostics.help(help);
    }

    /// How many errors there were so far.
    pub fn errors(&self) -> usize {
        self.errors
    }
}

/// What to do about a name that is not known: the nearest of those that are, or all of them.
pub fn did_you_mean<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let known: Vec<&str> = known.into_iter().collect();
    let distance = |other: &str| strsim::damerau_levenshtein(name, other);
    let nearest = known.iter().min_by_key(|other| distance(other));
    match nearest {
        Some(nearest) if distance(nearest) <= (name.len() / 3).max(1) => format!("did you mean `{nearest}`?"),
        Some(_) => format!("there is {}", known.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")),
        None => "there is none of this kind".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_told_from_a_name_of_its_own() {
        assert_eq!(did_you_mean("ordr", ["order", "stock"]), "did you mean `order`?");
        assert_eq!(did_you_mean("weather", ["order", "stock"]), "there is `order`, `stock`");
        assert_eq!(did_you_mean("x", []), "there is none of this kind");
    }
}
