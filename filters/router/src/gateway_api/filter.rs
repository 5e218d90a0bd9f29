//! Filters of rules and backends.

use super::config::{Filter, HeaderModifier, HeaderValue, Redirect as WrittenRedirect, Rewrite as WrittenRewrite};
use super::route::Context;
use super::shape::{check_hostname, limit};
use super::{cors, mirror, path};
use crate::code;
use crate::cors::Cors;
use crate::document::Kind;
use crate::header::{Operations, changeable, is_host};
use crate::mirror::{MOST as MOST_MIRRORS, Mirror};
use crate::redirect::Redirect;
use crate::report::{Place, Report};
use crate::rewrite::Rewrite;
use std::collections::BTreeSet;

/// The Gateway API's own limit.
const MOST: usize = 16;
/// The salt of a rule's mirrors.
pub const OF_RULE: &str = "requestMirror";
const OF_BACKEND: &str = "backend.requestMirror";
const DEFAULT_REDIRECT: i64 = 302;
const REDIRECTS: [u16; 5] = [301, 302, 303, 307, 308];
/// Filters of which a list may have several.
const REPEATABLE: [&str; 2] = ["RequestMirror", "ExtensionRef"];
const OF_GRPC: [&str; 4] = ["RequestHeaderModifier", "ResponseHeaderModifier", "RequestMirror", "ExtensionRef"];

/// What filters are resolved with.
#[derive(Debug, Clone, Copy)]
pub struct Scope<'a> {
    /// Of the route.
    pub context: &'a Context<'a>,
    /// Whether the rule matches one prefix, which can be replaced.
    pub replaces_prefix: bool,
    /// Tells the draws of these mirrors from those of others.
    pub salt: &'static str,
}

/// What the filters of a rule or backend come to.
#[derive(Debug, Default)]
pub struct Filters {
    /// On the request.
    pub request: Operations,
    /// On the response.
    pub response: Operations,
    /// Where the client is sent.
    pub redirect: Option<Redirect>,
    /// What changes before the request is sent.
    pub rewrite: Option<Rewrite>,
    /// Who gets copies.
    pub mirrors: Vec<Mirror>,
    /// What browsers of other origins are told.
    pub cors: Option<Cors>,
}

/// Resolves the filters of a rule.
pub fn of_rule(written: &[Filter], scope: Scope<'_>, place: &Place, report: &mut Report<'_>) -> Filters {
    limit(written.len(), MOST, "filters", place, report);
    check_types(written, scope.context.kind, place, report);
    check_exclusive(written, place, report);
    let mut filters = Filters::default();
    for (index, filter) in written.iter().enumerate() {
        filters.take(filter, index, scope, &place.index(index), report);
    }
    limit(filters.mirrors.len(), MOST_MIRRORS, "mirrors", place, report);
    filters
}

/// Resolves the filters of a backend of a rule with these.
pub fn of_backend(
    written: &[Filter],
    rule: &Filters,
    scope: Scope<'_>,
    place: &Place,
    report: &mut Report<'_>,
) -> Filters {
    let filters = of_rule(written, Scope { salt: OF_BACKEND, ..scope }, place, report);
    // A request to the backend is copied to the mirrors of both. Too many of one alone have been reported.
    if !filters.mirrors.is_empty() && rule.mirrors.len().max(filters.mirrors.len()) <= MOST_MIRRORS {
        let sum = rule.mirrors.len() + filters.mirrors.len();
        limit(sum, MOST_MIRRORS, "mirrors of the rule and of the backend", place, report);
    }
    if let Some(index) = written.iter().position(|filter| filter.cors.is_some()) {
        report.no_effect(&place.index(index), "CORS of a backend", "put the filter into the rule");
    }
    filters
}

