//! Says which rules a request had to choose from, which one it got, and why it did not get the others.

use crate::decide;
use crate::left_out;
use crate::redirect::to_https;
use crate::rule::Action;
use crate::table::{Found, Owner, Served, Table};
use crate::target::{Target, Targets, label};
use crate::view::View;
use sluicegate_sdk::{Candidate, Explanation};

/// Explains what the table does with a request.
pub fn explain(table: &Table, view: &View<'_>) -> Explanation {
    match table.owner(view) {
        Owner::Nobody => {
            others(table, format!("no VirtualService has the host {:?}; the request goes on", view.authority()))
        }
        Owner::Unserved(port) => others(
            table,
            format!("no VirtualService has the host {:?} on the Gateway's port {port}: 404", view.authority()),
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
    for (candidate, found) in table.candidates(host) {
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
    let left_out = left_out::blocks(table, host).into_iter();
    candidates.extend(left_out.map(|(block, found, reason)| Candidate {
        name: name(found, block),
        origin: origin(found),
        chosen: false,
        reason,
    }));
    candidates.extend(left_out::rivals(table, host, view));
    let owners = || table.documents_of(host).map(|document| document.name.as_str()).collect::<Vec<_>>().join(", ");
    let summary = winner.unwrap_or_else(|| {
        format!("the host {:?} belongs to VirtualService {}, which has no rule for it: 404", view.authority(), owners())
    });
    Explanation { summary, candidates }
}

fn origin(found: Found<'_>) -> String {
    found.rule.delegate.as_ref().map_or(&found.document.origin, |delegate| &delegate.origin).clone()
}

fn name(found: Found<'_>, block: usize) -> String {
    let rule = format!("VirtualService {}, rule {}", found.document.name, found.rule.index + 1);
    match &found.rule.delegate {
        None => format!("{rule}, match {}", block + 1),
        Some(delegate) => {
            format!("{rule}, delegated to {}, rule {}, match {}", delegate.name, delegate.index + 1, block + 1)
        }
    }
}

/// What becomes of the request, reading on after the rule.
fn outcome(found: Found<'_>, view: &View<'_>) -> String {
    match &found.rule.action {
        Action::Redirect(redirect) => {
            let location = redirect.location(found.block.path_match(), view);
            format!("redirects with {} to {location}", redirect.status)
        }
        Action::Answer(answer) => format!("answers {} with {} bytes", answer.status, answer.body.len()),
        Action::Route(route) => match &route.targets {
            Targets::Compose { destinations, .. } => format!("composes the answers of {destinations}"),
            Targets::Split(targets, sum) => match decide::pick(targets, *sum, view) {
                Some(target) => format!("forwards to {}{}", label(&target.destination), share(target, targets, *sum)),
                None => "has no destination".to_owned(),
            },
        },
    }
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
