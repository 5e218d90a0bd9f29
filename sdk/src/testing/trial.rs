//! Runs a gathering filter to its end, with a function in the place of the services.

use super::TestRequest;
use crate::gather::read_state;
use crate::json;
use crate::{
    Answer, Assembly, BodyPart, BodyUse, Call, CallError, CallGroup, CallResponse, Expectation, GatherFilter, Header,
    Outcome, Plan, RequestDecision, RequestFilter,
};
use std::collections::HashMap;

/// Plans that the host runs for one request.
const PLANS: usize = 8;

/// What became of a request.
#[derive(Debug, Clone)]
pub struct Trial {
    /// The plans that were made, in order.
    pub plans: Vec<Plan>,
    /// The answer, with all bodies in it; none when the filter decided otherwise.
    pub answer: Option<Answer>,
    /// The last decision.
    pub decision: RequestDecision,
}

/// Asks the filter, makes the calls of each plan by asking `services`, and hands it the outcomes, until it decides on
/// something else. What the host does to an answer is done here: statuses that a call does not accept, bodies that have to be
/// JSON, alternatives of which enough are good, a plan that is given up because something required has failed, and bodies that
/// stay behind until the end. Calls end in the order of the plan, so those after the one that decides are cancelled. The filter
/// is asked even where all is as its plan expects, so that the two answers can be compared.
///
/// # Panics
/// When the answer that a plan expects is not the one that the filter then gives.
///
/// ```
/// use sluicegate_sdk::prelude::*;
/// use sluicegate_sdk::testing::{TestRequest, answer_json, trial};
///
/// struct Stock;
/// impl RequestFilter for Stock {
///     fn on_request(&self, _: &Request<'_>) -> RequestDecision {
///         gather().call(call("stock", "inventory", "/items/1")).into()
///     }
/// }
/// impl GatherFilter for Stock {
///     type State = ();
///     fn on_gathered(&self, _: &Request<'_>, (): (), outcomes: Outcomes) -> RequestDecision {
///         match outcomes.json::<u32>("stock") {
///             Ok(stock) => respond(200).text(format!("{stock} left")).into(),
///             Err(error) => respond(502).text(error.to_string()).into(),
///         }
///     }
/// }
///
/// let trial = trial(&Stock, &TestRequest::get("/"), |call| match call.path.as_str() {
///     "/items/1" => answer_json("9"),
///     _ => Err(CallError::NoEndpoint),
/// });
/// assert_eq!(trial.answer.unwrap().body, b"9 left");
/// ```
pub fn trial<F: RequestFilter + GatherFilter>(
    filter: &F,
    request: &TestRequest,
    mut services: impl FnMut(&Call) -> Result<CallResponse, CallError>,
) -> Trial {
    let mut plans = Vec::new();
    let mut kept: HashMap<String, Vec<u8>> = HashMap::new();
    let mut decision = filter.on_request(&request.request());
    while let RequestDecision::Gather(plan) = &decision {
        if plans.len() == PLANS {
            break;
        }
        let plan = plan.clone();
        let outcomes = outcomes(&plan, &mut services, &mut kept);
        let expected = plan.expected.as_ref().filter(|expected| holds(expected, &outcomes));
        let expected = expected.and_then(|expected| put_together(&expected.answer, &outcomes, &kept));
        let next = filter.on_gathered(&request.request(), read_state(&plan.state), outcomes.into());
        if expected.is_some() {
            assert_eq!(answer(&next, &kept), expected, "the plan expects another answer");
        }
        plans.push(plan);
        decision = next;
    }
    let answer = answer(&decision, &kept);
    Trial { plans, answer, decision }
}

/// The answer that a decision is, with all bodies in it.
fn answer(decision: &RequestDecision, kept: &HashMap<String, Vec<u8>>) -> Option<Answer> {
    match decision {
        RequestDecision::Respond(answer) => Some(answer.clone()),
        RequestDecision::Assemble(assembly) => put_together(assembly, &[], kept),
        _ => None,
    }
}

/// The answer with all bodies and values in it; none when a value is not there.
fn put_together(assembly: &Assembly, outcomes: &[Outcome], kept: &HashMap<String, Vec<u8>>) -> Option<Answer> {
    let mut body = Vec::new();
    for part in &assembly.body {
        match part {
            BodyPart::Bytes(bytes) => body.extend(bytes),
            BodyPart::BodyOf(call) => {
                let bytes = kept.get(call);
                assert!(
                    bytes.is_some(),
                    "there is no body of `{call}` to put into the answer: not asked to splice it, or not got"
                );
                body.extend(bytes.into_iter().flatten());
            }
            BodyPart::ValueOf(value) => {
                let outcome = outcomes.iter().find(|outcome| outcome.name == value.call)?;
                let text = std::str::from_utf8(&outcome.response.as_ref().ok()?.body).ok()?.trim();
                body.extend(value.path.iter().try_fold(text, |object, name| json::member(object, name))?.bytes());
            }
        }
    }
    Some(Answer { status: assembly.status, headers: assembly.headers.clone(), body, delay: None })
}

/// A good answer of JSON.
///
/// # Errors
/// None: this is what a service answers.
pub fn answer_json(body: impl Into<Vec<u8>>) -> Result<CallResponse, CallError> {
    let headers = vec![Header { name: "content-type".into(), value: b"application/json".to_vec() }];
    Ok(CallResponse { status: 200, headers, body: body.into() })
}