impl Filters {
    fn take(&mut self, written: &Filter, index: usize, scope: Scope<'_>, place: &Place, report: &mut Report<'_>) {
        if let Some(modifier) = &written.request_header_modifier {
            self.request = operations(modifier, &place.key("requestHeaderModifier"), report);
        }
        if let Some(modifier) = &written.response_header_modifier {
            self.response = operations(modifier, &place.key("responseHeaderModifier"), report);
        }
        if let Some(written) = &written.request_mirror {
            let salt = format!("{}.{index}", scope.salt);
            self.mirrors.extend(mirror::resolve(written, salt, scope.context, &place.key("requestMirror"), report));
        }
        if let Some(redirect) = &written.request_redirect {
            self.redirect = resolve_redirect(redirect, scope.replaces_prefix, &place.key("requestRedirect"), report);
        }
        if let Some(rewrite) = &written.url_rewrite {
            self.rewrite = Some(resolve_rewrite(rewrite, scope.replaces_prefix, &place.key("urlRewrite"), report));
        }
        if let Some(written) = &written.cors {
            self.cors = Some(cors::resolve(written, &place.key("cors"), report));
        }
    }
}

/// The fields of a filter, each with the type that it belongs to.
fn fields(filter: &Filter) -> [(&'static str, &'static str, bool); 8] {
    [
        ("RequestHeaderModifier", "requestHeaderModifier", filter.request_header_modifier.is_some()),
        ("ResponseHeaderModifier", "responseHeaderModifier", filter.response_header_modifier.is_some()),
        ("RequestMirror", "requestMirror", filter.request_mirror.is_some()),
        ("RequestRedirect", "requestRedirect", filter.request_redirect.is_some()),
        ("URLRewrite", "urlRewrite", filter.url_rewrite.is_some()),
        ("CORS", "cors", filter.cors.is_some()),
        ("ExtensionRef", "extensionRef", filter.extension_ref.is_some()),
        ("ExternalAuth", "externalAuth", filter.external_auth.is_some()),
    ]
}

/// Each type must be known and stand with its own field and no other, and only some may repeat.
fn check_types(written: &[Filter], kind: Kind, place: &Place, report: &mut Report<'_>) {
    let mut seen = BTreeSet::new();
    for (index, filter) in written.iter().enumerate() {
        let place = place.index(index);
        let name = filter.kind.as_str();
        let fields = fields(filter);
        let Some((_, own, there)) = fields.into_iter().find(|(known, ..)| *known == name) else {
            let help =
                "use RequestHeaderModifier, ResponseHeaderModifier, RequestMirror, RequestRedirect, URLRewrite or CORS";
            report.error(&place.key("type"), code::FILTER, format!("`{name}` is not a type of filter"), help);
            continue;
        };
        if matches!(name, "ExtensionRef" | "ExternalAuth") {
            let message = format!("{name}: no such filter is known here, and leaving it out would not be safe");
            let help = "remove it; policies of your own are filters of this proxy, which every route passes";
            report.error(&place.key("type"), code::FILTER, message, help);
        } else if kind == Kind::GrpcRoute && !OF_GRPC.contains(&name) {
            let message = format!("a GRPCRoute has no filter {name}");
            report.error(&place.key("type"), code::FILTER, message, "use an HTTPRoute, or remove the filter");
        } else if !there {
            report.error(&place, code::FILTER, format!("{name} needs the field `{own}`"), format!("add `{own}`"));
        }
        for (_, field, _) in fields.into_iter().filter(|(_, field, there)| *there && *field != own) {
            let message = format!("`{field}` does not belong to a filter of the type {name}");
            report.error(&place.key(field), code::CONFLICT, message, "remove it, or make it a filter of its own");
        }
        if !seen.insert(name) && !REPEATABLE.contains(&name) {
            let message = format!("{name} is there twice");
            report.error(&place, code::CONFLICT, message, "put both into one filter");
        }
    }
}

fn check_exclusive(written: &[Filter], place: &Place, report: &mut Report<'_>) {
    let redirect = written.iter().any(|filter| filter.request_redirect.is_some());
    let rewrite = written.iter().position(|filter| filter.url_rewrite.is_some());
    if let Some(index) = rewrite.filter(|_| redirect) {
        let message = "`requestRedirect` and `urlRewrite` exclude each other";
        report.error(&place.index(index).key("urlRewrite"), code::CONFLICT, message, "keep one of the two");
    }
}

