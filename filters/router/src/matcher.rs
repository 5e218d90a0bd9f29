//! Match blocks: conditions that a request must meet, all of them.

use crate::code;
use crate::config::{HttpMatch, StringMatch};
use crate::header::is_token;
use crate::report::{Place, Report};
use crate::text::{Allowed, Pattern};
use crate::view::View;
use std::collections::BTreeMap;

/// How JWT claims are written where header names stand.
const CLAIM_PREFIX: &str = "@request.auth.claims";
/// Header names that Istio documents as ignored, since a field of their own means the same.
const IGNORED_NAMES: [&str; 4] = ["uri", "scheme", "method", "authority"];
const PSEUDO_HEADERS: [&str; 5] = [":method", ":path", ":scheme", ":authority", ":status"];

/// What the blocks of a document are resolved with.
#[derive(Debug)]
pub struct Surroundings<'a> {
    /// The proxy's own namespace, which `sourceNamespace` is compared with.
    pub namespace: &'a str,
    /// Whether the document is bound to `mesh`.
    pub mesh: bool,
}

/// One block of a rule.
#[derive(Debug)]
pub struct Block {
    /// Its name, if it has one.
    pub name: Option<String>,
    /// The cheapest to decide first.
    conditions: Vec<Condition>,
}

/// What matched the path, which decides what a rewrite replaces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PathMatch {
    /// This many bytes at the start.
    Prefix(usize),
    /// The whole path.
    Whole,
}

#[derive(Debug)]
enum Condition {
    /// No request can meet it, for this reason.
    Never(String),
    Path(Pattern),
    Method(Pattern),
    Scheme(Pattern),
    Authority(Pattern),
    Port(u16),
    Header(String, Pattern),
    WithoutHeader(String, Pattern),
    Query(String, Pattern),
}

impl Block {
    /// A block that every request matches.
    pub fn everything() -> Self {
        Self { name: None, conditions: Vec::new() }
    }

    /// Resolves a block as written.
    pub fn resolve(written: &HttpMatch, around: &Surroundings<'_>, place: &Place, report: &mut Report<'_>) -> Self {
        let mut conditions = Vec::new();
        conditions.extend(caller(written, around, place, report));
        conditions.extend(path(written, place, report));
        let mut one = |field: &str, text: Option<&StringMatch>, condition: fn(Pattern) -> Condition| {
            let pattern = text.and_then(|text| Pattern::resolve(text, Allowed::Value, &place.key(field), report));
            conditions.extend(pattern.map(condition));
        };
        one("method", written.method.as_ref(), Condition::Method);
        one("scheme", written.scheme.as_ref(), Condition::Scheme);
        one("authority", written.authority.as_ref(), Condition::Authority);
        conditions.extend(port(written.port, &place.key("port"), report).map(Condition::Port));
        conditions.extend(query(&written.query_params, &place.key("queryParams"), report));
        conditions.extend(headers(&written.headers, around, &place.key("headers"), report));
        conditions.extend(without_headers(&written.without_headers, around, &place.key("withoutHeaders"), report));
        Self { name: written.name.clone(), conditions }
    }

    /// Whether a request matches.
    pub fn matches(&self, view: &View<'_>) -> bool {
        self.conditions.iter().all(|condition| condition.holds(view))
    }

    /// Why a request does not match, or nothing when it does.
    pub fn objection(&self, view: &View<'_>) -> Option<String> {
        let failing = self.conditions.iter().find(|condition| !condition.holds(view))?;
        Some(failing.objection(view))
    }

    /// What a rewrite of the path replaces. Without a condition on the path it is the `/` at its start.
    pub fn path_match(&self) -> PathMatch {
        let pattern = self.conditions.iter().find_map(|condition| match condition {
            Condition::Path(pattern) => Some(pattern),
            _ => None,
        });
        match pattern {
            None => PathMatch::Prefix(1),
            Some(Pattern::Prefix(prefix) | Pattern::PrefixAnyCase(prefix)) => PathMatch::Prefix(prefix.len()),
            Some(_) => PathMatch::Whole,
        }
    }

