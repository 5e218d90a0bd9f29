//! Header operations: what may be changed, and in which order.

use crate::code;
use crate::config::{HeaderOperations, Headers};
use crate::report::{Place, Report};
use crate::rewrite::check_authority;
use crate::template::{Rendered, Side, Template};
use crate::view::View;
use sluicegate_sdk::{Header, HeaderEdit, append_formatted, append_header, remove_header, set_formatted, set_header};
use std::collections::BTreeMap;

/// Headers of the framing and of one connection: the proxy sets them itself and refuses edits of them.
const OWNED_BY_THE_PROXY: [&str; 9] = [
    "connection",
    "content-length",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "http2-settings",
];

/// The resolved operations of one level: those of a rule, or of a destination.
#[derive(Debug, Default)]
pub struct Level {
    /// On the request.
    pub request: Operations,
    /// On the response.
    pub response: Operations,
    /// What `host` or `:authority` is set to.
    pub authority: Option<Template>,
}

/// Operations of one direction, each list in order of names.
#[derive(Debug, Default, Clone)]
pub struct Operations {
    remove: Vec<Operation>,
    change: Vec<Operation>,
}

/// One header's change.
#[derive(Debug, Clone)]
enum Operation {
    Remove(String),
    Set(String, Template),
    Add(String, Template),
}

impl Level {
    /// Resolves the `headers` of a level. `place` is where they stand.
    pub fn resolve(written: Option<&Headers>, place: &Place, report: &mut Report<'_>) -> Self {
        let mut level = Self::default();
        let Some(written) = written else { return level };
        if let Some(request) = &written.request {
            let place = place.key("request");
            level.request = Operations::resolve(request, Side::Request, &place, report);
            level.authority = authority(request, &place, report);
        }
        if let Some(response) = &written.response {
            let place = place.key("response");
            level.response = Operations::resolve(response, Side::Response, &place, report);
            refuse_host(response.set.keys(), &place.key("set"), "the host of a response", report);
            refuse_host(response.add.keys(), &place.key("add"), "the host of a response", report);
        }
        level
    }

    /// Whether it changes nothing.
    pub fn is_empty(&self) -> bool {
        self.request.is_empty() && self.response.is_empty() && self.authority.is_none()
    }
}

/// The new authority that `set` or `add` of the host asks for, which only one of them may.
fn authority(written: &HeaderOperations, place: &Place, report: &mut Report<'_>) -> Option<Template> {
    let mut hosts = Vec::new();
    for (list, member) in [(&written.set, "set"), (&written.add, "add")] {
        let list = list.iter().filter(|(name, _)| is_host(name));
        hosts.extend(list.map(|(name, value)| (place.key(member).key(name), value)));
    }
    if let Some((second, _)) = hosts.get(1) {
        let help = "set the host in one place";
        report.error(second, code::CONFLICT, "the authority is set multiple times", help);
    }
    let (place, value) = hosts.first()?;
    let template = Template::resolve(value, Side::Request, place, report)?;
    if let Some(text) = template.as_literal() {
        check_authority(text, place, report);
    }
    Some(template)
}

/// Whether a name stands for the authority.
pub fn is_host(name: &str) -> bool {
    name.eq_ignore_ascii_case("host") || name.eq_ignore_ascii_case(":authority")
}

fn refuse_host<'a>(names: impl Iterator<Item = &'a String>, place: &Place, what: &str, report: &mut Report<'_>) {
    for name in names.filter(|name| is_host(name)) {
        let message = format!("{what} cannot be changed");
        report.error(&place.key(name), code::HEADER_NAME, message, "remove the entry");
    }
}

impl Operations {
    fn resolve(written: &HeaderOperations, side: Side, place: &Place, report: &mut Report<'_>) -> Self {
        let mut remove = Vec::new();
        for (index, name) in written.remove.iter().enumerate() {
            let place = place.key("remove").index(index);
            if is_host(name) {
                report.error(&place, code::HEADER_NAME, "the host cannot be removed", "remove the entry");
            } else if let Some(name) = changeable(name, &place, report) {
                remove.push(Operation::Remove(name));
            }
        }
        let mut change = Vec::new();
        for (name, value) in resolve_values(&written.set, side, &place.key("set"), report) {
            change.push(Operation::Set(name, value));
        }
        for (name, value) in resolve_values(&written.add, side, &place.key("add"), report) {
            change.push(Operation::Add(name, value));
        }
        Self { remove, change }
    }

    /// Operations with values as they stand, for names that are [`changeable`]. Removals come first.
    pub fn literal(remove: Vec<String>, set: Vec<(String, String)>, add: Vec<(String, String)>) -> Self {
        let set = set.into_iter().map(|(name, value)| Operation::Set(name, Template::literal(&value)));
        let add = add.into_iter().map(|(name, value)| Operation::Add(name, Template::literal(&value)));
        Self { remove: remove.into_iter().map(Operation::Remove).collect(), change: set.chain(add).collect() }
    }

