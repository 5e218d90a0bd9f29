//! Matches of routes, and how they rank.

use super::config::{Comparison, GrpcMatch, GrpcMethod, HttpMatch, PathMatch};
use super::path;
use crate::code;
use crate::header::is_token;
use crate::matching::{Block, Condition, Specificity};
use crate::report::{Place, Report};
use crate::text::Pattern;
use std::collections::BTreeSet;

const METHODS: [&str; 9] = ["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"];
const MOST_COMPARISONS: usize = 16;

/// How the kinds of paths rank; within one the longer goes first. An expression comes last, as in Istio: the Gateway API
/// leaves its place open.
const EXACT: u32 = 3;
const PREFIX: u32 = 2;
const EXPRESSION: u32 = 1;
/// More than any path has characters.
const PER_KIND: u32 = 1 << 16;

impl Block {
    /// Resolves a match of an HTTPRoute.
    pub fn of_http(written: &HttpMatch, place: &Place, report: &mut Report<'_>) -> Self {
        let (pattern, rank) = http_path(written.path.as_ref(), &place.key("path"), report);
        let mut conditions = Vec::new();
        if let Some(method) = &written.method {
            if !METHODS.contains(&method.as_str()) {
                let message = format!("`{method}` is not a method");
                report.error(&place.key("method"), code::MATCH, message, "use a method of HTTP in capitals");
            }
            conditions.push(Condition::Method(Pattern::Exact(method.clone())));
        }
        let headers = headers(&written.headers, &place.key("headers"), report);
        let query = query(&written.query_params, &place.key("queryParams"), report);
        let specificity =
            Specificity::by([0, rank, u32::from(written.method.is_some()), count(&headers), count(&query)]);
        conditions.extend(headers);
        conditions.extend(query);
        Self { path: pattern, conditions, specificity, ..Self::default() }
    }

    /// Resolves a match of a GRPCRoute: services and methods are the two segments of a path.
    pub fn of_grpc(written: &GrpcMatch, place: &Place, report: &mut Report<'_>) -> Self {
        let method = written.method.as_ref();
        let (pattern, rank) = method.map_or((None, 0), |method| grpc_path(method, &place.key("method"), report));
        let conditions = headers(&written.headers, &place.key("headers"), report);
        let specificity = Specificity::by([0, rank, 0, count(&conditions), 0]);
        Self { path: pattern, conditions, specificity, ..Self::default() }
    }
}

/// The path of a match that says nothing of it.
fn every_path() -> (Option<Pattern>, u32) {
    (Some(Pattern::Segments(String::new())), rank(PREFIX, 1))
}

fn rank(kind: u32, length: usize) -> u32 {
    kind * PER_KIND + u32::try_from(length).unwrap_or(PER_KIND).min(PER_KIND - 1)
}

fn count(conditions: &[Condition]) -> u32 {
    u32::try_from(conditions.len()).unwrap_or(u32::MAX)
}

fn http_path(written: Option<&PathMatch>, place: &Place, report: &mut Report<'_>) -> (Option<Pattern>, u32) {
    let Some(written) = written else { return every_path() };
    let value = written.value.as_deref().unwrap_or("/");
    let kind = written.kind.as_deref().unwrap_or("PathPrefix");
    let value_place = place.key("value");
    if kind == "RegularExpression" {
        return (Pattern::expression(value, &value_place, report), rank(EXPRESSION, value.len()));
    }
    if let Err(reason) = path::check(value) {
        let help = "write the path as requests have it: from `/` on, percent-encoded, without `.` segments";
        report.error(&value_place, code::MATCH, format!("the path `{value}` {reason}"), help);
    }
    match kind {
        "Exact" => (Some(Pattern::Exact(value.to_owned())), rank(EXACT, value.len())),
        "PathPrefix" => {
            let segments = value.strip_suffix('/').unwrap_or(value).to_owned();
            (Some(Pattern::Segments(segments)), rank(PREFIX, value.len()))
        }
        other => {
            let message = format!("`{other}` is not a way to match a path");
            report.error(&place.key("type"), code::MATCH, message, "use Exact, PathPrefix or RegularExpression");
            every_path()
        }
    }
}

