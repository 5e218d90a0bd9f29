//! Checks documents against the JSON schema of their kind and says everything that is wrong at once, each at the
//! place of the key or value, in words for people.
//!
//! Schemas come with filters, so they are not trusted: patterns run in linear time and nothing is fetched.

mod alternatives;
mod explain;

use super::codes;
use super::diagnostic::{Diagnostic, Diagnostics};
use super::document::Document;
use super::source::Location;
use jsonschema::{PatternOptions, Validator};
use serde_json::Value;

/// Findings of one document; whoever has more has the same mistake everywhere.
const MAX_FINDINGS: usize = 100;

/// A compiled schema.
#[derive(Debug)]
pub struct Schema {
    text: Value,
    validator: Validator,
}

/// Something that does not fit, before it has a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// JSON pointer (RFC 6901) to what is meant.
    pub pointer: String,
    /// Whether the key is meant rather than its value.
    pub key: bool,
    /// One of [`codes`].
    pub code: &'static str,
    /// What was found and what was expected.
    pub message: String,
    /// What to do.
    pub help: Option<String>,
}

impl Schema {
    /// Compiles a schema. `owner` says whose it is, such as `filter router, kind VirtualService`.
    pub fn compile(owner: &str, text: Value) -> Result<Self, Box<Diagnostic>> {
        let options = jsonschema::options().with_pattern_options(PatternOptions::regex());
        match options.build(&text) {
            Ok(validator) => Ok(Self { text, validator }),
            Err(error) => {
                let message = format!("the schema of {owner} is not valid: {error}");
                Err(Box::new(Diagnostic::error(codes::BAD_SCHEMA, message).help("this is a defect of the filter")))
            }
        }
    }

    /// Checks a document and reports what does not fit. Returns whether it fits.
    pub fn check(&self, document: &Document, diagnostics: &mut Diagnostics) -> bool {
        let findings = self.findings(&document.value);
        let fits = findings.is_empty();
        diagnostics.extend(findings.into_iter().map(|finding| {
            let pointer = finding.pointer.as_str();
            let span = if finding.key { document.key_span_of(pointer) } else { document.span_of(pointer) };
            finding.diagnostic().at(Location::new(&document.source, span))
        }));
        fits
    }

    /// Checks a value that has no places, such as settings; what is wrong names its path after `owner`.
    pub fn check_value(&self, owner: &str, value: &Value, diagnostics: &mut Diagnostics) -> bool {
        let findings = self.findings(value);
        let fits = findings.is_empty();
        diagnostics.extend(findings.into_iter().map(|mut finding| {
            let path = finding.pointer.trim_start_matches('/').replace('/', ".");
            let place = if path.is_empty() { owner.to_owned() } else { format!("{owner}, at `{path}`") };
            finding.message = format!("{place}: {}", finding.message);
            finding.diagnostic()
        }));
        fits
    }

    /// Everything about a value that does not fit.
    pub fn findings(&self, value: &Value) -> Vec<Finding> {
        let mut findings = Vec::new();
        for error in self.validator.iter_errors(value) {
            explain::explain(&error, &self.text, &mut findings);
            if findings.len() >= MAX_FINDINGS {
                break;
            }
        }
        // One error may be of very many fields.
        findings.truncate(MAX_FINDINGS);
        let mut seen = std::collections::HashSet::new();
        findings.retain(|finding| seen.insert((finding.pointer.clone(), finding.message.clone())));
        findings
    }
}

impl Finding {
    /// The same as a diagnostic without a place.
    pub fn diagnostic(self) -> Diagnostic {
        let diagnostic = Diagnostic::error(self.code, self.message);
        match self.help {
            Some(help) => diagnostic.help(help),
            None => diagnostic,
        }
    }
}

/// Such as `` `a`, `b` or `c` ``.
fn list<T: std::fmt::Display>(names: impl IntoIterator<Item = T>, last: &str) -> String {
    let names: Vec<String> = names.into_iter().map(|name| format!("`{name}`")).collect();
    match names.split_last() {
        Some((end, rest)) if !rest.is_empty() => format!("{} {last} {end}", rest.join(", ")),
        _ => names.concat(),
    }
}

#[cfg(test)]
mod tests;
