//! `HTTPRoute` and `GRPCRoute`, resolved into the documents that the matcher works with.

use super::backend::{self, no_backend};
use super::config::{self, BackendRef, Filter, GrpcRoute, GrpcRule, HttpMatch, HttpRoute, HttpRule};
use super::filter::{self, Filters, Scope};
use super::grant::Grants;
use super::parent::{self, Parent};
use super::shape::{check_hostname, is_section_name, limit};
use super::timing::{self, Timing};
use crate::code;
use crate::document::{Age, Document, Kind};
use crate::fault::Fault;
use crate::header::Level;
use crate::matching::Block;
use crate::report::{Place, Report};
use crate::rule::{Action, Route, Rule};
use crate::target::{Naming, Targets};
use serde::de::DeserializeOwned;
use serde_json::Value;
use sluicegate_sdk::{Environment, Resource};
use std::cell::Cell;

/// The Gateway API's own limits.
const MOST_HOSTNAMES: usize = 16;
const MOST_RULES: usize = 16;
const MOST_MATCHES: usize = 64;
const MOST_MATCHES_OF_ALL: usize = 128;

/// What the rules of a route are resolved with.
#[derive(Debug)]
pub struct Context<'a> {
    /// Of the backends.
    pub naming: Naming<'a>,
    /// The kind of route.
    pub kind: Kind,
    /// Which backends of other namespaces may be used.
    pub grants: &'a Grants,
    /// `NAMESPACE/NAME` of the document.
    pub document: String,
}

/// A rule of either kind.
struct Parts<'a> {
    name: Option<&'a String>,
    blocks: Vec<Block>,
    replaces_prefix: bool,
    filters: &'a [Filter],
    backends: &'a [BackendRef],
    timing: Timing,
    session: Option<&'a Value>,
}

/// Resolves a document; nothing comes of one that cannot be read.
pub fn resolve(
    resource: &Resource,
    environment: &Environment,
    grants: &Grants,
    report: &mut Report<'_>,
) -> Option<Document> {
    let kind = if resource.kind == "GRPCRoute" { Kind::GrpcRoute } else { Kind::HttpRoute };
    let naming = Naming { environment, namespace: &resource.namespace };
    let document = format!("{}/{}", resource.namespace, resource.name);
    let context = Context { naming, kind, grants, document };
    let (hostnames, parents, rules) = if kind == Kind::GrpcRoute {
        let written: GrpcRoute = read(resource, report)?;
        let rules = grpc_rules(&written.rules, &context, report);
        (written.hostnames, written.parent_refs, rules)
    } else {
        let written: HttpRoute = read(resource, report)?;
        let rules = http_rules(&written.rules, &context, report);
        (written.hostnames, written.parent_refs, rules)
    };
    let parents = parent::resolve(&parents, naming, report);
    let hosts = hosts(&hostnames, report);
    let gateways = parents.iter().filter_map(parent_name).collect();
    let Context { document: name, .. } = context;
    let (namespace, origin) = (resource.namespace.clone(), resource.origin.clone());
    let age = Age::of(resource);
    Some(Document {
        kind,
        name,
        namespace,
        origin,
        resource: resource.into(),
        hosts,
        gateways,
        rules,
        tls: Vec::new(),
        parents,
        on_mesh: Cell::new(false),
        age,
        linked: false,
    })
}

pub(super) fn read<T: DeserializeOwned>(resource: &Resource, report: &mut Report<'_>) -> Option<T> {
    match config::read(resource) {
        Ok(written) => Some(written),
        Err(error) => {
            let help = format!("compare the resource with the Gateway API's reference of {}", resource.kind);
            report.error(&Place::spec(), code::UNREADABLE, error.to_string(), help);
            None
        }
    }
}

/// How people read a parent.
pub(super) fn parent_name(parent: &Parent) -> Option<String> {
    match parent {
        Parent::Gateway { namespace, name, .. } => Some(format!("{namespace}/{name}")),
        Parent::Service { name, .. } => Some(name.clone()),
        Parent::Unknown => None,
    }
}

/// The hosts, `*` for a route that names none.
pub(super) fn hosts(written: &[String], report: &mut Report<'_>) -> Vec<(usize, String)> {
    let place = Place::spec().key("hostnames");
    limit(written.len(), MOST_HOSTNAMES, "hosts", &place, report);
    if written.is_empty() {
        return vec![(0, "*".to_owned())];
    }
    let named = written.iter().enumerate().filter(|(index, name)| check_hostname(name, &place.index(*index), report));
    named.map(|(index, name)| (index, name.to_ascii_lowercase())).collect()
}

fn http_rules(written: &[HttpRule], context: &Context<'_>, report: &mut Report<'_>) -> Vec<Rule> {
    check_counts(written.iter().map(|rule| rule.matches.len()), report);
    let parts = |rule, place: &Place, report: &mut Report<'_>| http_parts(rule, place, report);
    rules(written, &HttpRule::default(), parts, context, report)
}

fn http_parts<'a>(rule: &'a HttpRule, place: &Place, report: &mut Report<'_>) -> Parts<'a> {
    let matches = place.key("matches");
    let blocks = rule.matches.iter().enumerate();
    let mut blocks: Vec<Block> =
        blocks.map(|(index, block)| Block::of_http(block, &matches.index(index), report)).collect();
    if blocks.is_empty() {
        blocks.push(Block::of_http(&HttpMatch::default(), &matches, report));
    }
    Parts {
        name: rule.name.as_ref(),
        blocks,
        replaces_prefix: replaces_prefix(&rule.matches),
        filters: &rule.filters,
        backends: &rule.backend_refs,
        timing: timing::resolve(rule.timeouts.as_ref(), rule.retry.as_ref(), place, report),
        session: rule.session_persistence.as_ref(),
    }
}

