//! Turns a rule that matched into the decision that the host carries out.

use crate::answer::FixedAnswer;
use crate::fault::Abort;
use crate::matcher::PathMatch;
use crate::redirect::Redirect;
use crate::rewrite::{Rewrite, is_authority};
use crate::rule::{Action, Route, Rule};
use crate::served::Found;
use crate::share::REQUEST_ID;
use crate::target::{Instead, Target, Targets};
use crate::template::Template;
use crate::view::View;
use sluicegate_sdk::{Forward, Mirror, RequestDecision, RequestEdit, edit, forward, next, respond};

/// Names the rule for the access record and the metrics.
pub const ROUTE: &str = "route";
/// What the composer calls.
pub const COMPOSE_DESTINATIONS: &str = "compose.destinations";
/// How long it may take, in milliseconds.
pub const COMPOSE_TIMEOUT: &str = "compose.timeout";
/// `500` where a destination that nobody knows is the route's fault.
pub const UNKNOWN_DESTINATION: &str = "destination.unknown";

/// The decision on a request that matched: a preflight is answered before anything else, as in Envoy's chain of
/// filters, and what becomes of any other request is then told to its browser.
pub fn decide(found: Found<'_>, view: &View<'_>) -> RequestDecision {
    let cors = found.rule.cors.as_deref();
    if let Some(answer) = cors.and_then(|cors| cors.preflight(view)) {
        return answer.into();
    }
    let mut decision = act(found, view);
    match (cors, &mut decision) {
        (Some(cors), RequestDecision::Respond(answer)) => cors.apply(&mut answer.headers, view),
        (Some(cors), RequestDecision::Forward(forward)) => forward.response_edits.extend(cors.edits(view)),
        (Some(cors), RequestDecision::Next(continuation)) => continuation.response_edits.extend(cors.edits(view)),
        _ => {}
    }
    decision
}

fn act(found: Found<'_>, view: &View<'_>) -> RequestDecision {
    let matched = found.block.path_match();
    match &found.rule.action {
        Action::Redirect(redirect) => redirected(redirect, found.rule, matched, view),
        Action::Answer(answer) => answered(answer, found.rule, view),
        Action::Route(route) => {
            if let Some(abort) = route.fault.abort(view) {
                return aborted(route, abort, view);
            }
            let name = edit::attribute(ROUTE, found.rule.name_with(found.block));
            match &route.targets {
                Targets::Compose { .. } => composed(route, name, matched, view),
                Targets::Split(targets, sum) => match pick(targets, *sum, view) {
                    Some(target) => match target.instead.as_deref() {
                        None => {
                            let mut decision = forwarded(route, target, name, matched, view);
                            if found.document.on_mesh.get() {
                                decision.edits.push(edit::attribute(UNKNOWN_DESTINATION, "500"));
                            }
                            decision.into()
                        }
                        Some(Instead::Redirect(redirect)) => redirected(redirect, found.rule, matched, view),
                        Some(Instead::Answer(answer)) => answered(answer, found.rule, view),
                    },
                    // Cannot be: a split always has a target. No service could be named, so say that none is there.
                    None => respond(503).into(),
                },
            }
        }
    }
}

/// The target of a request.
pub fn pick<'a>(targets: &'a [Target], sum: u64, view: &View<'_>) -> Option<&'a Target> {
    // Reading the id is a call into the host, which one target alone does not need.
    let id = if targets.len() > 1 { view.attribute(REQUEST_ID).unwrap_or_default() } else { String::new() };
    Targets::pick(targets, sum, &id)
}

fn forwarded(route: &Route, target: &Target, name: RequestEdit, matched: PathMatch, view: &View<'_>) -> Forward {
    let mut decision = forward(target.destination.clone()).with(name);
    let rewrite = target.rewrite.as_ref().or(route.rewrite.as_ref());
    decision.edits.extend(path_and_authority(rewrite, target.authority.as_ref(), matched, view));
    decision.mirrors = mirrored(route.mirrors.iter().chain(&target.mirrors), &decision.edits, view);
    for operations in &target.request {
        decision.edits.extend(operations.request_edits(view).map(RequestEdit::from));
    }
    for operations in &target.response {
        decision.response_edits.extend(operations.response_edits(view));
    }
    decision.timeout = route.timeout;
    decision.retries.clone_from(&route.retries);
    decision.delay = route.fault.delay(view);
    decision
}

