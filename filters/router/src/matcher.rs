//! Reads the match blocks of a VirtualService into what the compiled matcher works with.

use crate::attachment::{self, MESH};
use crate::code;
use crate::config::{HttpMatch, StringMatch};
use crate::header::is_token;
use crate::matching::Condition;
pub use crate::matching::{Block, PathMatch};
use crate::report::{Place, Report};
use crate::text::{Allowed, Pattern};
use std::collections::BTreeMap;

/// How JWT claims are written where header names stand.
const CLAIM_PREFIX: &str = "@request.auth.claims";
/// Header names that Istio documents as ignored, since a field of their own means the same.
const IGNORED_NAMES: [&str; 4] = ["uri", "scheme", "method", "authority"];
const PSEUDO_HEADERS: [&str; 5] = [":method", ":path", ":scheme", ":authority", ":status"];

/// IANA's registry of methods (RFC 9110, section 16.1.1).
const METHODS: [&str; 40] = [
    "ACL",
    "BASELINE-CONTROL",
    "BIND",
    "CHECKIN",
    "CHECKOUT",
    "CONNECT",
    "COPY",
    "DELETE",
    "GET",
    "HEAD",
    "LABEL",
    "LINK",
    "LOCK",
    "MERGE",
    "MKACTIVITY",
    "MKCALENDAR",
    "MKCOL",
    "MKREDIRECTREF",
    "MKWORKSPACE",
    "MOVE",
    "OPTIONS",
    "ORDERPATCH",
    "PATCH",
    "POST",
    "PRI",
    "PROPFIND",
    "PROPPATCH",
    "PUT",
    "QUERY",
    "REBIND",
    "REPORT",
    "SEARCH",
    "TRACE",
    "UNBIND",
    "UNCHECKOUT",
    "UNLINK",
    "UNLOCK",
    "UPDATE",
    "UPDATEREDIRECTREF",
    "VERSION-CONTROL",
];

/// What the blocks of a document are resolved with.
#[derive(Debug, Clone, Copy)]
pub struct Surroundings<'a> {
    /// The document's namespace, where the names of gateways stand.
    pub own: &'a str,
    /// The gateways that the document is bound to; none for a delegate, which is bound to what its roots are.
    pub gateways: Option<&'a [String]>,
    /// The proxy's own namespace, which `sourceNamespace` is compared with.
    pub namespace: &'a str,
    /// Whether the document is bound to `mesh`.
    pub mesh: bool,
}

impl Block {
    /// Resolves a block as written.
    pub fn resolve(written: &HttpMatch, around: &Surroundings<'_>, place: &Place, report: &mut Report<'_>) -> Self {
        let impossible = caller(written, around, place, report);
        let path = path(written, place, report);
        check_method(written, &place.key("method"), report);
        let mut conditions = Vec::new();
        let mut one = |field: &str, text: Option<&StringMatch>, condition: fn(Pattern) -> Condition| {
            let pattern = text.and_then(|text| Pattern::resolve(text, Allowed::Value, &place.key(field), report));
            conditions.extend(pattern.map(condition));
        };
        one("method", written.method.as_ref(), Condition::Method);
        one("scheme", written.scheme.as_ref(), Condition::Scheme);
        one("authority", written.authority.as_ref(), Condition::Authority);
        conditions.extend(port(written.port, &place.key("port"), report).map(Condition::Port));
        conditions.extend(query(&written.query_params, &place.key("queryParams"), report));
        let (of_headers, claim) = headers(&written.headers, around, &place.key("headers"), report);
        conditions.extend(of_headers);
        conditions.extend(without_headers(&written.without_headers, around, &place.key("withoutHeaders"), report));
        let name = written.name.clone();
        let gateways = gateways(written, around, &place.key("gateways"), report);
        conditions.shrink_to_fit();
        Self { name, impossible: impossible.or(claim), path, conditions, gateways, ..Self::default() }
    }
}

/// Methods are an open set (RFC 9110, section 9.1), and one that nobody has registered is more likely misspelt.
fn check_method(written: &HttpMatch, place: &Place, report: &mut Report<'_>) {
    let Some(method) = written.method.as_ref().and_then(|method| method.exact.as_deref()) else { return };
    if !method.is_empty() && !METHODS.contains(&method) {
        let message = format!("`{method}` is not a method of HTTP that is registered");
        report.warning(place, code::DEPRECATED, message, "methods are written in capitals, such as GET");
    }
}

fn path(written: &HttpMatch, place: &Place, report: &mut Report<'_>) -> Option<Pattern> {
    let uri = written.uri.as_ref()?;
    let pattern = Pattern::resolve(uri, Allowed::EmptyPrefix, &place.key("uri"), report)?;
    if written.ignore_uri_case == Some(true) && matches!(pattern, Pattern::Regex(..)) {
        let message = "`ignoreUriCase` has no effect on an expression";
        report.note(&place.key("ignoreUriCase"), code::NO_EFFECT, message, "put `(?i)` at the start of the expression");
    }
    Some(if written.ignore_uri_case == Some(true) { pattern.any_case() } else { pattern })
}

