//! What a route with several destinations is answered: the parts under their names, and what failed beside them.
#![allow(clippy::expect_used, reason = "a test may fail where it stands")]

mod support;

use serde_json::{Value, json};
use sluicegate_composer::Composer;
use sluicegate_composer::config::Settings;
use sluicegate_composer::route::DESTINATIONS;
use sluicegate_sdk::testing::{TestRequest, configure, trial};
use sluicegate_sdk::{Answer, CallError, CallResponse};
use support::{header, text, value, with};

type Outcome = Result<CallResponse, CallError>;

/// The answer to a GET of several services.
fn merge(outcomes: &[(&str, Outcome)]) -> Answer {
    let settings = Settings { max_part: 1_024, ..Settings::default() };
    let (composer, _) = configure::<Composer>(settings, &[]);
    let named: Vec<Value> = outcomes.iter().map(|(name, _)| json!({"name": name, "host": name})).collect();
    let request = TestRequest::get("/products").attribute(DESTINATIONS, &Value::from(named).to_string());
    let answer = trial(&composer, &request, |call| {
        let found = outcomes.iter().find(|(name, _)| *name == call.name);
        found.map_or(Err(CallError::NoEndpoint), |(_, outcome)| outcome.clone())
    });
    answer.answer.expect("an answer")
}

fn good(body: &str) -> Outcome {
    support::json(200, body)
}

#[test]
fn good_parts_stand_under_their_names_byte_for_byte() {
    let answer = merge(&[
        ("order-service", good(r#"{"z": 1.50, "a": 12345678901234567890}"#)),
        ("inventory-service", good("[1]")),
    ]);
    let expected = r#"{"order-service":{"z": 1.50, "a": 12345678901234567890},"inventory-service":[1]}"#;
    assert_eq!((answer.status, text(&answer).as_str()), (200, expected));
    assert_eq!(header(&answer, "content-type"), ["application/json"]);
}

#[test]
fn failed_parts_stand_in_errors_beside_the_good_ones() {
    let cases: [(Outcome, &str); 8] = [
        (Err(CallError::Deadline), r#"{"error":"deadline","message":"no answer within 5000 ms"}"#),
        (Err(CallError::NoEndpoint), r#"{"error":"no-endpoint","message":"no endpoint is known for the service"}"#),
        (Err(CallError::Refused), r#"{"error":"refused","message":"no connection to the service could be made"}"#),
        (Err(CallError::Reset), r#"{"error":"reset","message":"the connection ended before the answer was complete"}"#),
        (Err(CallError::TooLarge), r#"{"error":"too-large","message":"the answer is over 1024 bytes"}"#),
        (Err(CallError::Cancelled), r#"{"error":"cancelled","message":"the call was given up"}"#),
        (support::json(503, "later"), r#"{"error":"status","status":503,"message":"the service answered 503"}"#),
        (good("nul"), r#"{"error":"not-json","message":"the answer is not JSON"}"#),
    ];
    for (outcome, error) in cases {
        let answer = merge(&[("b", outcome), ("a", good("{}"))]);
        assert_eq!((answer.status, text(&answer)), (200, format!(r#"{{"a":{{}},"errors":{{"b":{error}}}}}"#)));
        assert_eq!(header(&answer, "cache-control"), ["no-store"]);
    }
}

#[test]
fn the_status_tells_lateness_from_other_failures_when_no_part_is_good() {
    let late = || Err(CallError::Deadline);
    let refused = || Err(CallError::Refused);
    let cases = [
        (vec![("a", late()), ("b", late())], 504),
        (vec![("a", late())], 504),
        (vec![("a", late()), ("b", refused())], 502),
        (vec![("a", refused()), ("b", refused())], 502),
        (vec![("a", support::json(404, "{}")), ("b", support::json(500, "{}"))], 502),
        (vec![("a", late()), ("b", good("{}"))], 200),
    ];
    for (outcomes, status) in cases {
        let answer = merge(&outcomes);
        let value = value(&answer);
        assert_eq!(answer.status, status, "{value}");
        let errors = value.get("errors").and_then(Value::as_object).map_or(0, serde_json::Map::len);
        let parts = value.as_object().expect("an object").len() - usize::from(errors > 0);
        assert_eq!(errors + parts, outcomes.len(), "no part is lost: {value}");
    }
}

#[test]
fn names_are_written_as_json_strings() {
    let answer = merge(&[("a\"b\\", good("1")), ("c\"", Err(CallError::Reset))]);
    let value = value(&answer);
    assert_eq!(value["a\"b\\"], 1);
    assert_eq!(value["errors"]["c\""]["error"], "reset");
}

#[test]
fn no_content_stands_as_null() {
    assert_eq!(text(&merge(&[("a", support::json(204, ""))])), r#"{"a":null}"#);
}

#[test]
fn an_encoded_part_is_none() {
    let encoded = with(200, &[("content-encoding", "br")], "{}");
    let value = value(&merge(&[("a", encoded), ("b", good("1"))]));
    assert_eq!((&value["errors"]["a"]["error"], &value["b"]), (&json!("not-json"), &json!(1)));
}

#[test]
fn the_answer_is_kept_no_longer_than_its_shortest_lived_part() {
    let fresh = |value| with(200, &[("cache-control", value)], "{}");
    let kept = |outcomes: &[(&str, Outcome)]| header(&merge(outcomes), "cache-control").join("; ");
    assert_eq!(kept(&[("a", fresh("max-age=60")), ("b", fresh("private, max-age=9"))]), "private, max-age=9");
    assert_eq!(kept(&[("a", fresh("max-age=60")), ("b", good("{}"))]), "no-store");
    assert_eq!(kept(&[("a", fresh("max-age=60")), ("b", Err(CallError::Reset))]), "no-store");
}

#[test]
fn vary_is_the_union_of_what_the_parts_vary_by() {
    let varies = |value| with(200, &[("vary", value)], "{}");
    let united = |outcomes: &[(&str, Outcome)]| header(&merge(outcomes), "vary").join("; ");
    assert_eq!(united(&[("a", varies("Origin, accept")), ("b", varies("Accept,"))]), "accept, origin");
    assert_eq!(united(&[("a", varies("origin")), ("b", varies("*"))]), "*");
    assert_eq!(united(&[("a", good("{}"))]), "");
}

#[test]
fn the_cookies_of_all_answers_are_set() {
    let ended = with(401, &[("Set-Cookie", "session=; max-age=0")], "");
    let answer = merge(&[("a", with(200, &[("set-cookie", "x=1"), ("set-cookie", "y=2")], "{}")), ("b", ended)]);
    assert_eq!(header(&answer, "set-cookie"), ["x=1", "y=2", "session=; max-age=0"]);
}
