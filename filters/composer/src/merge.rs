//! Makes one answer of all outcomes.

use crate::cache::Freshness;
use crate::part::{self, CallLimits, Failure, Reason};
use crate::route::ERRORS;
use sluicegate_sdk::{Answer, Header, Outcome, respond};
use std::collections::BTreeSet;

/// At least one part is good.
const SOME_GOOD: u16 = 200;
/// No part is good, and not just for being late.
const BAD_GATEWAY: u16 = 502;
/// No part came in time.
const GATEWAY_TIMEOUT: u16 = 504;

/// The composed answer: every good part under its name, then the failed ones in `errors`, in the order of the plan.
pub fn merge(outcomes: &[Outcome], limits: CallLimits) -> Answer {
    let parts: Vec<(&str, Result<&str, Failure>)> =
        outcomes.iter().map(|outcome| (outcome.name.as_str(), part_of(outcome, limits))).collect();
    let answer = respond(status(&parts))
        .header("content-type", "application/json")
        .header("cache-control", freshness(outcomes, &parts).header());
    let answer = add_vary(answer, outcomes);
    add_cookies(answer, outcomes).body(body(&parts))
}

fn part_of(outcome: &Outcome, limits: CallLimits) -> Result<&str, Failure> {
    match &outcome.response {
        Ok(response) => part::json(response),
        Err(error) => Err(Failure::of(error, limits)),
    }
}

fn status(parts: &[(&str, Result<&str, Failure>)]) -> u16 {
    let late = |failure: &Failure| failure.error == Reason::Deadline;
    if parts.iter().any(|(_, part)| part.is_ok()) {
        SOME_GOOD
    } else if !parts.is_empty() && parts.iter().all(|(_, part)| part.as_ref().is_err_and(late)) {
        GATEWAY_TIMEOUT
    } else {
        BAD_GATEWAY
    }
}

/// One object of the parts' own bytes. Each has been checked to be one JSON value, so the whole is JSON too.
fn body(parts: &[(&str, Result<&str, Failure>)]) -> String {
    let mut members: Vec<String> = Vec::with_capacity(parts.len() + 1);
    let mut failures = serde_json::Map::new();
    for (name, part) in parts {
        match part {
            Ok(json) => members.push(format!("{}:{json}", serde_json::Value::from(*name))),
            Err(failure) => {
                failures.insert((*name).to_owned(), serde_json::to_value(failure).unwrap_or_default());
            }
        }
    }
    if !failures.is_empty() {
        members.push(format!("\"{ERRORS}\":{}", serde_json::Value::Object(failures)));
    }
    format!("{{{}}}", members.join(","))
}

/// As fresh as the strictest part; an answer that lacks a part is not to be stored.
fn freshness(outcomes: &[Outcome], parts: &[(&str, Result<&str, Failure>)]) -> Freshness {
    if parts.iter().any(|(_, part)| part.is_err()) {
        return Freshness::NoStore;
    }
    let each = outcomes.iter().filter_map(|outcome| outcome.response.as_ref().ok()).map(Freshness::of);
    each.reduce(Freshness::and).unwrap_or(Freshness::NoStore)
}

/// What any part depends on, the whole depends on.
fn add_vary(answer: Answer, outcomes: &[Outcome]) -> Answer {
    let responses = outcomes.iter().filter_map(|outcome| outcome.response.as_ref().ok());
    let values = responses.flat_map(|response| response.header_values("vary"));
    let names: BTreeSet<String> = values
        .flat_map(|value| value.split(','))
        .map(|name| name.trim().to_ascii_lowercase())
        .filter(|name| !name.is_empty())
        .collect();
    if names.is_empty() {
        answer
    } else if names.contains("*") {
        answer.header("vary", "*")
    } else {
        answer.header("vary", names.into_iter().collect::<Vec<_>>().join(", "))
    }
}

/// The cookies of every service that answered, also of one whose part failed: a session that it ended has ended.
fn add_cookies(mut answer: Answer, outcomes: &[Outcome]) -> Answer {
    let responses = outcomes.iter().filter_map(|outcome| outcome.response.as_ref().ok());
    let headers = responses.flat_map(|response| &response.headers);
    let cookies = headers.filter(|header| header.name.eq_ignore_ascii_case("set-cookie"));
    answer.headers.extend(cookies.map(|cookie| Header { name: "set-cookie".into(), value: cookie.value.clone() }));
    answer
}

#[cfg(test)]
mod tests {
    use super::*;
    use sluicegate_sdk::CallError;
    use sluicegate_sdk::testing::{answered, failed};

    const LIMITS: CallLimits = CallLimits { deadline: 5_000, max_part: 1_024 };

    fn text(answer: &Answer) -> &str {
        std::str::from_utf8(&answer.body).expect("the answer is text")
    }