/// The gateways that the block is restricted to.
fn gateways(
    written: &HttpMatch,
    around: &Surroundings<'_>,
    place: &Place,
    report: &mut Report<'_>,
) -> Option<Vec<String>> {
    if written.gateways.is_empty() {
        return None;
    }
    let gateways = attachment::gateways(&written.gateways, around.own, place, report);
    let unbound = |gateway: &String| around.gateways.is_some_and(|bound| !bound.contains(gateway));
    for (index, gateway) in gateways.iter().enumerate().filter(|(_, gateway)| unbound(gateway)) {
        let message = format!("the resource is not bound to `{gateway}`, so the block never matches there");
        let help = "add the gateway to `spec.gateways`, or remove it here";
        report.warning(&place.index(index), code::NEVER_MATCHES, message, help);
    }
    Some(gateways)
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

/// Why the caller's workload cannot be what the block asks for. That is decided here and now: the only workload that a
/// proxy without labels knows of is itself.
fn caller(written: &HttpMatch, around: &Surroundings<'_>, place: &Place, report: &mut Report<'_>) -> Option<String> {
    if !written.gateways.is_empty() && !written.gateways.iter().any(|gateway| gateway == MESH) {
        for (field, there) in [
            ("sourceLabels", !written.source_labels.is_empty()),
            ("sourceNamespace", written.source_namespace.is_some()),
        ] {
            if there {
                report.no_effect(&place.key(field), field, "callers of a gateway are no workloads of the mesh");
            }
        }
        return None;
    }
    let help = "move the rule to a resource of its own for the proxies that it is meant for";
    if !written.source_labels.is_empty() {
        let reason = "this proxy has no labels that `sourceLabels` could match";
        report.warning(
            &place.key("sourceLabels"),
            code::NEVER_MATCHES,
            format!("the block never matches: {reason}"),
            help,
        );
        return Some(reason.to_owned());
    }
    let namespace = written.source_namespace.as_deref().filter(|namespace| *namespace != around.namespace)?;
    let reason = format!("this proxy is in the namespace {}, not in {namespace}", around.namespace);
    report.warning(
        &place.key("sourceNamespace"),
        code::NEVER_MATCHES,
        format!("the block never matches: {reason}"),
        help,
    );
    Some(reason)
}

fn query(written: &BTreeMap<String, Option<StringMatch>>, place: &Place, report: &mut Report<'_>) -> Vec<Condition> {
    let mut conditions = Vec::new();
    for (name, text) in written {
        let pattern = present(text.as_ref(), Allowed::Presence, &place.key(name), report);
        conditions.extend(pattern.map(|pattern| Condition::Query(name.clone(), pattern)));
    }
    conditions
}

/// The conditions, and why they can never hold where that is known.
fn headers(
    written: &BTreeMap<String, Option<StringMatch>>,
    around: &Surroundings<'_>,
    place: &Place,
    report: &mut Report<'_>,
) -> (Vec<Condition>, Option<String>) {
    let mut conditions = Vec::new();
    let mut impossible = None;
    for (name, text) in written {
        let place = place.key(name);
        let pattern = present(text.as_ref(), Allowed::Presence, &place, report);
        if is_claim(name, around, &place, report) {
            let reason = format!("no filter has verified a token, so {name} is absent");
            let help = "keep such rules out until tokens are verified here";
            report.warning(&place, code::NEVER_MATCHES, format!("the block never matches: {reason}"), help);
            impossible = Some(reason);
        } else if let Some(name) = comparable(name, &place, report) {
            conditions.extend(pattern.map(|pattern| Condition::Header(name, pattern)));
        }
    }
    (conditions, impossible)
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
            let message = format!("no filter has verified a token, so {name} is absent and the condition always holds");
            let help = "keep such rules out until tokens are verified here";
            report.warning(&place, code::NEVER_MATCHES, message, help);
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
    if !names_a_claim(name) {
        let help = "write @request.auth.claims.NAME, or @request.auth.claims[NAME][NAME] for claims within claims";
        report.error(place, code::HEADER_NAME, format!("`{name}` does not name a claim"), help);
    }
    if around.mesh {
        let help = "bind the resource to a gateway and not to `mesh`";
        report.error(place, code::CONFLICT, "claims of a token can only be matched at a gateway", help);
    }
    true
}

/// Whether names follow the prefix of claims: with dots, or each in brackets.
fn names_a_claim(name: &str) -> bool {
    let path = name.strip_prefix(CLAIM_PREFIX).unwrap_or_default();
    if let Some(names) = path.strip_prefix('.') {
        return names.split('.').all(|name| !name.is_empty() && !name.contains(['[', ']']));
    }
    let names = path.strip_prefix('[').and_then(|path| path.strip_suffix(']'));
    names.is_some_and(|names| names.split("][").all(|name| !name.is_empty() && !name.contains(['[', ']'])))
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