fn outcomes(
    plan: &Plan,
    services: &mut impl FnMut(&Call) -> Result<CallResponse, CallError>,
    kept: &mut HashMap<String, Vec<u8>>,
) -> Vec<Outcome> {
    let mut outcomes: Vec<Outcome> = Vec::with_capacity(plan.calls.len());
    let mut given_up = false;
    for call in &plan.calls {
        let group = plan.groups.iter().find(|group| group.calls.contains(&call.name));
        let is_over = given_up
            || group.is_some_and(|group| {
                let (good, _) = ended(group, &outcomes);
                group.enough.is_some_and(|enough| good >= enough as usize)
            });
        let response = if is_over { Err(CallError::Cancelled) } else { services(call) };
        let response = response.and_then(|response| take_in(call, response, kept));
        let failed = !is_over && response.is_err();
        outcomes.push(Outcome { name: call.name.clone(), response });
        given_up |= failed && (gives_up(call, group) || group.is_some_and(|group| is_lost(group, &outcomes)));
    }
    outcomes
}

/// The calls of a group that are good, and those that are not.
fn ended(group: &CallGroup, outcomes: &[Outcome]) -> (usize, usize) {
    let of_group = outcomes.iter().filter(|outcome| group.calls.contains(&outcome.name));
    let (good, failed): (Vec<&Outcome>, Vec<_>) = of_group.partition(|outcome| outcome.response.is_ok());
    (good.len(), failed.len())
}

/// Whether the failure of a call gives its plan up. In a group that has `enough` the group says what is required.
fn gives_up(call: &Call, group: Option<&CallGroup>) -> bool {
    call.required && group.is_none_or(|group| group.enough.is_none())
}

/// Whether a group that is required cannot have enough good ones any more.
fn is_lost(group: &CallGroup, outcomes: &[Outcome]) -> bool {
    let (_, failed) = ended(group, outcomes);
    let enough = group.enough.map_or(group.calls.len(), |enough| enough as usize);
    group.required && failed + enough > group.calls.len()
}

/// Whether all is as a plan expects.
fn holds(expected: &Expectation, outcomes: &[Outcome]) -> bool {
    outcomes.iter().all(|outcome| {
        outcome.response.as_ref().is_ok_and(|response| {
            has_content(response.status) && !expected.unless_headers.iter().any(|name| response.header(name).is_some())
        })
    })
}

/// Whether a response of this status may have a body (RFC 9110, sections 15.3.5, 15.3.6 and 15.4.5).
fn has_content(status: u16) -> bool {
    !matches!(status, 204 | 205 | 304)
}

/// What the host makes of an answer.
fn take_in(
    call: &Call,
    mut response: CallResponse,
    kept: &mut HashMap<String, Vec<u8>>,
) -> Result<CallResponse, CallError> {
    let accepts = |status| call.accept.iter().any(|range| (range.first..=range.last).contains(&status));
    if !call.accept.is_empty() && !accepts(response.status) {
        return Err(CallError::Status(response));
    }
    if matches!(call.body_use, BodyUse::ReadJson | BodyUse::SpliceJson) && has_content(response.status) {
        serde_json::from_slice::<serde::de::IgnoredAny>(&response.body).map_err(|_| CallError::NotJson)?;
    }
    if matches!(call.body_use, BodyUse::Read | BodyUse::ReadJson) {
        return Ok(response);
    }
    kept.insert(call.name.clone(), std::mem::take(&mut response.body));
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gather::{call, gather, group};

    /// What becomes of calls, of which those named `bad` fail.
    fn ends(plan: &Plan) -> Vec<&'static str> {
        let mut services = |call: &Call| {
            if call.name.starts_with("bad") { Err(CallError::Refused) } else { answer_json("1") }
        };
        let outcomes = outcomes(plan, &mut services, &mut HashMap::new());
        let end = |outcome: &Outcome| match outcome.response {
            Ok(_) => "good",
            Err(CallError::Cancelled) => "cancelled",
            Err(_) => "failed",
        };
        outcomes.iter().map(end).collect()
    }

    fn plan(names: &[&str]) -> Plan {
        names.iter().fold(gather(), |plan, name| plan.call(call(*name, "service", "/").optional()))
    }

    #[test]
    fn a_required_call_that_fails_cancels_those_after_it_and_an_optional_one_does_not() {
        let required = gather().call(call("bad", "service", "/"));
        let plan_of = |first: Plan| first.call(call("a", "service", "/").optional());
        assert_eq!(ends(&plan_of(required)), ["failed", "cancelled"]);
        assert_eq!(ends(&plan(&["bad", "a"])), ["failed", "good"]);
    }

    #[test]
    fn a_group_is_over_when_enough_are_good_and_the_plan_when_too_few_can_be() {
        let names = ["bad1", "a", "b", "c"];
        let first = group(["bad1", "a", "b"]).enough(1);
        assert_eq!(ends(&plan(&names).group(first)), ["failed", "good", "cancelled", "good"]);
        let names = ["bad1", "a", "bad2", "b", "c"];
        let two = || group(["bad1", "a", "bad2", "b"]).enough(3);
        assert_eq!(ends(&plan(&names).group(two())), ["failed", "good", "failed", "good", "good"]);
        assert_eq!(ends(&plan(&names).group(two().required())), ["failed", "good", "failed", "cancelled", "cancelled"]);
        let all = group(["bad1", "a"]).required();
        assert_eq!(ends(&plan(&["bad1", "a"]).group(all)), ["failed", "cancelled"]);
    }

    #[test]
    fn in_a_group_that_has_enough_the_group_says_what_is_required() {
        let plan = gather().call(call("bad", "service", "/")).call(call("a", "service", "/"));
        assert_eq!(ends(&plan.group(group(["bad", "a"]).enough(1))), ["failed", "good"]);
    }
}