/// Whether a rule has one match, and that a prefix: only then it is clear what is replaced.
fn replaces_prefix(matches: &[HttpMatch]) -> bool {
    let is_prefix = |written: &HttpMatch| {
        let kind = written.path.as_ref().and_then(|path| path.kind.as_deref());
        kind.is_none_or(|kind| kind == "PathPrefix")
    };
    matches.len() < 2 && matches.iter().all(is_prefix)
}

fn grpc_rules(written: &[GrpcRule], context: &Context<'_>, report: &mut Report<'_>) -> Vec<Rule> {
    check_counts(written.iter().map(|rule| rule.matches.len()), report);
    let parts = |rule, place: &Place, report: &mut Report<'_>| grpc_parts(rule, place, report);
    rules(written, &GrpcRule::default(), parts, context, report)
}

fn grpc_parts<'a>(rule: &'a GrpcRule, place: &Place, report: &mut Report<'_>) -> Parts<'a> {
    let matches = place.key("matches");
    let blocks = rule.matches.iter().enumerate();
    let mut blocks: Vec<Block> =
        blocks.map(|(index, block)| Block::of_grpc(block, &matches.index(index), report)).collect();
    if blocks.is_empty() {
        blocks.push(Block::of_grpc(&config::GrpcMatch::default(), &matches, report));
    }
    Parts {
        name: rule.name.as_ref(),
        blocks,
        replaces_prefix: false,
        filters: &rule.filters,
        backends: &rule.backend_refs,
        timing: (None, None),
        session: rule.session_persistence.as_ref(),
    }
}

/// Resolves a list of rules; a route without any has one that says nothing.
fn rules<'a, T>(
    written: &'a [T],
    default: &'a T,
    parts: impl Fn(&'a T, &Place, &mut Report<'_>) -> Parts<'a>,
    context: &Context<'_>,
    report: &mut Report<'_>,
) -> Vec<Rule> {
    let place = Place::spec().key("rules");
    let mut names: Vec<&String> = Vec::new();
    let mut rules = Vec::new();
    let written = if written.is_empty() { std::slice::from_ref(default) } else { written };
    for (index, rule) in written.iter().enumerate() {
        let place = place.index(index);
        let parts = parts(rule, &place, report);
        check_name(parts.name, &mut names, &place.key("name"), report);
        rules.push(resolve_rule(parts, index, context, &place, report));
    }
    rules
}

fn resolve_rule(parts: Parts<'_>, index: usize, context: &Context<'_>, place: &Place, report: &mut Report<'_>) -> Rule {
    let scope = Scope { context, replaces_prefix: parts.replaces_prefix, salt: filter::OF_RULE };
    let filters = filter::of_rule(parts.filters, scope, &place.key("filters"), report);
    let backends = place.key("backendRefs");
    let targets = backend::resolve(parts.backends, &filters, scope, &backends, report);
    if filters.redirect.is_some() && !parts.backends.is_empty() {
        let message = "`backendRefs` and the filter RequestRedirect exclude each other";
        report.error(&backends, code::CONFLICT, message, "remove one of the two");
    }
    if parts.session.is_some() {
        let happens = "which backend gets a request does not depend on a session";
        report.no_effect(&place.key("sessionPersistence"), "sessionPersistence", happens);
    }
    let name = parts.name.filter(|name| !name.is_empty()).cloned();
    let name = name.unwrap_or_else(|| format!("{}/{index}", context.document));
    let Filters { request: _, response, redirect, rewrite, mirrors, cors } = filters;
    let headers = Level { response, ..Level::default() };
    let action = match redirect {
        Some(redirect) => Action::Redirect(redirect),
        None if targets.is_empty() => {
            report_no_backend(parts.backends, place, report);
            Action::Answer(no_backend(context.kind))
        }
        None => {
            let (timeout, retries) = parts.timing;
            let sum = targets.iter().map(|target| target.weight).sum();
            let targets = Targets::Split(targets, sum);
            let fault = Fault::default();
            Action::Route(Box::new(Route { targets, rewrite, timeout, retries, fault, mirrors }))
        }
    };
    let cors = cors.map(Box::new);
    Rule { name, index, delegate: None, blocks: parts.blocks, action, headers, cors }
}

fn report_no_backend(backends: &[BackendRef], place: &Place, report: &mut Report<'_>) {
    let (place, message) = match backends {
        [] => (place.clone(), "the rule has no backends, so it answers all its requests with an error"),
        _ => (place.key("backendRefs"), "no backend gets a share, so the rule answers its requests with an error"),
    };
    report.warning(&place, code::BACKEND, message, "add a backend with a weight above 0");
}

fn check_counts(matches: impl ExactSizeIterator<Item = usize>, report: &mut Report<'_>) {
    let place = Place::spec().key("rules");
    limit(matches.len(), MOST_RULES, "rules", &place, report);
    let mut all = 0;
    for (index, count) in matches.enumerate() {
        all += count;
        limit(count, MOST_MATCHES, "matches", &place.index(index).key("matches"), report);
    }
    limit(all, MOST_MATCHES_OF_ALL, "matches of all rules together", &place, report);
}

fn check_name<'a>(name: Option<&'a String>, seen: &mut Vec<&'a String>, place: &Place, report: &mut Report<'_>) {
    let Some(name) = name else { return };
    if !is_section_name(name) {
        let message = format!("`{name}` is not the name of a rule");
        report.error(place, code::MATCH, message, "use small letters, digits, hyphens and dots");
    } else if seen.contains(&name) {
        let message = format!("another rule has the name `{name}` already");
        report.error(place, code::CONFLICT, message, "give every rule a name of its own");
    }
    seen.push(name);
}
