//! Tells what is composed, how, and why not otherwise.

use crate::composition::{Call, Choice, Composition, Condition, Path, ServiceCall};
use crate::part::{Body, Slot};
use crate::table::{Miss, Table};
use crate::template::{Piece, Text};
use crate::view::View;
use sluicegate_sdk::{Candidate, Destination, Explanation, Request};
use std::fmt::Write as _;

/// The composition of a resource, as a tree of stages and calls.
pub fn resource(table: &Table, view: &View<'_>) -> Explanation {
    let mut candidates = Vec::new();
    let mut summary = None;
    for (composition, miss) in table.candidates(view) {
        let chosen = miss.is_none() && summary.is_none();
        let matching = &composition.matching;
        let what = format!("{} {}", matching.methods.join(", "), matching.written_path);
        let reason = match miss {
            None if chosen => format!("takes {what}"),
            None => format!("takes {what}, after the one that is chosen"),
            Some(Miss::Path) => format!("takes {what}: another path"),
            Some(Miss::Method) => format!("takes {what}: another method"),
            Some(Miss::Headers) => format!("takes {what}: the headers do not match"),
        };
        let name = format!("Composition {}", composition.name);
        candidates.push(Candidate { name, origin: composition.origin.clone(), chosen, reason });
        if chosen {
            summary = Some(summary_of(composition));
            candidates.extend(tree(composition));
        }
    }
    let nothing = || "nothing to compose: no Composition takes the request, and the route has at most one destination";
    Explanation { summary: summary.unwrap_or_else(|| nothing().to_owned()), candidates }
}

fn summary_of(composition: &Composition) -> String {
    let calls = composition.calls.iter().filter(|call| matches!(call, Call::Service(_))).count();
    let counted = |number: usize, what: &str| format!("{number} {what}{}", if number == 1 { "" } else { "s" });
    format!(
        "composes {} in {} within {} ms",
        counted(calls, "call"),
        counted(composition.stages.len(), "stage"),
        composition.deadline
    )
}

/// One line for each stage, and below it one for each of its calls.
fn tree(composition: &Composition) -> Vec<Candidate> {
    let line = |name: String, reason: String| Candidate { name, origin: String::new(), chosen: true, reason };
    let mut lines = Vec::new();
    for (number, stage) in composition.stages.iter().enumerate() {
        let together = if stage.len() > 1 { "at the same time" } else { "alone" };
        let after = if number == 0 { "at once".to_owned() } else { format!("after stage {number}") };
        lines.push(line(format!("stage {}", number + 1), format!("{after}, {together}")));
        for (index, &call) in stage.iter().enumerate() {
            let branch = if index + 1 == stage.len() { "└─" } else { "├─" };
            let name = composition.slots.get(call).map_or("", |slot| slot.name.as_str());
            let reason = match composition.calls.get(call) {
                Some(Call::Service(service)) => of_service(service, composition),
                Some(Call::Choice(choice)) => of_choice(choice, composition),
                None => String::new(),
            };
            lines.push(line(format!("{branch} {name}"), reason));
        }
    }
    lines
}

fn of_service(service: &ServiceCall, composition: &Composition) -> String {
    let path = match &service.path {
        Path::Template(text) => written(text),
        Path::Requests => "the request's path".to_owned(),
    };
    let mut words = format!("{} {path} from {}", service.method, place(&service.destination));
    if let Some(each) = &service.each {
        let _ = write!(words, ", for each of {{{}}}, at most {}", each.over.written, each.limit);
        if let Some(concurrency) = each.concurrency {
            let _ = write!(words, " and {concurrency} at a time");
        }
    }
    if let Some(condition) = &service.when {
        let _ = write!(words, ", when {}", when(condition, composition));
    }
    let deadline = service.limits.deadline.min(composition.deadline);
    let _ = write!(words, ", at most {deadline} ms and {} bytes", service.limits.max_part);
    words.push_str(if service.required { ", required" } else { ", optional" });
    words.push_str(match service.body_use {
        Body::Host => "; its body is taken over unread",
        Body::Json(_) => "; its body is read",
        Body::Unused => "; its body is not used",
    });
    words
}

fn of_choice(choice: &Choice, composition: &Composition) -> String {
    let names: Vec<&str> = choice.members.iter().map(|&member| name(member, composition)).collect();
    let names = names.join(", ");
    if choice.list {
        format!("{} good ones of {names}", choice.enough)
    } else {
        format!("the first good one of {names}")
    }
}

fn name(call: usize, composition: &Composition) -> &str {
    composition.slots.get(call).map_or("", |slot| slot.name.as_str())
}

fn when(condition: &Condition, composition: &Composition) -> String {
    let all = |conditions: &[Condition], word: &str| {
        conditions.iter().map(|condition| when(condition, composition)).collect::<Vec<_>>().join(word)
    };
    match condition {
        Condition::Exists(chain) => format!("{{{}}} is there", chain.written),
        Condition::Equals(..) => "two values are equal".to_owned(),
        Condition::Status(call, ranges) => {
            let range = |&(first, last): &(u16, u16)| {
                if first == last { first.to_string() } else { format!("{first}-{last}") }
            };
            let ranges: Vec<String> = ranges.iter().map(range).collect();
            format!("{} answered {}", name(*call, composition), ranges.join(" or "))
        }
        Condition::Succeeded(call) => format!("{} succeeded", name(*call, composition)),
        Condition::Failed(call) => format!("{} failed", name(*call, composition)),
        Condition::All(conditions) => all(conditions, " and "),
        Condition::Any(conditions) => format!("({})", all(conditions, " or ")),
        Condition::Not(condition) => format!("not ({})", when(condition, composition)),
    }
}

fn written(text: &Text) -> String {
    let piece = |piece: &Piece| match piece {
        Piece::Literal(text) => text.clone(),
        Piece::Value(chain) => format!("{{{}}}", chain.written),
    };
    text.0.iter().map(piece).collect()
}

fn place(destination: &Destination) -> String {
    let mut place = destination.host.clone();
    if let Some(port) = destination.port {
        let _ = write!(place, ":{port}");
    }
    if let Some(subset) = &destination.subset {
        let _ = write!(place, "/{subset}");
    }
    place
}

/// The composition of a route with several destinations.
pub fn route(composition: &Composition, request: &Request<'_>) -> Explanation {
    let candidate = |(slot, call): (&Slot, &Call)| {
        let Call::Service(service) = call else { return None };
        let reason = format!(
            "GET {} from {}, at most {} ms and {} bytes",
            request.path_and_query(),
            place(&service.destination),
            service.limits.deadline,
            service.limits.max_part
        );
        Some(Candidate { name: format!("part {}", slot.name), origin: String::new(), chosen: true, reason })
    };
    let candidates: Vec<Candidate> = composition.slots.iter().zip(&composition.calls).filter_map(candidate).collect();
    let summary = format!("composes {} parts, called in parallel within {} ms", candidates.len(), composition.deadline);
    Explanation { summary, candidates }
}
