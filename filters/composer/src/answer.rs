//! The answers: the composed one, the one that says what is missing, and the one of a service that is passed on.

use crate::cache::Freshness;
use crate::compile::is_control;
use crate::composition::Status;
use crate::etag;
use crate::output::Output;
use crate::part::{Body, Good, Line, Part, Reason};
use crate::run::{Run, vary_of};
use sluicegate_sdk::{Answer, Assembly, CallResponse, Header, RequestDecision, respond};
use std::collections::BTreeSet;

/// What composed answers are.
pub const JSON: &str = "application/json";
/// What caches may do with an answer of which nobody says that it may be kept.
pub const NO_STORE: &str = "no-store";
/// At least one part is good.
const SOME_GOOD: u16 = 200;
/// Something that is needed is not good, and not just for being late.
const BAD_GATEWAY: u16 = 502;
/// Nothing that is needed came in time.
const GATEWAY_TIMEOUT: u16 = 504;

/// The composed answer.
pub fn composed(run: &Run<'_>) -> RequestDecision {
    let plan = &run.composition.response;
    let scope = run.scope();
    let mut body = Output::default();
    if !scope.write(&plan.body, None, &mut body) {
        body.push("null");
    }
    let status = status(run);
    let mut headers = Headers::new();
    headers.set("content-type", JSON);
    headers.set("cache-control", &freshness(run).header());
    if let Some(vary) = vary(run, &[]) {
        headers.set("vary", &vary);
    }
    for (name, template) in &plan.headers {
        if let Some(value) = scope.text(template, None).filter(|value| !value.bytes().any(is_control)) {
            headers.set(name, &value);
        }
    }
    if body.is_too_large() || run.was_cut() {
        return respond(BAD_GATEWAY).header("cache-control", NO_STORE).text("the composed answer is too large").into();
    }
    if plan.etag && run.view.asks() && status == SOME_GOOD {
        let text = body.into_text();
        let tag = etag::of(&text);
        headers.set("etag", &tag);
        let known = run.view.request.header("if-none-match").is_some_and(|known| etag::matches(&known, &tag));
        if known {
            headers.0.retain(|header| header.name != "content-type");
            return Answer { headers: headers.with_cookies(run), ..respond(304) }.into();
        }
        return Answer { headers: headers.with_cookies(run), ..respond(status).body(text) }.into();
    }
    let headers = headers.with_cookies(run);
    if body.has_bodies() {
        return Assembly { status, headers, body: body.into_parts() }.into();
    }
    Answer { headers, ..respond(status).body(body.into_text()) }.into()
}

/// The answer when something that is needed is missing.
pub fn failed(run: &Run<'_>) -> RequestDecision {
    let errors = run.scope().errors().unwrap_or_else(|| "{}".to_owned());
    let mut headers = Headers::new();
    headers.set("content-type", JSON);
    headers.set("cache-control", NO_STORE);
    let answer = respond(failure_status(run.parts())).body(format!("{{\"errors\":{errors}}}"));
    Answer { headers: headers.with_cookies(run), ..answer }.into()
}

/// What is passed on of an answer: what speaks of the body, or of what was asked for. All else is about the one service.
const PASSED: [&str; 9] = [
    "age",
    "cache-control",
    "content-encoding",
    "content-language",
    "content-type",
    "expires",
    "location",
    "retry-after",
    "www-authenticate",
];

/// The answer of a service, as the answer of the whole. Caches may do with it what it says, and what the answers say that
/// led to it.
pub fn passed_on(run: &Run<'_>, response: CallResponse) -> RequestDecision {
    let CallResponse { status, headers, body } = response;
    let vary = vary(run, &vary_of(&headers));
    let good = Good { status, headers: headers.iter().cloned().map(Line::from).collect(), body: Body::Unused };
    let mut headers = Headers(headers);
    headers.0.retain(|header| PASSED.iter().any(|name| header.name.eq_ignore_ascii_case(name)));
    if let Some(earlier) = freshness_so_far(run) {
        headers.remove("age");
        headers.remove("expires");
        headers.set("cache-control", &Freshness::of(&good).and(earlier).header());
    }
    if let Some(vary) = vary {
        headers.set("vary", &vary);
    }
    Answer { headers: headers.with_cookies(run), ..respond(status).body(body) }.into()
}

