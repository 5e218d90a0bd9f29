//! Which requests a composition takes.

use super::header::is_header_name;
use crate::code;
use crate::composition::{Composition, HeaderCondition, Matching};
use crate::document::Spec;
use crate::host;
use crate::pattern::Pattern;
use crate::report::{Place, Report, did_you_mean};
use sluicegate_sdk::Environment;

/// Methods that have a meaning of their own for whoever asks. HEAD is answered as a GET by itself.
const METHODS: [&str; 6] = ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

pub(super) fn resolve(
    spec: &Spec,
    namespace: &str,
    environment: &Environment,
    report: &mut Report<'_>,
) -> Option<Matching> {
    let place = Place::spec();
    if spec.hosts.is_empty() {
        let help = "name the hosts whose requests are composed, such as `hosts: [shop.example]`, or `\"*\"` for all";
        report.error(&place, code::HOST, "the composition names no host", help);
    }
    for (index, name) in spec.hosts.iter().enumerate().filter(|(_, name)| !host::is_valid(name, true)) {
        let help = "write a DNS name without port, `*.DOMAIN` or `*`";
        report.error(&place.key("hosts").index(index), code::HOST, format!("`{name}` is not a host name"), help);
    }
    for (index, method) in spec.methods.iter().enumerate().filter(|(_, method)| !METHODS.contains(&method.as_str())) {
        let message = format!("`{method}` cannot be composed");
        report.error(&place.key("methods").index(index), code::METHOD, message, did_you_mean(method, METHODS));
    }
    let path = match Pattern::parse(&spec.path) {
        Ok(path) => path,
        Err((message, help)) => {
            let place = if spec.path.is_empty() { place } else { place.key("path") };
            report.error(&place, code::PATTERN, message, help);
            return None;
        }
    };
    let methods = if spec.methods.is_empty() { vec!["GET".to_owned()] } else { spec.methods.clone() };
    Some(Matching {
        hosts: spec.hosts.iter().map(|name| environment.full_name(name, namespace)).collect(),
        methods,
        path,
        written_path: spec.path.clone(),
        headers: headers(spec, report),
    })
}

fn headers(spec: &Spec, report: &mut Report<'_>) -> Vec<HeaderCondition> {
    let mut conditions = Vec::new();
    for (name, wanted) in &spec.headers {
        let place = Place::spec().key("headers").key(name);
        if !is_header_name(name) {
            let help = "a header's name has letters, digits and dashes";
            report.error(&place, code::HEADER_NAME, format!("`{name}` is not the name of a header"), help);
        }
        if wanted.present == Some(false) && (wanted.exact.is_some() || wanted.prefix.is_some()) {
            let message = "a header that is absent has no value";
            report.error(&place, code::FIELDS, message, "leave out `present`, or the value");
        }
        conditions.push(HeaderCondition {
            name: name.to_ascii_lowercase(),
            exact: wanted.exact.clone(),
            prefix: wanted.prefix.clone(),
            present: wanted.present.unwrap_or(true),
        });
    }
    conditions.sort();
    conditions
}

impl Matching {
    /// Whether some request fits both, and nothing says which of the two is meant.
    fn conflicts_with(&self, other: &Self) -> bool {
        let share = |one: &[String], other: &[String]| one.iter().any(|value| other.contains(value));
        share(&self.hosts, &other.hosts)
            && share(&self.methods, &other.methods)
            && self.path.same_paths(&other.path)
            && self.headers == other.headers
    }
}

/// Says that a composition takes requests that an earlier one takes.
pub fn check_conflict(composition: &Composition, earlier: &[Composition], report: &mut Report<'_>) {
    let conflict = earlier.iter().find(|earlier| earlier.matching.conflicts_with(&composition.matching));
    if let Some(earlier) = conflict {
        let message = format!("Composition {} ({}) takes the same requests", earlier.name, earlier.origin);
        let help = "give one of them another host, path, method or header";
        report.error(&Place::spec().key("path"), code::CONFLICT, message, help);
    }
}