    fn header<'a>(answer: &'a Answer, name: &str) -> Vec<&'a str> {
        let same = answer.headers.iter().filter(|header| header.name == name);
        same.map(|header| std::str::from_utf8(&header.value).expect("text")).collect()
    }

    fn json(name: &str, body: &str) -> Outcome {
        answered(name, 200, "application/json", body)
    }

    fn with(mut outcome: Outcome, name: &str, value: &str) -> Outcome {
        if let Ok(response) = &mut outcome.response {
            response.headers.push(Header { name: name.into(), value: value.into() });
        }
        outcome
    }

    #[test]
    fn good_parts_stand_under_their_names_byte_for_byte() {
        let outcomes =
            [json("order-service", r#" {"z": 1.50, "a": 12345678901234567890} "#), json("inventory-service", "[1]\n")];
        let answer = merge(&outcomes, LIMITS);
        let expected = r#"{"order-service":{"z": 1.50, "a": 12345678901234567890},"inventory-service":[1]}"#;
        assert_eq!((answer.status, text(&answer)), (200, expected));
        assert_eq!(header(&answer, "content-type"), ["application/json"]);
    }

    #[test]
    fn failed_parts_stand_in_errors_beside_the_good_ones() {
        let cases = [
            (failed("b", CallError::Deadline), r#"{"error":"deadline","message":"no answer within 5000 ms"}"#),
            (
                failed("b", CallError::NoEndpoint),
                r#"{"error":"no-endpoint","message":"no endpoint is known for the service"}"#,
            ),
            (
                failed("b", CallError::Refused),
                r#"{"error":"refused","message":"no connection to the service could be made"}"#,
            ),
            (
                failed("b", CallError::Reset),
                r#"{"error":"reset","message":"the connection ended before the answer was complete"}"#,
            ),
            (failed("b", CallError::TooLarge), r#"{"error":"too-large","message":"the answer is over 1024 bytes"}"#),
            (failed("b", CallError::Cancelled), r#"{"error":"cancelled","message":"the call was given up"}"#),
            (
                answered("b", 503, "text/plain", "later"),
                r#"{"error":"status","status":503,"message":"the service answered 503"}"#,
            ),
            (
                json("b", "nul"),
                r#"{"error":"not-json","status":200,"message":"the answer is not JSON: EOF while parsing a value at line 1 column 3"}"#,
            ),
        ];
        for (outcome, error) in cases {
            let answer = merge(&[outcome, json("a", "{}")], LIMITS);
            assert_eq!(
                (answer.status, text(&answer)),
                (200, format!(r#"{{"a":{{}},"errors":{{"b":{error}}}}}"#).as_str())
            );
            assert_eq!(header(&answer, "cache-control"), ["no-store"]);
        }
    }

    #[test]
    fn the_status_tells_lateness_from_other_failures_when_no_part_is_good() {
        let late = |name| failed(name, CallError::Deadline);
        let refused = |name| failed(name, CallError::Refused);
        let cases = [
            (vec![late("a"), late("b")], 504),
            (vec![late("a")], 504),
            (vec![late("a"), refused("b")], 502),
            (vec![refused("a"), refused("b")], 502),
            (vec![answered("a", 404, "application/json", "{}"), answered("b", 500, "application/json", "{}")], 502),
            (vec![late("a"), json("b", "{}")], 200),
            (vec![], 502),
        ];
        for (outcomes, status) in cases {
            let answer = merge(&outcomes, LIMITS);
            let value: serde_json::Value = serde_json::from_slice(&answer.body).expect("JSON");
            assert_eq!(answer.status, status, "{value}");
            let errors = value.get("errors").and_then(|errors| errors.as_object()).map_or(0, serde_json::Map::len);
            let parts = value.as_object().expect("an object").len() - usize::from(errors > 0);
            assert_eq!(errors + parts, outcomes.len(), "no part is lost: {value}");
        }
    }

    #[test]
    fn names_are_written_as_json_strings() {
        let answer = merge(&[json("a\"b\\", "1"), failed("c\"", CallError::Reset)], LIMITS);
        let value: serde_json::Value = serde_json::from_slice(&answer.body).expect("JSON");
        assert_eq!(value["a\"b\\"], 1);
        assert_eq!(value["errors"]["c\""]["error"], "reset");
    }

    #[test]
    fn the_answer_is_kept_no_longer_than_its_shortest_lived_part() {
        let fresh = |name, value| with(json(name, "{}"), "cache-control", value);
        let kept = |outcomes: &[Outcome]| header(&merge(outcomes, LIMITS), "cache-control").join("; ");
        assert_eq!(kept(&[fresh("a", "max-age=60"), fresh("b", "private, max-age=9")]), "private, max-age=9");
        assert_eq!(kept(&[fresh("a", "max-age=60"), json("b", "{}")]), "no-store");
        assert_eq!(kept(&[fresh("a", "max-age=60"), failed("b", CallError::Reset)]), "no-store");
    }

    #[test]
    fn vary_is_the_union_of_what_the_parts_vary_by() {
        let varies = |name, value| with(json(name, "{}"), "vary", value);
        let united = |outcomes: &[Outcome]| header(&merge(outcomes, LIMITS), "vary").join("; ");
        assert_eq!(united(&[varies("a", "Origin, accept"), varies("b", "Accept,")]), "accept, origin");
        assert_eq!(united(&[varies("a", "origin"), varies("b", "*")]), "*");
        assert_eq!(united(&[json("a", "{}")]), "");
    }

    #[test]
    fn the_cookies_of_all_answers_are_set() {
        let ended = with(answered("b", 401, "text/plain", ""), "Set-Cookie", "session=; max-age=0");
        let answer = merge(&[with(with(json("a", "{}"), "set-cookie", "x=1"), "set-cookie", "y=2"), ended], LIMITS);
        assert_eq!(header(&answer, "set-cookie"), ["x=1", "y=2", "session=; max-age=0"]);
    }
}