fn status(run: &Run<'_>) -> u16 {
    let by_parts = || {
        let made = run.parts().iter().any(|part| matches!(part, Part::Failed(_)));
        let good = goods(run.parts()).next().is_some();
        if made && !good { failure_status(run.parts()) } else { SOME_GOOD }
    };
    match &run.composition.response.status {
        Status::Fixed(status) => *status,
        Status::ByParts => by_parts(),
        Status::Template(template) => {
            let written = run.scope().text(template, None).and_then(|text| text.parse::<u16>().ok());
            written.filter(|status| (200..600).contains(status)).unwrap_or_else(by_parts)
        }
    }
}

/// Lateness is told from other failures.
fn failure_status(parts: &[Part]) -> u16 {
    let mut late = false;
    for part in failures(parts) {
        match part {
            Reason::Deadline => late = true,
            // Given up for the sake of another, or counted with its alternatives.
            Reason::Cancelled | Reason::TooFew => {}
            _ => return BAD_GATEWAY,
        }
    }
    if late { GATEWAY_TIMEOUT } else { BAD_GATEWAY }
}

fn failures(parts: &[Part]) -> impl Iterator<Item = Reason> {
    each(parts).filter_map(|part| if let Part::Failed(failure) = part { Some(failure.error) } else { None })
}

fn goods(parts: &[Part]) -> impl Iterator<Item = &Good> {
    each(parts).filter_map(|part| if let Part::Good(good) = part { Some(good) } else { None })
}

/// Every part, and those that parts are made of.
fn each(parts: &[Part]) -> impl Iterator<Item = &Part> {
    parts.iter().flat_map(|part| match part {
        Part::Each(parts) => parts.as_slice(),
        one => std::slice::from_ref(one),
    })
}

/// As fresh as the strictest part; an answer that lacks a part, or to a request that changes something, is not to be
/// stored.
fn freshness(run: &Run<'_>) -> Freshness {
    freshness_so_far(run).filter(|_| run.view.asks()).unwrap_or(Freshness::NoStore)
}

/// As fresh as the strictest part that is known; none where none is.
fn freshness_so_far(run: &Run<'_>) -> Option<Freshness> {
    if run.scope().errors().is_some() {
        return Some(Freshness::NoStore);
    }
    goods(run.parts()).map(Freshness::of).reduce(Freshness::and)
}

/// What any part depends on, the whole depends on, and on these.
fn vary(run: &Run<'_>, more: &[String]) -> Option<String> {
    let known = run.vary().iter().chain(&run.composition.response.vary);
    let names: BTreeSet<&str> = known.chain(more).map(String::as_str).collect();
    if names.contains("*") {
        return Some("*".to_owned());
    }
    (!names.is_empty()).then(|| names.into_iter().collect::<Vec<_>>().join(", "))
}

/// Headers of an answer, each name once but for cookies.
struct Headers(Vec<Header>);

impl Headers {
    fn new() -> Self {
        Self(Vec::with_capacity(8))
    }

    fn remove(&mut self, name: &str) {
        self.0.retain(|header| !header.name.eq_ignore_ascii_case(name));
    }

    fn set(&mut self, name: &str, value: &str) {
        self.remove(name);
        self.0.push(Header { name: name.to_owned(), value: value.into() });
    }

    /// With the cookies of every service that answered, also of one whose part failed: a session that it ended has ended.
    fn with_cookies(mut self, run: &Run<'_>) -> Vec<Header> {
        let cookies = run.cookies().iter().map(|line| Header { name: "set-cookie".into(), value: line.bytes() });
        self.0.extend(cookies);
        self.0
    }
}
