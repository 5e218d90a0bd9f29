//! Values that are larger than a text may be.
#![allow(clippy::expect_used, reason = "a test may fail where it stands")]

mod support;

use sluicegate_sdk::Call;
use support::{composer, get, json, page, run, stages, text, value};

/// A template whose value has more than 8 MiB for a list of 3,000.
fn enlarged() -> String {
    format!("{{$map: '{{a.body}}', as: one, to: {{of: '{{one}}', text: '{}'}}}}", "x".repeat(3_000))
}

/// A list of so many.
fn list(length: usize) -> String {
    format!("[{}]", vec!["1"; length].join(","))
}

#[test]
fn an_answer_with_a_value_that_is_too_large_is_a_failure_and_never_cut() {
    let page = |body: &str| page(&format!("calls: {{a: {{service: a, path: /}}}}\nresponse: {{body: {body}}}"));
    for body in [enlarged(), format!("{{all: {}}}", enlarged()), format!("{{$merge: [{{all: {}}}]}}", enlarged())] {
        let composer = composer(&page(&body));
        let answer = |length: usize| {
            run(&composer, &get("/products/7"), |_, _| json(200, &list(length))).answer.expect("an answer")
        };
        let fits = answer(20);
        assert_eq!(fits.status, 200);
        let _ = value(&fits);
        let too_large = answer(3_000);
        assert_eq!((too_large.status, text(&too_large).as_str()), (502, "the composed answer is too large"), "{body}");
    }
}

#[test]
fn a_header_of_a_value_that_is_too_large_fails_the_answer() {
    let yaml = page(
        "calls:
  a: {service: a, path: /}
  each: {forEach: '{a.body}', limit: 64, service: b, path: '/{item}'}
response: {headers: {x-first: '{each.body[0].id}'}, body: '{a.body}'}",
    );
    let part = format!("{{\"id\":1,\"text\":\"{}\"}}", "x".repeat(200_000));
    let answered = |length: usize| {
        let services = |name: &str, _: &Call| {
            if name == "a" { json(200, &list(length)) } else { json(200, &part) }
        };
        run(&composer(&yaml), &get("/products/7"), services).answer.expect("an answer").status
    };
    assert_eq!((answered(2), answered(50)), (200, 502));
}

#[test]
fn a_call_of_a_value_that_is_too_large_is_not_made() {
    let yaml = page(&format!(
        "calls:
  a: {{service: a, path: /}}
  b: {{service: b, path: /, method: POST, body: {}, optional: true}}
response: {{body: {{b: '{{b.body}}', why: '{{b.error}}'}}}}",
        enlarged()
    ));
    let composer = composer(&yaml);
    let made = |length: usize| {
        run(&composer, &get("/products/7"), |name, _| {
            json(200, &if name == "a" { list(length) } else { "true".to_owned() })
        })
    };
    assert_eq!(stages(&made(20)), [vec!["a"], vec!["b"]]);
    let trial = made(3_000);
    assert_eq!(stages(&trial), [vec!["a"]]);
    let answer = value(&trial.answer.expect("an answer"));
    assert_eq!(answer["why"]["error"], "not-made");
    assert!(answer["why"]["message"].as_str().expect("a message").contains("8388608"), "{answer}");
}
