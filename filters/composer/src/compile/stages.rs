//! The order of calls: each is made as soon as all that it needs is there.

use super::Compiled;
use crate::code;
use crate::composition::Call;
use crate::document::Spec;
use crate::report::{Place, Report};
use crate::template::Source;

/// Calls that wait for each other: as many plans as the host runs for one request.
const STAGES: usize = 8;
/// Calls of one stage: as many as the host takes in one plan.
const STAGE_CALLS: usize = 64;

/// The calls that are made at the same time, one stage after the other; none when they cannot be put into an order.
pub(super) fn stages(spec: &Spec, calls: &[Compiled], report: &mut Report<'_>) -> Option<Vec<Vec<usize>>> {
    let needs: Vec<Vec<usize>> = calls.iter().map(|compiled| needs(compiled, report)).collect();
    if let Some(circle) = circle(&needs) {
        let names: Vec<&str> = circle.iter().map(|&call| name(spec, call)).collect();
        let message = format!("calls wait for each other: {}", names.join(" for "));
        let help = "take one of the references, or `after`, out of the circle";
        let first = names.first().copied().unwrap_or_default();
        report.error(&Place::spec().key("calls").key(first), code::CYCLE, message, help);
        return None;
    }
    let levels = levels(spec, calls, &needs, report)?;
    let count = levels.iter().max().map_or(0, |last| last + 1);
    if count > STAGES {
        let message = format!("the calls need {count} stages, more than {STAGES}");
        report.error(&Place::spec().key("calls"), code::LIMIT, message, "let a service make some of them");
        return None;
    }
    let of_level = |level| levels.iter().enumerate().filter(move |(_, at)| **at == level).map(|(call, _)| call);
    let stages: Vec<Vec<usize>> = (0..count).map(|level| of_level(level).collect()).collect();
    for stage in &stages {
        check_number(spec, calls, stage, report);
    }
    Some(stages)
}

fn name(spec: &Spec, call: usize) -> &str {
    spec.calls.0.get(call).map_or("", |(name, _)| name)
}

/// The calls that a call uses something of, or comes after.
fn needs(compiled: &Compiled, report: &mut Report<'_>) -> Vec<usize> {
    let mut needs = compiled.after.clone();
    if let Call::Choice(choice) = &compiled.call {
        needs.extend(&choice.members);
    }
    for used in &compiled.uses {
        match used.source {
            Source::CallBody(call)
            | Source::CallStatus(call)
            | Source::CallHeader(call, _)
            | Source::CallError(call) => needs.push(call),
            Source::Errors => {
                let message = "`errors` is known only when all calls have been made";
                report.error(&used.place, code::UNKNOWN_NAME, message, "name one call: `{CALL.error}`");
            }
            _ => {}
        }
    }
    needs.sort_unstable();
    needs.dedup();
    needs
}

/// Calls that wait for each other, each for the next and the last for the first, which stands at the end again.
fn circle(needs: &[Vec<usize>]) -> Option<Vec<usize>> {
    let mut done = vec![false; needs.len()];
    (0..needs.len()).find_map(|start| walk(start, needs, &mut Vec::new(), &mut done))
}

fn walk(call: usize, needs: &[Vec<usize>], path: &mut Vec<usize>, done: &mut [bool]) -> Option<Vec<usize>> {
    if let Some(start) = path.iter().position(|on_path| *on_path == call) {
        let circle = path.get(start..).unwrap_or_default();
        return Some(circle.iter().copied().chain([call]).collect());
    }
    if done.get(call).copied().unwrap_or(true) {
        return None;
    }
    path.push(call);
    let found = needs.get(call).into_iter().flatten().find_map(|&next| walk(next, needs, path, done));
    path.pop();
    if let Some(done) = done.get_mut(call) {
        *done = true;
    }
    found
}

