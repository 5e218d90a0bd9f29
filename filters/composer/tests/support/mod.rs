//! Builds composers from YAML and has them compose.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its part of this module")]
#![allow(
    clippy::expect_used,
    clippy::unnecessary_wraps,
    reason = "a test may fail where it stands, and services answer"
)]

use serde_json::Value;
use sluicegate_composer::Composer;
use sluicegate_composer::config::Settings;
use sluicegate_sdk::testing::{TestRequest, Trial, configure, resource, trial};
use sluicegate_sdk::{Answer, Call, CallError, CallResponse, Diagnostics, Header, Resource};

/// The documents of a YAML text.
pub fn documents(yaml: &str) -> Vec<Value> {
    serde_saphyr::from_multiple(yaml).expect("the test's own YAML is valid")
}

/// What the composer makes of a YAML text.
pub fn load(yaml: &str) -> (Composer, Diagnostics) {
    let resources: Vec<Resource> =
        (0..).zip(documents(yaml)).map(|(index, document)| resource(index, &document.to_string())).collect();
    configure::<Composer>(Settings::default(), &resources)
}

/// A composer that has nothing to object to.
pub fn composer(yaml: &str) -> Composer {
    let (composer, diagnostics) = load(yaml);
    assert!(diagnostics.lines().is_empty(), "{:#?}", diagnostics.lines());
    composer
}

/// A document with a `spec`.
pub fn document(name: &str, spec: &str) -> String {
    let indented: String = spec.lines().flat_map(|line| ["  ", line, "\n"]).collect();
    format!("---\napiVersion: sluicegate.dev/v1alpha1\nkind: Composition\nmetadata:\n  name: {name}\nspec:\n{indented}")
}

/// A document for `shop/products/{id}` with these calls, and perhaps a `response`.
pub fn page(calls_and_response: &str) -> String {
    document("page", &format!("hosts: [shop]\npath: /products/{{id}}\n{calls_and_response}"))
}

/// A GET of the shop.
pub fn get(path: &str) -> TestRequest {
    TestRequest::get(path).authority("shop")
}

/// An answer of a service.
pub fn json(status: u16, body: &str) -> Result<CallResponse, CallError> {
    with(status, &[("content-type", "application/json")], body)
}

/// An answer of a service, with headers.
pub fn with(status: u16, headers: &[(&str, &str)], body: &str) -> Result<CallResponse, CallError> {
    let header = |(name, value): &(&str, &str)| Header { name: (*name).into(), value: (*value).into() };
    Ok(CallResponse { status, headers: headers.iter().map(header).collect(), body: body.into() })
}

/// What becomes of a request, with services that answer by the names of their calls.
pub fn run(
    composer: &Composer,
    request: &TestRequest,
    mut services: impl FnMut(&str, &Call) -> Result<CallResponse, CallError>,
) -> Trial {
    trial(composer, request, |call| services(&call.name, call))
}

/// The answer to a GET of `/products/7`, with services that answer these bodies.
pub fn answer(yaml: &str, bodies: &[(&str, &str)]) -> Answer {
    let trial =
        run(&composer(yaml), &get("/products/7"), |name, _| match bodies.iter().find(|(known, _)| *known == name) {
            Some((_, body)) => json(200, body),
            None => Err(CallError::Reset),
        });
    trial.answer.unwrap_or_else(|| panic!("{:?} is no answer", trial.decision))
}

/// The body of an answer as text.
pub fn text(answer: &Answer) -> String {
    String::from_utf8(answer.body.clone()).expect("the answer is text")
}

/// The body of an answer as JSON.
pub fn value(answer: &Answer) -> Value {
    serde_json::from_slice(&answer.body).unwrap_or_else(|error| panic!("{error}: {}", text(answer)))
}

/// All values of a header.
pub fn header(answer: &Answer, name: &str) -> Vec<String> {
    let same = answer.headers.iter().filter(|header| header.name == name);
    same.map(|header| String::from_utf8_lossy(&header.value).into_owned()).collect()
}

/// The names of the calls of each plan.
pub fn stages(trial: &Trial) -> Vec<Vec<String>> {
    trial.plans.iter().map(|plan| plan.calls.iter().map(|call| call.name.clone()).collect()).collect()
}
