//! The filter CORS.

use super::config::Cors as Written;
use super::shape::limit;
use crate::code;
use crate::cors::{Cors, Policy};
use crate::header::is_token;
use crate::report::{Place, Report};
use crate::text::Pattern;

/// The Gateway API's own limits.
const MOST: usize = 64;
const MOST_METHODS: usize = 9;
const DEFAULT_MAX_AGE: i64 = 5;
const METHODS: [&str; 10] = ["*", "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "CONNECT", "OPTIONS", "TRACE"];

/// Resolves a policy.
pub fn resolve(written: &Written, place: &Place, report: &mut Report<'_>) -> Cors {
    check_lists(written, place, report);
    let max_age = written.max_age.unwrap_or(DEFAULT_MAX_AGE);
    if max_age < 1 {
        let message = format!("{max_age} is not a number of seconds that a preflight can count");
        report.error(&place.key("maxAge"), code::POLICY_VALUE, message, "use 1 or more");
    }
    Cors::answering(Policy {
        origins: origins(&written.allow_origins, &place.key("allowOrigins"), report),
        methods: written.allow_methods.clone(),
        headers: written.allow_headers.clone(),
        exposed: exposed(written, &place.key("exposeHeaders"), report),
        max_age: u64::try_from(max_age).unwrap_or(0),
        credentials: written.allow_credentials == Some(true),
    })
}

/// The headers that may be read. With credentials a star is no wildcard (Fetch, section "CORS protocol"), and is not sent.
fn exposed(written: &Written, place: &Place, report: &mut Report<'_>) -> Vec<String> {
    let star = written.expose_headers.iter().any(|name| name == "*");
    if star && written.allow_credentials == Some(true) {
        let happens = "where credentials are allowed, a browser lets nothing be read for `*`, so it is not sent";
        report.no_effect(place, "exposeHeaders", happens);
        return Vec::new();
    }
    written.expose_headers.clone()
}

fn check_lists(written: &Written, place: &Place, report: &mut Report<'_>) {
    let methods = place.key("allowMethods");
    limit(written.allow_methods.len(), MOST_METHODS, "methods", &methods, report);
    check_star(&written.allow_methods, &methods, report);
    for (index, method) in written.allow_methods.iter().enumerate() {
        if !METHODS.contains(&method.as_str()) {
            let message = format!("`{method}` is not a method");
            report.error(
                &methods.index(index),
                code::POLICY_VALUE,
                message,
                "use a method of HTTP in capitals, or `*`",
            );
        }
    }
    for (list, member) in [(&written.allow_headers, "allowHeaders"), (&written.expose_headers, "exposeHeaders")] {
        let place = place.key(member);
        limit(list.len(), MOST, "headers", &place, report);
        check_star(list, &place, report);
        for (index, name) in list.iter().enumerate().filter(|(_, name)| !is_token(name)) {
            let message = format!("`{name}` is not the name of a header");
            report.error(&place.index(index), code::HEADER_NAME, message, "use letters, digits and hyphens, or `*`");
        }
    }
}

/// A star takes everything, so nothing may stand beside it.
fn check_star(list: &[String], place: &Place, report: &mut Report<'_>) {
    if list.len() > 1 && list.iter().any(|entry| entry == "*") {
        report.error(place, code::CONFLICT, "`*` stands with others, and takes all by itself", "keep only `*`");
    }
}

fn origins(written: &[String], place: &Place, report: &mut Report<'_>) -> Vec<Pattern> {
    limit(written.len(), MOST, "origins", place, report);
    check_star(written, place, report);
    let mut origins = Vec::new();
    for (index, origin) in written.iter().enumerate() {
        let place = place.index(index);
        if !is_origin(origin) {
            let message = format!("`{origin}` is not an origin");
            let help = "write SCHEME://HOST or SCHEME://HOST:PORT, with `*` at most as the first label of the host";
            report.error(&place, code::POLICY_VALUE, message, help);
        } else if let Some((scheme, rest)) = origin.split_once('*').filter(|(scheme, _)| !scheme.is_empty()) {
            // By itself the star takes every host and port, with more behind it any number of labels.
            let labels = if rest.is_empty() { ".+" } else { "[^/:]+" };
            let text = format!("{}{labels}{}", escaped(scheme), escaped(rest));
            origins.extend(Pattern::expression(&text, &place, report));
        } else {
            origins.push(Pattern::Exact(origin.clone()));
        }
    }
    origins
}

fn escaped(text: &str) -> String {
    text.chars().flat_map(|character| ['\\', character].into_iter().skip(usize::from(character != '.'))).collect()
}

fn is_origin(origin: &str) -> bool {
    if origin == "*" {
        return true;
    }
    let Some((scheme, authority)) = origin.split_once("://") else { return false };
    let (host, port) = authority.rsplit_once(':').map_or((authority, None), |(host, port)| (host, Some(port)));
    let host = host.strip_prefix('*').unwrap_or(host);
    let valid = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    let named = !authority.is_empty() && host.bytes().all(valid);
    let scheme_is_word = !scheme.is_empty() && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'+');
    named && scheme_is_word && port.is_none_or(|port| port.parse::<u16>().is_ok())
}