/// The stage of each call. The members of a choice, and the choice, are of one stage.
fn levels(spec: &Spec, calls: &[Compiled], needs: &[Vec<usize>], report: &mut Report<'_>) -> Option<Vec<usize>> {
    let mut levels = vec![0_usize; calls.len()];
    // Without a circle each round settles one more call at least.
    for _ in 0..=calls.len() {
        let before = levels.clone();
        for (index, compiled) in calls.iter().enumerate() {
            let level = |call: &usize| levels.get(*call).copied().unwrap_or(0);
            match &compiled.call {
                Call::Service(_) => {
                    let after = needs.get(index).into_iter().flatten().map(|call| level(call) + 1).max().unwrap_or(0);
                    raise(&mut levels, index, after);
                }
                Call::Choice(choice) => {
                    let latest = choice.members.iter().map(level).max().unwrap_or(0);
                    for member in choice.members.iter().chain([&index]) {
                        raise(&mut levels, *member, latest);
                    }
                }
            }
        }
        if levels == before {
            return Some(levels);
        }
    }
    for (index, compiled) in calls.iter().enumerate().filter(|(_, compiled)| matches!(compiled.call, Call::Choice(_))) {
        let Call::Choice(choice) = &compiled.call else { continue };
        let waits = |member: &usize| {
            needs.get(*member).is_some_and(|needs| needs.iter().any(|needed| choice.members.contains(needed)))
        };
        if choice.members.iter().any(waits) || index == calls.len() {
            let message = "alternatives are called at the same time, so one cannot wait for another";
            let help = "write the second as a call of its own with `when: {failed: FIRST}`";
            report.error(&Place::spec().key("calls").key(name(spec, index)), code::SET, message, help);
            return None;
        }
    }
    let message = "the alternatives of two choices wait for each other";
    report.error(&Place::spec().key("calls"), code::SET, message, "take one of the references out");
    None
}

fn raise(levels: &mut [usize], call: usize, to: usize) {
    if let Some(level) = levels.get_mut(call) {
        *level = (*level).max(to);
    }
}

fn check_number(spec: &Spec, calls: &[Compiled], stage: &[usize], report: &mut Report<'_>) {
    let most = |call: &usize| match calls.get(*call).map(|compiled| &compiled.call) {
        Some(Call::Service(service)) => service.each.as_ref().map_or(1, |each| each.limit),
        _ => 0,
    };
    let together: usize = stage.iter().map(most).sum();
    if together <= STAGE_CALLS {
        return;
    }
    let largest = stage.iter().max_by_key(|call| most(call)).copied().unwrap_or_default();
    let message = format!("up to {together} calls are made at the same time here, more than {STAGE_CALLS}");
    let place = Place::spec().key("calls").key(name(spec, largest));
    report.error(&place, code::LIMIT, message, "lower the `limit`, or let one call come `after` another");
}

/// Says which required calls need something that may not be there. Parameters and headers are left out where their value
/// is missing, but a path without its value, or a list that is none, makes no call.
pub(super) fn check_presence(spec: &Spec, calls: &[Compiled], report: &mut Report<'_>) {
    for compiled in calls {
        let Call::Service(service) = &compiled.call else { continue };
        if !service.required || service.when.is_some() {
            continue;
        }
        for used in compiled.uses.iter().filter(|used| !used.fallback && is_needed(&used.place)) {
            let (Source::CallBody(call) | Source::CallHeader(call, _) | Source::CallStatus(call)) = used.source else {
                continue;
            };
            if !calls.get(call).is_some_and(|needed| needed.may_be_absent) {
                continue;
            }
            let needed = name(spec, call);
            let message = format!("`{needed}` may have no answer, and this call cannot be made without it");
            let help = format!(
                "give `{needed}` a `default`, write `{{{needed}.body... ?? 'something'}}`, or make this call optional or \
                 conditional (`when: {{succeeded: {needed}}}`)"
            );
            report.error(&used.place, code::MAY_BE_ABSENT, message, help);
        }
    }
}

/// Whether a call cannot be made without the value at this place: its path, or the list that it is made for.
fn is_needed(place: &Place) -> bool {
    let is_of_call = place.as_str().matches('/').count() == 4;
    is_of_call && (place.as_str().ends_with("/path") || place.as_str().ends_with("/forEach"))
}