fn operations(written: &HeaderModifier, place: &Place, report: &mut Report<'_>) -> Operations {
    let mut seen = BTreeSet::new();
    let mut remove = Vec::new();
    let removed = place.key("remove");
    limit(written.remove.len(), MOST, "headers", &removed, report);
    for (index, name) in written.remove.iter().enumerate() {
        remove.extend(header_name(name, &mut seen, &removed.index(index), report));
    }
    let set = values(&written.set, &mut seen, &place.key("set"), report);
    let add = values(&written.add, &mut seen, &place.key("add"), report);
    if remove.is_empty() && set.is_empty() && add.is_empty() && seen.is_empty() {
        let help = "add `set`, `add` or `remove`, or remove the filter";
        report.warning(place, code::FILTER, "the filter changes no header", help);
    }
    Operations::literal(remove, set, add)
}

fn values(
    written: &[HeaderValue],
    seen: &mut BTreeSet<String>,
    place: &Place,
    report: &mut Report<'_>,
) -> Vec<(String, String)> {
    limit(written.len(), MOST, "headers", place, report);
    let mut values = Vec::new();
    for (index, header) in written.iter().enumerate() {
        let place = place.index(index);
        if header.value.bytes().any(|byte| byte.is_ascii_control() && byte != b'\t') {
            let message = "the value has a control character";
            report.error(&place.key("value"), code::HEADER_VALUE, message, "write the value on one line");
        }
        let name = header_name(&header.name, seen, &place.key("name"), report);
        values.extend(name.map(|name| (name, header.value.clone())));
    }
    values
}

/// A name in lower case, of which only one action may speak.
fn header_name(name: &str, seen: &mut BTreeSet<String>, place: &Place, report: &mut Report<'_>) -> Option<String> {
    if is_host(name) {
        let help = "use the filter URLRewrite with `hostname`";
        report.error(place, code::HEADER_NAME, "the host is no header to change", help);
        return None;
    }
    let name = changeable(name, place, report)?;
    if !seen.insert(name.clone()) {
        let message = format!("`{name}` is changed twice, and which change comes last is open");
        report.error(place, code::CONFLICT, message, "keep one of the two");
    }
    Some(name)
}

fn resolve_redirect(
    written: &WrittenRedirect,
    replaces_prefix: bool,
    place: &Place,
    report: &mut Report<'_>,
) -> Option<Redirect> {
    if let Some(scheme) = written.scheme.as_ref().filter(|scheme| !matches!(scheme.as_str(), "http" | "https")) {
        let message = format!("`{scheme}` is not a scheme to redirect to");
        report.error(&place.key("scheme"), code::REDIRECT, message, "write http or https");
    }
    let hostname = precise_hostname(written.hostname.as_ref(), &place.key("hostname"), report);
    let port = written.port.map(|number| u16::try_from(number).ok().filter(|&port| port > 0));
    if let (Some(None), Some(number)) = (port, written.port) {
        let message = format!("{number} is not a port");
        report.error(&place.key("port"), code::REDIRECT, message, "use a number from 1 to 65535");
    }
    let change = written.path.as_ref();
    let change = change.and_then(|change| path::resolve_change(change, replaces_prefix, &place.key("path"), report));
    let number = written.status_code.unwrap_or(DEFAULT_REDIRECT);
    let Some(status) = REDIRECTS.into_iter().find(|&status| i64::from(status) == number) else {
        let message = format!("{number} is not a status to redirect with");
        report.error(&place.key("statusCode"), code::REDIRECT, message, "use 301, 302, 303, 307 or 308");
        return None;
    };
    Some(Redirect::changed(status, written.scheme.clone(), hostname, port.flatten(), change))
}

fn resolve_rewrite(written: &WrittenRewrite, replaces_prefix: bool, place: &Place, report: &mut Report<'_>) -> Rewrite {
    let hostname = precise_hostname(written.hostname.as_ref(), &place.key("hostname"), report);
    let change = written.path.as_ref();
    let change = change.and_then(|change| path::resolve_change(change, replaces_prefix, &place.key("path"), report));
    Rewrite::changed(change, hostname)
}

/// A host that is one name: no wildcard, no port.
fn precise_hostname(written: Option<&String>, place: &Place, report: &mut Report<'_>) -> Option<String> {
    let name = written.filter(|name| !name.is_empty())?;
    if name.contains('*') {
        let message = format!("`{name}` is a wildcard, which no request can be sent to");
        report.error(place, code::HOST, message, "write one DNS name");
        return None;
    }
    check_hostname(name, place, report).then(|| name.clone())
}
