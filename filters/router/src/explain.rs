//! Says which rules a request had to choose from, which one it got, and why it did not get the others.

use crate::answer::FixedAnswer;
use crate::decide;
use crate::document::Document;
use crate::header::Operations;
use crate::left_out;
use crate::redirect::to_https;
use crate::rule::{Action, Route};
use crate::served::{Found, Served};
use crate::table::{Owner, Table};
use crate::target::{Instead, Target, Targets, label};
use crate::view::View;
use sluicegate_sdk::{Candidate, Explanation};

/// Explains what the table does with a request.
pub fn explain(table: &Table, view: &View<'_>) -> Explanation {
    match table.owner(view) {
        Owner::Nobody => others(table, format!("no resource has the host {:?}; the request goes on", view.authority())),
        Owner::Unserved(port) => {
            others(table, format!("no resource has the host {:?} on the Gateway's port {port}: 404", view.authority()))
        }
        Owner::Misdirected(port) => others(
            table,
            format!(
                "on port {port} another listener than that of the TLS connection has the host {:?}: 421",
                view.authority()
            ),
        ),
        Owner::Https => others(table, format!("the Gateway sends plain requests to https: 301 to {}", to_https(view))),
        Owner::Rules(served) => of_host(table, served, view),
    }
}

/// Of a request that no rule was asked about: what the documents are there for.
fn others(table: &Table, summary: String) -> Explanation {
    Explanation { summary, candidates: left_out::documents(table) }
}

fn of_host(table: &Table, host: &Served, view: &View<'_>) -> Explanation {
    let mut winner = None;
    let mut candidates = Vec::new();
    for (candidate, found) in host.candidates() {
        let name = name(found, candidate.block);
        let (chosen, reason) = match (found.block.objection(view), &winner) {
            (Some(objection), _) => (false, objection),
            (None, Some(_)) => (false, "matches too, but an earlier rule has taken the request".to_owned()),
            (None, None) => (true, format!("matches and {}", outcome(found, view))),
        };
        if chosen {
            winner = Some(format!("{name} {}", outcome(found, view)));
        }
        candidates.push(Candidate { name, origin: origin(found), chosen, reason });
    }
    let left_out = left_out::blocks(host).into_iter();
    candidates.extend(left_out.map(|(block, found, reason)| Candidate {
        name: name(found, block),
        origin: origin(found),
        chosen: false,
        reason,
    }));
    candidates.extend(left_out::rivals(table, host, view));
    let name = |document: &Document| format!("{} {}", document.kind.name(), document.name);
    let owners = || host.documents().map(name).collect::<Vec<_>>().join(", ");
    let summary = winner.unwrap_or_else(|| {
        format!("the host {:?} belongs to {}, which has no rule for it: 404", view.authority(), owners())
    });
    Explanation { summary, candidates }
}

fn origin(found: Found<'_>) -> String {
    found.rule.delegate.as_ref().map_or(&found.document.origin, |delegate| &delegate.origin).clone()
}

fn name(found: Found<'_>, block: usize) -> String {
    let rule = format!("{} {}, rule {}", found.document.kind.name(), found.document.name, found.rule.index + 1);
    match &found.rule.delegate {
        None => format!("{rule}, match {}", block + 1),
        Some(delegate) => {
            format!("{rule}, delegated to {}, rule {}, match {}", delegate.name, delegate.index + 1, block + 1)
        }
    }
}

/// What becomes of the request, reading on after the rule.
fn outcome(found: Found<'_>, view: &View<'_>) -> String {
    let cors = found.rule.cors.as_deref();
    if cors.is_some_and(|cors| cors.preflight(view).is_some()) {
        return "answers the preflight itself".to_owned();
    }
    let mut parts = match &found.rule.action {
        Action::Redirect(redirect) => {
            let location = redirect.location(found.block.path_match(), view);
            with_headers(format!("redirects with {} to {location}", redirect.status), found)
        }
        Action::Answer(answer) => {
            with_headers(format!("answers {} with {} bytes", answer.status, answer.body.len()), found)
        }
        Action::Route(route) => routed(route, view),
    };
    if cors.is_some_and(|cors| !cors.edits(view).is_empty()) {
        parts.push("allows the browser's origin".to_owned());
    }
    parts.join("; ")
}

fn with_headers(does: String, found: Found<'_>) -> Vec<String> {
    let mut parts = vec![does];
    parts.extend(changes("response", [&found.rule.headers.response]));
    parts
}

/// What becomes of a request that a service is to answer, and everything that happens on the way.
fn routed(route: &Route, view: &View<'_>) -> Vec<String> {
    let abort = route.fault.abort(view);
    let (does, request, response) = sent(route, view);
    let mut parts = vec![abort.map_or(does, |abort| format!("aborts with {abort}, as a fault is injected"))];
    if let Some(delay) = route.fault.delay(view) {
        parts.push(format!("waits {delay} ms before, as a fault is injected"));
    }
    parts.extend(
        Some(route.fault.shares())
            .filter(|shares| !shares.is_empty())
            .map(|shares| format!("of the requests {}", shares.join(", "))),
    );
    if abort.is_none() {
        parts.extend(
            route
                .mirrors
                .iter()
                .filter(|mirror| mirror.takes(view))
                .map(|mirror| format!("copies to {} ({})", label(&mirror.destination), mirror.share)),
        );
        parts.extend(changes("request", request));
    }
    parts.extend(changes("response", response));
    parts
}

/// Where a request goes, and the header operations on both ways.
fn sent<'a>(route: &'a Route, view: &View<'_>) -> (String, Vec<&'a Operations>, Vec<&'a Operations>) {
    match &route.targets {
        Targets::Compose { labels, request, response, .. } => {
            (format!("composes the answers of {labels}"), vec![request], vec![response])
        }
        Targets::Split(targets, sum) => match decide::pick(targets, *sum, view) {
            Some(target) => (
                format!("{}{}", target_outcome(target), share(target, targets, *sum)),
                target.request.iter().collect(),
                target.response.iter().collect(),
            ),
            None => ("has no destination".to_owned(), Vec::new(), Vec::new()),
        },
    }
}

fn target_outcome(target: &Target) -> String {
    let label = label(&target.destination);
    match target.instead.as_deref() {
        None => format!("forwards to {label}"),
        Some(Instead::Redirect(redirect)) => format!("redirects with {}, as {label} says", redirect.status),
        Some(Instead::Answer(FixedAnswer { grpc: Some(status), .. })) => {
            format!("answers {}, as {label} cannot be used", status.name())
        }
        Some(Instead::Answer(answer)) => format!("answers {}, as {label} cannot be used", answer.status),
    }
}

fn changes<'a>(what: &str, operations: impl IntoIterator<Item = &'a Operations>) -> Option<String> {
    let all = operations.into_iter().filter(|operations| !operations.is_empty()).map(Operations::to_string);
    let all: Vec<String> = all.collect();
    (!all.is_empty()).then(|| format!("{what} headers: {}", all.join(", ")))
}

fn share(target: &Target, targets: &[Target], sum: u64) -> String {
    if targets.len() < 2 {
        return String::new();
    }
    let others: Vec<String> = targets
        .iter()
        .filter(|other| !std::ptr::eq(*other, target))
        .map(|other| format!("{} {} of {sum}", label(&other.destination), other.weight))
        .collect();
    format!(", which has {} of {sum} and was picked by the request's id (others: {})", target.weight, others.join(", "))
}