fn grpc_path(written: &GrpcMethod, place: &Place, report: &mut Report<'_>) -> (Option<Pattern>, u32) {
    let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    let (service, method) = (given(&written.service), given(&written.method));
    let length = service.as_ref().map_or(0, String::len) + method.as_ref().map_or(0, String::len);
    if service.is_none() && method.is_none() {
        let help = "write `service`, `method` or both, or leave the condition out";
        report.error(place, code::MATCH, "neither a service nor a method is named", help);
        return (None, 0);
    }
    match written.kind.as_deref().unwrap_or("Exact") {
        "Exact" => {
            check_grpc_names(service.as_deref(), method.as_deref(), place, report);
            match (service, method) {
                (Some(service), Some(method)) => {
                    (Some(Pattern::Exact(format!("/{service}/{method}"))), rank(EXACT, length))
                }
                (Some(service), None) => (Some(Pattern::Segments(format!("/{service}"))), rank(PREFIX, length)),
                (None, method) => {
                    let text = format!("/[^/]+/{}", method.unwrap_or_default());
                    (Pattern::expression(&text, &place.key("method"), report), rank(EXPRESSION, length))
                }
            }
        }
        "RegularExpression" => {
            let part = |text: Option<String>| text.map_or_else(|| "[^/]+".to_owned(), |text| format!("(?:{text})"));
            let text = format!("/{}/{}", part(service), part(method));
            (Pattern::expression(&text, place, report), rank(EXPRESSION, length))
        }
        other => {
            let message = format!("`{other}` is not a way to match a method");
            report.error(&place.key("type"), code::MATCH, message, "use Exact or RegularExpression");
            (None, 0)
        }
    }
}

fn check_grpc_names(service: Option<&str>, method: Option<&str>, place: &Place, report: &mut Report<'_>) {
    let word = |text: &str| {
        let start = text.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_');
        start && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    };
    for (field, wrong) in [
        ("service", service.filter(|service| !service.split('.').all(word))),
        ("method", method.filter(|method| !word(method))),
    ] {
        if let Some(wrong) = wrong {
            let message = format!("`{wrong}` is not the name of a {field}");
            let help = "use letters, digits and underscores, with dots between the names of packages";
            report.error(&place.key(field), code::MATCH, message, help);
        }
    }
}

fn headers(written: &[Comparison], place: &Place, report: &mut Report<'_>) -> Vec<Condition> {
    super::shape::limit(written.len(), MOST_COMPARISONS, "headers", place, report);
    check_names(written, place, report);
    let mut seen = BTreeSet::new();
    let mut conditions = Vec::new();
    for (index, header) in written.iter().enumerate() {
        let place = place.index(index);
        let pattern = pattern(header, &place, report);
        let name = header.name.to_ascii_lowercase();
        if seen.insert(name.clone()) {
            conditions.extend(pattern.map(|pattern| Condition::Header(name, pattern)));
        } else if written.iter().take(index).all(|known| known.name != header.name) {
            let message = format!("`{}` stands there in another case, and only the first counts", header.name);
            report.warning(&place.key("name"), code::NO_EFFECT, message, "remove the entry");
        }
    }
    conditions
}

fn query(written: &[Comparison], place: &Place, report: &mut Report<'_>) -> Vec<Condition> {
    super::shape::limit(written.len(), MOST_COMPARISONS, "query parameters", place, report);
    check_names(written, place, report);
    let mut conditions = Vec::new();
    for (index, parameter) in written.iter().enumerate() {
        let pattern = pattern(parameter, &place.index(index), report);
        conditions.extend(pattern.map(|pattern| Condition::Query(parameter.name.clone(), pattern)));
    }
    conditions
}

fn check_names(written: &[Comparison], place: &Place, report: &mut Report<'_>) {
    for (index, comparison) in written.iter().enumerate() {
        let place = place.index(index).key("name");
        let name = &comparison.name;
        if !is_token(name) {
            let help = "use letters, digits and hyphens";
            report.error(&place, code::HEADER_NAME, format!("`{name}` is not a name"), help);
        } else if written.iter().take(index).any(|known| known.name == *name) {
            let message = format!("`{name}` stands there twice");
            report.error(&place, code::CONFLICT, message, "keep one of the two");
        }
    }
}

fn pattern(written: &Comparison, place: &Place, report: &mut Report<'_>) -> Option<Pattern> {
    match written.kind.as_deref().unwrap_or("Exact") {
        "Exact" if written.value.is_empty() => {
            report.error(place, code::MATCH, "there is no value to compare with", "add `value`");
            None
        }
        "Exact" => Some(Pattern::Exact(written.value.clone())),
        "RegularExpression" => Pattern::expression(&written.value, &place.key("value"), report),
        other => {
            let message = format!("`{other}` is not a way to compare a value");
            report.error(&place.key("type"), code::MATCH, message, "use Exact or RegularExpression");
            None
        }
    }
}
