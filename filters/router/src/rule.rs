//! One rule: which requests it takes, and what becomes of them.

use crate::answer::FixedAnswer;
use crate::code;
use crate::config::{HttpMatch, HttpRoute};
use crate::cors::Cors;
use crate::duration;
use crate::fault::Fault;
use crate::header::Level;
use crate::inert;
use crate::matcher::{Block, Surroundings};
use crate::mirror::{self, Mirror};
use crate::redirect::Redirect;
use crate::report::{Place, Report};
use crate::retry;
use crate::rewrite::Rewrite;
use crate::target::{self, Naming, Targets};
use sluicegate_sdk::RetryPolicy;

/// A resolved rule.
#[derive(Debug)]
pub struct Rule {
    /// Its name, or `NAMESPACE/NAME/INDEX`.
    pub name: String,
    /// Its place in the resource, from 0.
    pub index: usize,
    /// The resource that has the rule, where it was delegated.
    pub delegate: Option<Delegated>,
    /// At least one; a request must match one of them.
    pub blocks: Vec<Block>,
    /// What becomes of the request.
    pub action: Action,
    /// The rule's own header operations; those on the request are part of the targets, too.
    pub headers: Level,
    /// What browsers of other origins are told.
    pub cors: Option<Box<Cors>>,
}

/// Where a rule that was delegated stands.
#[derive(Debug)]
pub struct Delegated {
    /// `NAMESPACE/NAME` of the delegate.
    pub name: String,
    /// `file:line` of the delegate.
    pub origin: String,
    /// The rule's place there, from 0.
    pub index: usize,
}

/// What becomes of a request.
#[derive(Debug)]
pub enum Action {
    /// It is sent to a service, or to several.
    Route(Box<Route>),
    /// The client is sent elsewhere.
    Redirect(Redirect),
    /// It is answered here.
    Answer(FixedAnswer),
}

/// How a request is sent.
#[derive(Debug)]
pub struct Route {
    /// Where to.
    pub targets: Targets,
    /// What changes before.
    pub rewrite: Option<Rewrite>,
    /// For the whole exchange, in milliseconds.
    pub timeout: Option<u64>,
    /// When to try again.
    pub retries: Option<RetryPolicy>,
    /// What is made to go wrong.
    pub fault: Fault,
    /// Who gets a copy.
    pub mirrors: Vec<Mirror>,
}

/// What the rules of a document are resolved with.
#[derive(Debug)]
pub struct Context<'a> {
    /// Of the destinations.
    pub naming: Naming<'a>,
    /// Of the match blocks.
    pub around: Surroundings<'a>,
    /// `NAMESPACE/NAME` of the document.
    pub document: String,
    /// Whether the document has no hosts and so serves as a delegate.
    pub delegate: bool,
}

impl Rule {
    /// Resolves the rule that stands at `place`; nothing comes of one that only delegates, or that has errors.
    pub fn resolve(
        written: &HttpRoute,
        index: usize,
        context: &Context<'_>,
        place: &Place,
        report: &mut Report<'_>,
    ) -> Option<Self> {
        check_conflicts(written, context, place, report);
        inert::report(written, place, report);
        let headers = Level::resolve(written.headers.as_ref(), &place.key("headers"), report);
        check_authority_set_once(written, &headers, place, report);
        let blocks = blocks(&written.matches, &context.around, &place.key("match"), report);
        let action = action(written, &headers, context, place, report);
        let cors = written.cors_policy.as_ref();
        let cors = cors.map(|cors| Box::new(Cors::resolve(cors, &place.key("corsPolicy"), report)));
        let name = written.name.clone().filter(|name| !name.is_empty());
        let name = name.unwrap_or_else(|| format!("{}/{index}", context.document));
        Some(Self { name, index, delegate: None, blocks, action: action?, headers, cors })
    }

    /// The name that logs and metrics give a request that matched `block`.
    pub fn name_with(&self, block: &Block) -> String {
        match &block.name {
            Some(name) if !name.is_empty() => format!("{}.{name}", self.name),
            _ => self.name.clone(),
        }
    }
}

fn blocks(
    written: &[Option<HttpMatch>],
    around: &Surroundings<'_>,
    place: &Place,
    report: &mut Report<'_>,
) -> Vec<Block> {
    if written.is_empty() {
        return vec![Block::everything()];
    }
    let mut blocks = Vec::with_capacity(written.len());
    for (index, block) in written.iter().enumerate() {
        blocks.push(match block {
            Some(block) => Block::resolve(block, around, &place.index(index), report),
            None => Block::everything(),
        });
    }
    blocks
}

fn action(
    written: &HttpRoute,
    headers: &Level,
    context: &Context<'_>,
    place: &Place,
    report: &mut Report<'_>,
) -> Option<Action> {
    // Resolved in any case: everything that is wrong is reported at once, also of actions that exclude each other.
    let redirect = written.redirect.as_ref().map(|redirect| {
        check_prefix_rewrite(written, place, report);
        Redirect::resolve(redirect, &place.key("redirect"), report)
    });
    let answer = written.direct_response.as_ref();
    let answer = answer.map(|answer| FixedAnswer::resolve(answer, &place.key("directResponse"), report));
    let route = route(written, headers, context, place, report);
    match (redirect, answer) {
        (Some(redirect), _) => redirect.map(Action::Redirect),
        (None, Some(answer)) => answer.map(Action::Answer),
        (None, None) => route.map(|route| Action::Route(Box::new(route))),
    }
}

