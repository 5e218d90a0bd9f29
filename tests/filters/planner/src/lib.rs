//! For tests of composition: carries out the plan that the request's header `x-plan` has as JSON.

mod written;

use serde::{Deserialize, Serialize};
use sluicegate_sdk::prelude::*;
use sluicegate_sdk::{Assembly, CallError, RequestDecision};
use written::{Part, Written};

/// What a plan is carried out for; anything else goes on along the chain.
const PLAN: &str = "x-plan";

/// The filter.
#[derive(Debug, Default)]
pub struct Planner;

/// What is still to be done once a plan has its outcomes.
#[derive(Debug, Serialize, Deserialize)]
pub struct Rest {
    answer: Option<Vec<Part>>,
    then: Option<Box<Written>>,
    /// What became of the calls so far.
    seen: serde_json::Map<String, serde_json::Value>,
}

impl RequestFilter for Planner {
    fn on_request(&self, request: &Request<'_>) -> RequestDecision {
        let Some(text) = request.header(PLAN) else { return next().into() };
        match serde_json::from_str::<Written>(&text) {
            Ok(written) => decide(written, serde_json::Map::new()),
            Err(error) => respond(400).text(format!("the plan does not fit: {error}")).into(),
        }
    }
}

impl GatherFilter for Planner {
    type State = Rest;

    fn on_gathered(&self, _: &Request<'_>, rest: Rest, outcomes: Outcomes) -> RequestDecision {
        let Rest { answer, then, mut seen } = rest;
        for Outcome { name, response } in outcomes {
            seen.insert(name, told(response));
        }
        match (then, answer) {
            (Some(then), _) => decide(*then, seen),
            (None, Some(parts)) => assembled(parts).into(),
            (None, None) => respond(200).json(&seen).into(),
        }
    }
}

fn decide(written: Written, seen: serde_json::Map<String, serde_json::Value>) -> RequestDecision {
    let (plan, answer, then) = written.plan();
    plan.then(Rest { answer, then, seen }).into()
}

fn assembled(parts: Vec<Part>) -> Assembly {
    parts.into_iter().fold(assemble(200), |answer, part| match part {
        Part::Bytes(text) => answer.bytes(text),
        Part::BodyOf(call) => answer.body_of(call),
    })
}

/// `{"status": 200, "body": "..."}`, or `{"error": "..."}`.
fn told(response: Result<CallResponse, CallError>) -> serde_json::Value {
    let error = match response {
        Ok(response) => {
            let body = String::from_utf8_lossy(&response.body).into_owned();
            return serde_json::json!({ "status": response.status, "body": body });
        }
        Err(CallError::Status(response)) => return serde_json::json!({ "error": "status", "status": response.status }),
        Err(CallError::Deadline) => "deadline",
        Err(CallError::NoEndpoint) => "no-endpoint",
        Err(CallError::Refused) => "refused",
        Err(CallError::Reset) => "reset",
        Err(CallError::TooLarge) => "too-large",
        Err(CallError::Cancelled) => "cancelled",
        Err(CallError::NotJson) => "not-json",
    };
    serde_json::json!({ "error": error })
}

sluicegate_sdk::export!(Planner, hooks: [request, gather], priority: 50);

#[cfg(test)]
mod tests {
    use super::*;
    use sluicegate_sdk::testing::{TestRequest, answered, failed, outcomes};

    #[test]
    fn the_written_plan_is_made_and_its_outcomes_are_told() {
        let text = r#"{"calls":[{"name":"a","required":true},{"name":"b","to":"shop"}],"deadline":9}"#;
        let request = TestRequest::get("/").header(PLAN, text);
        let RequestDecision::Gather(plan) = Planner.on_request(&request.request()) else { panic!("a plan") };
        assert_eq!((plan.calls[1].destination.host.as_str(), plan.deadline), ("shop", Some(9)));
        let rest = serde_json::from_slice(&plan.state).expect("its own state");
        let outcomes = outcomes([answered("a", 200, "text/plain", "A"), failed("b", CallError::Refused)]);
        let RequestDecision::Respond(answer) = Planner.on_gathered(&request.request(), rest, outcomes) else {
            panic!("an answer")
        };
        assert_eq!(answer.body, br#"{"a":{"status":200,"body":"A"},"b":{"error":"refused"}}"#);
    }

    #[test]
    fn a_request_without_a_plan_goes_on() {
        assert_eq!(Planner.on_request(&TestRequest::get("/").request()), next().into());
    }
}