    /// Whether every request matches: nothing is asked of it but a path that all paths are.
    pub fn is_catch_all(&self) -> bool {
        self.conditions.iter().all(|condition| match condition {
            Condition::Path(Pattern::Prefix(prefix) | Pattern::PrefixAnyCase(prefix)) => {
                prefix.is_empty() || prefix == "/"
            }
            Condition::Path(Pattern::Regex(_, text)) => text == ".*",
            _ => false,
        })
    }
}

impl Condition {
    fn holds(&self, view: &View<'_>) -> bool {
        match self {
            Self::Never(_) => false,
            Self::Path(pattern) => pattern.matches(view.path().as_bytes()),
            Self::Method(pattern) => pattern.matches(view.method().as_bytes()),
            Self::Scheme(pattern) => pattern.matches(view.scheme().as_bytes()),
            Self::Authority(pattern) => pattern.matches(view.authority().as_bytes()),
            Self::Port(port) => view.listener_port() == Some(*port),
            Self::Query(name, pattern) => {
                view.query_parameter(name).is_some_and(|value| pattern.matches(value.as_bytes()))
            }
            Self::Header(name, pattern) => {
                view.with_header(name, |value| value.is_some_and(|value| pattern.matches(value)))
            }
            Self::WithoutHeader(name, Pattern::Present) => view.with_header(name, |value| value.is_none()),
            // As in Istio, a header that is missing is compared as an empty one.
            Self::WithoutHeader(name, pattern) => {
                view.with_header(name, |value| !pattern.matches(value.unwrap_or_default()))
            }
        }
    }

    fn objection(&self, view: &View<'_>) -> String {
        let subject = |subject: &str, value: &str, pattern: &Pattern| format!("{subject} {value} {}", pattern.unlike());
        match self {
            Self::Never(reason) => reason.clone(),
            Self::Path(pattern) => subject("path", view.path(), pattern),
            Self::Method(pattern) => subject("method", view.method(), pattern),
            Self::Scheme(pattern) => subject("scheme", view.scheme(), pattern),
            Self::Authority(pattern) => subject("authority", view.authority(), pattern),
            Self::Port(port) => match view.listener_port() {
                Some(actual) => format!("port {actual} is not {port}"),
                None => format!("the port it came in on is not known to be {port}"),
            },
            Self::Query(name, pattern) => match view.query_parameter(name) {
                Some(value) => subject(&format!("query parameter {name}"), &quoted(value.as_bytes()), pattern),
                None => format!("query parameter {name} is absent"),
            },
            Self::Header(name, pattern) => view.with_header(name, |value| match value {
                Some(value) => subject(&format!("header {name}"), &quoted(value), pattern),
                None => format!("header {name} is absent"),
            }),
            Self::WithoutHeader(name, pattern) => view.with_header(name, |value| match value {
                Some(value) => format!("header {name} {} {}, which it must not", quoted(value), pattern.like()),
                None => format!("header {name} counts as empty and {}, which it must not", pattern.like()),
            }),
        }
    }
}

fn quoted(value: &[u8]) -> String {
    format!("{:?}", String::from_utf8_lossy(value))
}

fn path(written: &HttpMatch, place: &Place, report: &mut Report<'_>) -> Option<Condition> {
    let uri = written.uri.as_ref()?;
    let pattern = Pattern::resolve(uri, Allowed::EmptyPrefix, &place.key("uri"), report)?;
    Some(Condition::Path(if written.ignore_uri_case == Some(true) { pattern.any_case() } else { pattern }))
}

fn port(written: Option<i64>, place: &Place, report: &mut Report<'_>) -> Option<u16> {
    let number = written?;
    let port = u16::try_from(number).ok().filter(|&port| port > 0);
    if port.is_none() {
        let message = format!("{number} is not a port");
        report.error(place, code::STRING_MATCH, message, "use a number from 1 to 65535");
    }
    port
}

