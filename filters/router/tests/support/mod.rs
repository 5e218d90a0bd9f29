//! Builds routers from YAML and reads their decisions.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its part of this module")]
#![allow(clippy::expect_used, reason = "a test may fail where it stands")]

pub mod gateway;

use sluicegate_router::Router;
use sluicegate_sdk::testing::{TestRequest, configure, resource};
use sluicegate_sdk::{
    Answer, Continuation, Diagnostics, Forward, HeaderEdit, RequestDecision, RequestEdit, RequestFilter, Resource,
    ValuePart,
};

/// The documents of a YAML text.
pub fn documents(yaml: &str) -> Vec<serde_json::Value> {
    serde_saphyr::from_multiple(yaml).expect("the test's own YAML is valid")
}

/// What the router makes of a YAML text.
pub fn load(yaml: &str) -> (Router, Diagnostics) {
    let resources: Vec<Resource> =
        (0..).zip(documents(yaml)).map(|(index, document)| resource(index, &document.to_string())).collect();
    configure::<Router>((), &resources)
}

/// A router that has nothing to object to.
pub fn router(yaml: &str) -> Router {
    let (router, diagnostics) = load(yaml);
    assert!(!diagnostics.has_errors(), "{:#?}", diagnostics.lines());
    router
}

/// The diagnostics as `severity code pointer`.
pub fn findings(yaml: &str) -> Vec<String> {
    let lines = load(yaml).1.lines();
    lines.iter().map(|line| line.split(": ").next().unwrap_or_default().to_owned()).collect()
}

/// A document in the default namespace with a `spec`.
pub fn document(name: &str, spec: &str) -> String {
    let indented: String = spec.lines().flat_map(|line| ["  ", line, "\n"]).collect();
    format!(
        "---\napiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata:\n  name: {name}\nspec:\n{indented}"
    )
}

/// A document for the host `shop` with these rules.
pub fn shop(http: &str) -> String {
    let indented: String = http.lines().flat_map(|line| ["  ", line, "\n"]).collect();
    document("shop", &format!("hosts: [shop]\nhttp:\n{indented}"))
}

/// A GET of the shop.
pub fn get(path: &str) -> TestRequest {
    TestRequest::get(path).authority("shop")
}

/// What the router decides.
pub fn decide(router: &Router, request: &TestRequest) -> RequestDecision {
    router.on_request(&request.request())
}

/// What the router decides, in a few words.
pub fn outcome(router: &Router, request: &TestRequest) -> String {
    match decide(router, request) {
        RequestDecision::Forward(forward) => forward.destination.host.split('.').next().unwrap_or_default().to_owned(),
        RequestDecision::Respond(answer) => answer.status.to_string(),
        RequestDecision::Next(_) => "next".to_owned(),
        other => format!("{other:?}"),
    }
}

/// The forward that the router decides on.
pub fn forwarded(router: &Router, request: &TestRequest) -> Forward {
    match decide(router, request) {
        RequestDecision::Forward(forward) => forward,
        other => panic!("expected a forward, got {other:?}"),
    }
}

/// The answer that the router gives.
pub fn answered(router: &Router, request: &TestRequest) -> Answer {
    match decide(router, request) {
        RequestDecision::Respond(answer) => answer,
        other => panic!("expected an answer, got {other:?}"),
    }
}

/// That the router lets the request go on, and how.
pub fn continued(router: &Router, request: &TestRequest) -> Continuation {
    match decide(router, request) {
        RequestDecision::Next(continuation) => continuation,
        other => panic!("expected a continuation, got {other:?}"),
    }
}

/// Edits as short text, such as `set x-a=1`.
pub fn words(edits: &[RequestEdit]) -> Vec<String> {
    let word = |edit: &RequestEdit| match edit {
        RequestEdit::Header(edit) => header_words(std::slice::from_ref(edit)).concat(),
        RequestEdit::Path(path) => format!("path {path}"),
        RequestEdit::Query(query) => format!("query {query:?}"),
        RequestEdit::Authority(authority) => format!("authority {authority}"),
        RequestEdit::Attribute(attribute) => format!("{}: {}", attribute.name, attribute.value),
    };
    edits.iter().map(word).collect()
}

/// Header edits as short text.
pub fn header_words(edits: &[HeaderEdit]) -> Vec<String> {
    let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
    let word = |edit: &HeaderEdit| match edit {
        HeaderEdit::Set(header) => format!("set {}={}", header.name, text(&header.value)),
        HeaderEdit::Append(header) => format!("add {}={}", header.name, text(&header.value)),
        HeaderEdit::Remove(name) => format!("remove {name}"),
        HeaderEdit::SetFormatted(header) => format!("set {}={}", header.name, parts(&header.parts)),
        HeaderEdit::AppendFormatted(header) => format!("add {}={}", header.name, parts(&header.parts)),
    };
    edits.iter().map(word).collect()
}

fn parts(parts: &[ValuePart]) -> String {
    let word = |part: &ValuePart| match part {
        ValuePart::Literal(text) => String::from_utf8_lossy(text).into_owned(),
        ValuePart::ResponseHeader(name) => format!("<{name}>"),
        ValuePart::UpstreamAddress => "<upstream>".to_owned(),
    };
    parts.iter().map(word).collect()
}

/// The value of a header of an answer.
pub fn header(answer: &Answer, name: &str) -> Option<String> {
    let found = answer.headers.iter().find(|header| header.name == name)?;
    Some(String::from_utf8_lossy(&found.value).into_owned())
}
