//! Decides which bodies are looked into, which stay with the host, and which nobody needs.

use super::Compiled;
use crate::code;
use crate::composition::Call;
use crate::document::Spec;
use crate::part::Body;
use crate::report::{Place, Report};
use crate::template::Source;
use crate::template::resolve::Use;

/// Settles where the body of each call has to be. One that stands in the answer once, as a whole, is never looked at: it
/// stays with the host. An entity tag is made of all bytes, so nothing stays there then.
pub(super) fn assign(calls: &mut [Compiled], answer: &[Use], etag: bool) {
    let looked_into = bodies_of(calls.iter().flat_map(|compiled| &compiled.uses));
    let in_answer: Vec<&Use> = answer.iter().collect();
    let choices: Vec<(usize, Vec<usize>)> = calls
        .iter()
        .enumerate()
        .filter_map(|(index, compiled)| match &compiled.call {
            Call::Choice(choice) => Some((index, choice.members.clone())),
            Call::Service(_) => None,
        })
        .collect();
    for (index, compiled) in calls.iter_mut().enumerate() {
        // What is said of a choice is said of its members.
        let is_meant = |call: usize| {
            call == index || choices.iter().any(|(choice, members)| *choice == call && members.contains(&index))
        };
        let answered: Vec<&&Use> =
            in_answer.iter().filter(|used| matches!(used.source, Source::CallBody(call) if is_meant(call))).collect();
        let Call::Service(service) = &mut compiled.call else { continue };
        let whole = matches!(answered.as_slice(), [used] if used.whole);
        service.body_use = if looked_into.iter().any(|call| is_meant(*call)) {
            Body::Json(String::new())
        } else if answered.is_empty() {
            Body::Unused
        } else if whole && !etag && service.pass_on.is_empty() {
            Body::Host
        } else {
            Body::Json(String::new())
        };
    }
}

fn bodies_of<'u>(uses: impl Iterator<Item = &'u Use>) -> Vec<usize> {
    uses.filter_map(|used| if let Source::CallBody(call) = used.source { Some(call) } else { None }).collect()
}

/// Says which calls are made for nothing.
pub(super) fn warn_of_unused(spec: &Spec, calls: &[Compiled], answer: &[Use], report: &mut Report<'_>) {
    let used: Vec<usize> = calls
        .iter()
        .flat_map(|compiled| &compiled.uses)
        .chain(answer)
        .filter_map(|used| match used.source {
            Source::CallBody(call)
            | Source::CallStatus(call)
            | Source::CallHeader(call, _)
            | Source::CallError(call) => Some(call),
            _ => None,
        })
        .chain(calls.iter().flat_map(|compiled| compiled.after.iter().copied()))
        .chain(calls.iter().flat_map(|compiled| match &compiled.call {
            Call::Choice(choice) => choice.members.clone(),
            Call::Service(_) => Vec::new(),
        }))
        .collect();
    for (index, (name, call)) in spec.calls.into_iter().enumerate() {
        let asks_only = call.method.as_deref().is_none_or(|method| method == "GET");
        if asks_only && !used.contains(&index) {
            let message = format!("the answer of `{name}` is used by nothing");
            let help = format!("use it, such as by `{{{name}.body}}` in the response, or take the call out");
            report.warning(&Place::spec().key("calls").key(name), code::UNUSED, message, help);
        }
    }
}