    /// These, then others, as Istio concatenates the lists of two levels, of which Envoy carries out all removals first,
    /// then whatever is set, and what is added last.
    #[must_use]
    pub fn concatenated(&self, other: &Self) -> Self {
        let joined = |one: &[Operation], two: &[Operation]| one.iter().chain(two).cloned().collect::<Vec<_>>();
        let mut change = joined(&self.change, &other.change);
        change.sort_by_key(|operation| matches!(operation, Operation::Add(..)));
        Self { remove: joined(&self.remove, &other.remove), change }
    }

    /// Whether nothing is changed.
    pub fn is_empty(&self) -> bool {
        self.remove.is_empty() && self.change.is_empty()
    }

    fn all(&self) -> impl Iterator<Item = &Operation> {
        self.remove.iter().chain(&self.change)
    }

    /// The edits of a request. A value that comes out empty is not set, as in Istio.
    pub fn request_edits<'a>(&'a self, view: &'a View<'_>) -> impl Iterator<Item = HeaderEdit> + 'a {
        self.all().filter_map(|operation| match operation {
            Operation::Remove(name) => Some(remove_header(name)),
            Operation::Set(name, value) => Some(set_header(name, not_empty(value.render(view))?)),
            Operation::Add(name, value) => Some(append_header(name, not_empty(value.render(view))?)),
        })
    }

    /// The edits of the response to a request. What only the response has is left to the host.
    pub fn response_edits<'a>(&'a self, view: &'a View<'_>) -> impl Iterator<Item = HeaderEdit> + 'a {
        self.all().filter_map(|operation| match operation {
            Operation::Remove(name) => Some(remove_header(name)),
            Operation::Set(name, value) => Some(match value.prepare(view) {
                Rendered::Known(value) => set_header(name, not_empty(value)?),
                Rendered::Parts(parts) => set_formatted(name, parts),
            }),
            Operation::Add(name, value) => Some(match value.prepare(view) {
                Rendered::Known(value) => append_header(name, not_empty(value)?),
                Rendered::Parts(parts) => append_formatted(name, parts),
            }),
        })
    }

    /// Applies the operations to headers of the filter's own.
    pub fn apply(&self, headers: &mut Vec<Header>, view: &View<'_>) {
        for operation in self.all() {
            let (name, value) = match operation {
                Operation::Remove(name) => {
                    headers.retain(|header| header.name != *name);
                    continue;
                }
                Operation::Set(name, value) | Operation::Add(name, value) => (name, value),
            };
            let Some(value) = not_empty(value.render_with(view, headers)) else { continue };
            if matches!(operation, Operation::Set(..)) {
                headers.retain(|header| header.name != *name);
            }
            headers.push(Header { name: name.clone(), value });
        }
    }
}

/// As people read it: `set x-a, remove x-b`.
impl std::fmt::Display for Operations {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (index, operation) in self.all().enumerate() {
            let (what, name) = match operation {
                Operation::Remove(name) => ("remove", name),
                Operation::Set(name, _) => ("set", name),
                Operation::Add(name, _) => ("add", name),
            };
            let comma = if index > 0 { ", " } else { "" };
            write!(formatter, "{comma}{what} {name}")?;
        }
        Ok(())
    }
}

fn not_empty(value: Vec<u8>) -> Option<Vec<u8>> {
    (!value.is_empty()).then_some(value)
}

fn resolve_values(
    written: &BTreeMap<String, String>,
    side: Side,
    place: &Place,
    report: &mut Report<'_>,
) -> Vec<(String, Template)> {
    let mut resolved = Vec::new();
    for (name, value) in written.iter().filter(|(name, _)| !is_host(name)) {
        let place = place.key(name);
        let name = changeable(name, &place, report);
        let value = Template::resolve(value, side, &place, report);
        resolved.extend(name.zip(value));
    }
    resolved
}

/// The name in lower case, if a manifest may change the header.
pub fn changeable(name: &str, place: &Place, report: &mut Report<'_>) -> Option<String> {
    let lower = name.to_ascii_lowercase();
    if OWNED_BY_THE_PROXY.contains(&lower.as_str()) {
        let message = format!("`{name}` belongs to the proxy, which sets it for each connection");
        report.error(place, code::HEADER_NAME, message, "remove the entry");
        return None;
    }
    if !is_token(&lower) {
        let message = format!("`{name}` is not a header name that can be changed");
        report.error(
            place,
            code::HEADER_NAME,
            message,
            "use letters, digits and hyphens; pseudo headers cannot be changed",
        );
        return None;
    }
    Some(lower)
}

/// Whether a name is a token of RFC 9110, section 5.6.2.
pub fn is_token(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::Operations;

    #[test]
    fn what_a_rule_adds_is_not_overwritten_by_what_its_destination_sets() {
        let pairs = |name: &str| vec![(name.to_owned(), "1".to_owned())];
        let level = |of: &str| {
            let name = |what: &str| format!("{what}-{of}");
            Operations::literal(vec![name("r")], pairs(&name("s")), pairs(&name("a")))
        };
        let both = level("rule").concatenated(&level("own")).to_string();
        assert_eq!(both, "remove r-rule, remove r-own, set s-rule, set s-own, add a-rule, add a-own");
    }
}