/// The copies of a request, each for the authority that the request is sent with.
fn mirrored<'a>(
    mirrors: impl Iterator<Item = &'a crate::mirror::Mirror>,
    edits: &[RequestEdit],
    view: &View<'_>,
) -> Vec<Mirror> {
    let new = |edit: &RequestEdit| if let RequestEdit::Authority(new) = edit { Some(new.clone()) } else { None };
    let copy = |mirror: &crate::mirror::Mirror| {
        let authority = edits.iter().rev().find_map(new).unwrap_or_else(|| view.authority().to_owned());
        mirror.copy(&authority)
    };
    mirrors.filter(|mirror| mirror.takes(view)).map(copy).collect()
}

/// The answer of a fault has the headers that the service's would have.
fn aborted(route: &Route, abort: Abort, view: &View<'_>) -> RequestDecision {
    let mut answer = abort.answer(view);
    match &route.targets {
        Targets::Compose { response, .. } => response.apply(&mut answer.headers, view),
        Targets::Split(targets, sum) => {
            for operations in pick(targets, *sum, view).into_iter().flat_map(|target| &target.response) {
                operations.apply(&mut answer.headers, view);
            }
        }
    }
    answer.delay = route.fault.delay(view);
    answer.into()
}

fn composed(route: &Route, name: RequestEdit, matched: PathMatch, view: &View<'_>) -> RequestDecision {
    let mut decision = next().with(name);
    let Targets::Compose { destinations, request, response, authority, .. } = &route.targets else {
        return decision.into();
    };
    decision.edits.push(edit::attribute(COMPOSE_DESTINATIONS, destinations));
    if let Some(timeout) = route.timeout {
        decision.edits.push(edit::attribute(COMPOSE_TIMEOUT, timeout.to_string()));
    }
    decision.edits.extend(path_and_authority(route.rewrite.as_ref(), authority.as_ref(), matched, view));
    decision.edits.extend(request.request_edits(view).map(RequestEdit::from));
    decision.response_edits.extend(response.response_edits(view));
    decision.into()
}

fn path_and_authority(
    rewrite: Option<&Rewrite>,
    authority: Option<&Template>,
    matched: PathMatch,
    view: &View<'_>,
) -> Vec<RequestEdit> {
    let path = rewrite.and_then(|rewrite| rewrite.path(matched, view));
    // The rewrite's authority wins over one among the header operations.
    let rewritten = rewrite.and_then(|rewrite| rewrite.authority.as_ref());
    let authority = rewritten.map(|authority| authority.clone().into_bytes()).or_else(|| Some(authority?.render(view)));
    // What a client sent as a header need not be an authority; then the one that the request has stays.
    let authority = authority.and_then(|text| String::from_utf8(text).ok()).filter(|text| is_authority(text));
    path.map(edit::path).into_iter().chain(authority.map(edit::authority)).collect()
}

fn redirected(redirect: &Redirect, rule: &Rule, matched: PathMatch, view: &View<'_>) -> RequestDecision {
    let mut answer = respond(redirect.status).header("location", redirect.location(matched, view));
    rule.headers.response.apply(&mut answer.headers, view);
    answer.into()
}

fn answered(fixed: &FixedAnswer, rule: &Rule, view: &View<'_>) -> RequestDecision {
    if let Some(status) = fixed.grpc {
        return status.answer("no backend can take the request").into();
    }
    let mut answer = respond(fixed.status).body(fixed.body.clone());
    if !fixed.body.is_empty() {
        // As Envoy does for a body of its own.
        answer = answer.header("content-type", "text/plain");
    }
    rule.headers.response.apply(&mut answer.headers, view);
    answer.into()
}