/// Conditions on the caller's workload. They are decided here and now: the only workload that a proxy without labels
/// knows of is itself.
fn caller(written: &HttpMatch, around: &Surroundings<'_>, place: &Place, report: &mut Report<'_>) -> Option<Condition> {
    let help = "move the rule to a resource of its own for the proxies that it is meant for";
    if !written.gateways.is_empty() {
        report.no_effect(&place.key("gateways"), "gateways", "the block counts on every listener");
    }
    if !written.source_labels.is_empty() {
        let reason = "this proxy has no labels that `sourceLabels` could match";
        report.warning(
            &place.key("sourceLabels"),
            code::NEVER_MATCHES,
            format!("the block never matches: {reason}"),
            help,
        );
        return Some(Condition::Never(reason.to_owned()));
    }
    let namespace = written.source_namespace.as_deref().filter(|namespace| *namespace != around.namespace)?;
    let reason = format!("this proxy is in the namespace {}, not in {namespace}", around.namespace);
    report.warning(
        &place.key("sourceNamespace"),
        code::NEVER_MATCHES,
        format!("the block never matches: {reason}"),
        help,
    );
    Some(Condition::Never(reason))
}

fn query(written: &BTreeMap<String, Option<StringMatch>>, place: &Place, report: &mut Report<'_>) -> Vec<Condition> {
    let mut conditions = Vec::new();
    for (name, text) in written {
        let pattern = present(text.as_ref(), Allowed::Presence, &place.key(name), report);
        conditions.extend(pattern.map(|pattern| Condition::Query(name.clone(), pattern)));
    }
    conditions
}

fn headers(
    written: &BTreeMap<String, Option<StringMatch>>,
    around: &Surroundings<'_>,
    place: &Place,
    report: &mut Report<'_>,
) -> Vec<Condition> {
    let mut conditions = Vec::new();
    for (name, text) in written {
        let place = place.key(name);
        let pattern = present(text.as_ref(), Allowed::Presence, &place, report);
        if is_claim(name, around, &place, report) {
            let reason = format!("no filter has verified a token, so {name} is absent");
            let help = "keep such rules out until tokens are verified here";
            report.warning(&place, code::NEVER_MATCHES, format!("the block never matches: {reason}"), help);
            conditions.push(Condition::Never(reason));
        } else if let Some(name) = comparable(name, &place, report) {
            conditions.extend(pattern.map(|pattern| Condition::Header(name, pattern)));
        }
    }
    conditions
}

fn without_headers(
    written: &BTreeMap<String, Option<StringMatch>>,
    around: &Surroundings<'_>,
    place: &Place,
    report: &mut Report<'_>,
) -> Vec<Condition> {
    let mut conditions = Vec::new();
    for (name, text) in written {
        let place = place.key(name);
        let pattern = present(text.as_ref(), Allowed::PresenceAndStar, &place, report);
        // A claim is never there, which is what is asked for.
        if is_claim(name, around, &place, report) {
            continue;
        }
        let name = comparable(name, &place, report);
        conditions.extend(name.zip(pattern).map(|(name, pattern)| Condition::WithoutHeader(name, pattern)));
    }
    conditions
}

fn present(text: Option<&StringMatch>, allowed: Allowed, place: &Place, report: &mut Report<'_>) -> Option<Pattern> {
    let Some(text) = text else {
        let help = "write `{}` for presence, or one of `exact`, `prefix` and `regex`";
        report.error(place, code::STRING_MATCH, "the condition is null", help);
        return None;
    };
    Pattern::resolve(text, allowed, place, report)
}

fn is_claim(name: &str, around: &Surroundings<'_>, place: &Place, report: &mut Report<'_>) -> bool {
    if !name.starts_with(CLAIM_PREFIX) {
        return false;
    }
    if around.mesh {
        let help = "bind the resource to a gateway and not to `mesh`";
        report.error(place, code::CONFLICT, "claims of a token can only be matched at a gateway", help);
    }
    true
}

/// The name in lower case, if a request's header can be compared under it.
fn comparable(name: &str, place: &Place, report: &mut Report<'_>) -> Option<String> {
    if IGNORED_NAMES.contains(&name) {
        let message = format!("`{name}` is ignored as the name of a header");
        report.warning(place, code::NO_EFFECT, message, format!("use the field `{name}` of the match block"));
        return None;
    }
    let lower = name.to_ascii_lowercase();
    if !is_token(&lower) && !PSEUDO_HEADERS.contains(&lower.as_str()) {
        let message = format!("`{name}` is not the name of a header");
        report.error(
            place,
            code::HEADER_NAME,
            message,
            "use letters, digits and hyphens, or a pseudo header such as :path",
        );
        return None;
    }
    Some(lower)
}
