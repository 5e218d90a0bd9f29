//! A decision is checked and applied: what it changes is changed, and what the host has to do for it is a [`Step`].

use super::course::Course;
use super::failure::{Failing, failed};
use super::link::{Link, Stopwatch};
use super::parts::Decided;
use super::step::{Forward, Publishing, Step};
use crate::decision;
use crate::error::RequestError;
use crate::gather;
use crate::mirror;
use crate::request::RequestHead;
use crate::telemetry::{CallResult, Phase};
use crate::wasm::{Failure, Filter, types};

/// Checks a decision and applies it; none means that the next filter is to be asked.
pub(super) fn settle(
    link: &Link,
    phase: Phase,
    watch: &mut Stopwatch,
    decided: Result<Decided, Failure>,
    head: &mut Box<RequestHead>,
    course: &mut Course,
) -> Result<Option<Step>, RequestError> {
    let waiting = course.response_edits.len();
    let applied = decided.and_then(|decided| match decided {
        Decided::Assembled(response) => Ok((CallResult::Assemble, Some(Step::Respond(response)))),
        Decided::Plain(decision) => {
            let result = result_of(&decision);
            carry_out(decision, &link.filter, head, course).map(|step| (result, step))
        }
    });
    match applied {
        Ok((result, step)) => {
            link.filter.guard.settled();
            course.decided_from(waiting);
            let took = link.called(phase, result, watch, &course.parent);
            course.spent.add(course.next, link, took);
            if step.as_ref().is_some_and(Step::is_error) {
                link.metrics.erred();
            }
            if step.is_some() {
                course.decide(waiting);
            }
            Ok(step)
        }
        Err(failure) => {
            course.note(&failure);
            let failing = Failing { phase, parent: &course.parent, request: Some(head.id) };
            let took = failed(link, &failing, watch, &failure)?;
            course.spent.add(course.next, link, took);
            Ok(None)
        }
    }
}

fn carry_out(
    decision: types::RequestDecision,
    filter: &Filter,
    head: &mut Box<RequestHead>,
    course: &mut Course,
) -> Result<Option<Step>, Failure> {
    match decision {
        types::RequestDecision::Next(types::Continuation { edits, response_edits }) => {
            decision::apply(edits, response_edits, head, &mut course.response_edits)?;
            Ok(None)
        }
        types::RequestDecision::Forward(forward) => {
            let mirrors = mirror::check(forward.mirrors)?;
            decision::apply(forward.edits, forward.response_edits, head, &mut course.response_edits)?;
            course.delay = decision::delay(forward.delay);
            let types::Forward { destination, timeout, retries, .. } = forward;
            Ok(Some(Step::Forward(Forward { destination, timeout, retries, mirrors })))
        }
        types::RequestDecision::Respond(mut answer) => {
            let delay = answer.delay.take();
            let response = decision::response(answer)?;
            course.delay = decision::delay(delay);
            Ok(Some(Step::Respond(response)))
        }
        types::RequestDecision::Gather(mut plan) => {
            let edits = std::mem::take(&mut plan.response_edits);
            let plan = gather::check(plan, &head.headers).map_err(Failure::invalid)?;
            decision::header_edits(edits, &mut course.response_edits)?;
            Ok(Some(Step::Gather(plan)))
        }
        types::RequestDecision::Assemble(_) => Err(Failure::invalid("it puts an answer together before any call")),
        types::RequestDecision::Publish(publish) => {
            Ok(Some(Step::Publish(Publishing::check(publish, filter.settings.inspected_body)?)))
        }
        types::RequestDecision::Subscribe(mut stream) => {
            decision::header_edits(std::mem::take(&mut stream.response_edits), &mut course.response_edits)?;
            Ok(Some(Step::Subscribe(Box::new(stream))))
        }
        types::RequestDecision::InspectBody(_) if head.body.is_some() => {
            Err(Failure::invalid("it asks for the body again, although it has it"))
        }
        types::RequestDecision::InspectBody(max) => {
            Ok(Some(Step::InspectBody(max.min(filter.settings.inspected_body))))
        }
    }
}

fn result_of(decision: &types::RequestDecision) -> CallResult {
    match decision {
        types::RequestDecision::Next(_) => CallResult::Next,
        types::RequestDecision::Forward(_) => CallResult::Forward,
        types::RequestDecision::Respond(_) => CallResult::Respond,
        types::RequestDecision::Gather(_) => CallResult::Gather,
        types::RequestDecision::Assemble(_) => CallResult::Assemble,
        types::RequestDecision::Publish(_) => CallResult::Publish,
        types::RequestDecision::Subscribe(_) => CallResult::Subscribe,
        types::RequestDecision::InspectBody(_) => CallResult::Inspect,
    }
}