fn route(
    written: &HttpRoute,
    headers: &Level,
    context: &Context<'_>,
    place: &Place,
    report: &mut Report<'_>,
) -> Option<Route> {
    let rewrite = written.rewrite.as_ref().map(|rewrite| Rewrite::resolve(rewrite, &place.key("rewrite"), report));
    let timeout = duration::resolve(written.timeout.as_ref(), &place.key("timeout"), report);
    let retries = retry::resolve(written.retries.as_ref(), timeout, &place.key("retries"), report);
    let fault = written.fault.as_ref().map(|fault| Fault::resolve(fault, &place.key("fault"), report));
    let fault = fault.unwrap_or_default();
    let mirrors = mirror::resolve(written, context.naming, place, report);
    if written.route.is_empty() {
        note_idle_mirrors(written, "no service gets the request itself", place, report);
        return None;
    }
    let targets = target::resolve(&written.route, headers, context.naming, &place.key("route"), report)?;
    if matches!(targets, Targets::Compose { .. }) {
        note_composed(written, &fault, place, report);
    }
    Some(Route { targets, rewrite, timeout, retries, fault, mirrors })
}

/// What a composition cannot have: its calls are the composer's.
fn note_composed(written: &HttpRoute, fault: &Fault, place: &Place, report: &mut Report<'_>) {
    if written.retries.is_some() {
        report.no_effect(&place.key("retries"), "retries", "composed calls are made once");
    }
    if fault.delays() {
        report.no_effect(&place.key("fault").key("delay"), "delay", "composed calls are made at once");
    }
    note_idle_mirrors(written, "composed calls are not copied", place, report);
}

fn note_idle_mirrors(written: &HttpRoute, happens: &str, place: &Place, report: &mut Report<'_>) {
    for (field, present) in [("mirror", written.mirror.is_some()), ("mirrors", !written.mirrors.is_empty())] {
        if present {
            report.no_effect(&place.key(field), field, happens);
        }
    }
}

/// The conflict table of the resource: what excludes what, and that something must be done.
fn check_conflicts(written: &HttpRoute, context: &Context<'_>, place: &Place, report: &mut Report<'_>) {
    let present = [
        ("route", !written.route.is_empty()),
        ("redirect", written.redirect.is_some()),
        ("directResponse", written.direct_response.is_some()),
        ("rewrite", written.rewrite.is_some()),
        ("fault", written.fault.is_some()),
        ("delegate", written.delegate.is_some()),
        ("mirror", written.mirror.is_some()),
        ("mirrors", !written.mirrors.is_empty()),
    ];
    let has = |field: &str| present.iter().any(|(name, there)| *name == field && *there);
    for (field, other) in [
        ("redirect", "route"),
        ("redirect", "fault"),
        ("redirect", "rewrite"),
        ("redirect", "directResponse"),
        ("directResponse", "route"),
        ("directResponse", "fault"),
        ("directResponse", "rewrite"),
        ("delegate", "route"),
        ("delegate", "redirect"),
        ("mirror", "mirrors"),
    ] {
        if has(field) && has(other) {
            let message = format!("`{field}` and `{other}` exclude each other");
            report.error(&place.key(other), code::CONFLICT, message, format!("remove `{field}` or `{other}`"));
        }
    }
    if !["route", "redirect", "directResponse", "delegate"].into_iter().any(has) {
        let help = "add `route`, `redirect` or `directResponse`";
        report.error(place, code::NO_ACTION, "the rule does not say what becomes of the request", help);
    }
    if context.delegate && has("delegate") {
        let message = "a resource without hosts is a delegate itself, and delegates are not followed further";
        report.error(&place.key("delegate"), code::DELEGATE, message, "add `spec.hosts`, or write the rules here");
    }
}

fn check_authority_set_once(written: &HttpRoute, headers: &Level, place: &Place, report: &mut Report<'_>) {
    let rewritten = written.rewrite.as_ref().and_then(|rewrite| rewrite.authority.as_ref());
    if rewritten.is_some_and(|authority| !authority.is_empty()) && headers.authority.is_some() {
        let place = place.key("rewrite").key("authority");
        let help = "remove it here, or remove the host from `headers.request`";
        report.error(&place, code::CONFLICT, "the authority is set multiple times", help);
    }
}

/// A prefix can only be replaced where a prefix is matched.
fn check_prefix_rewrite(written: &HttpRoute, place: &Place, report: &mut Report<'_>) {
    let rewrites = written.redirect.as_ref().is_some_and(|redirect| redirect.prefix_rewrite.is_some());
    for (index, block) in written.matches.iter().enumerate().filter(|_| rewrites) {
        let uri = block.as_ref().and_then(|block| block.uri.as_ref());
        if uri.is_some_and(|uri| uri.prefix.is_none()) {
            let place = place.key("match").index(index).key("uri");
            let message = "`redirect.prefixRewrite` needs a prefix to replace";
            report.error(&place, code::REDIRECT, message, "match the path by `prefix`, or redirect with `uri`");
        }
    }
}
