//! The ordered filters of a snapshot: asks each for its decision until one settles the request.
//!
//! Nothing here does I/O or waits. The caller carries a [`Step`] out and comes back if the chain has to go on.

mod difference;
mod explained;
mod failure;
mod passage;
mod shadow;
mod spent;
mod step;
mod trial;

pub use explained::{TraceCandidate, TraceStep};
pub use failure::result_of as result_of_failure;
pub use passage::{Passage, Passing};
pub use shadow::{ShadowFigures, Shadowing};
pub use step::{Answered, Forward, Publishing, Reply, Step};
pub use trial::Trial;

use crate::body::{BodyError, ProxyBody};
use crate::decision::{self, HeaderEdit};
use crate::error::RequestError;
use crate::gather::{self, Bodies, Expected};
use crate::mirror;
use crate::request::{RequestHead, RequestId};
use crate::telemetry::metrics::GatherMetrics;
use crate::telemetry::trace::{Parent, filter};
use crate::telemetry::{CallResult, FilterMetrics, Phase};
use crate::wasm::{Failure, Filter, types};
use explained::trace_step;
use failure::{Failing, failed};
use http::{Response, response};
use spent::Spent;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A snapshot's filters, in the order in which they see a request.
#[derive(Debug, Default)]
pub struct Chain {
    links: Vec<Link>,
}

/// A filter and where its calls are counted.
#[derive(Debug, Clone)]
pub struct Link {
    /// The filter.
    pub filter: Arc<Filter>,
    /// Where its calls are counted.
    pub metrics: Arc<FilterMetrics>,
    /// Its place in the chain: higher comes first.
    pub priority: i32,
    /// Whether this is the filter's second place, where only its decisions on requests count.
    pub early: bool,
    /// The file it came from.
    pub path: std::path::PathBuf,
    /// A newer version that is being tried.
    pub trial: Option<Trial>,
}

impl Link {
    fn on_request(&self, head: &mut Box<RequestHead>) -> Result<types::RequestDecision, Failure> {
        let Some(shadow) = self.shadow() else { return self.filter.on_request(head) };
        let before = shadow.before_request(head);
        let decided = self.filter.on_request(head);
        if let Some(before) = before {
            shadow.decided(before, &decided);
        }
        decided
    }

    fn on_response(
        &self,
        head: &mut Box<RequestHead>,
        parts: &mut response::Parts,
    ) -> Result<types::ResponseDecision, Failure> {
        let Some(shadow) = self.shadow() else { return self.filter.on_response(head, parts) };
        let before = shadow.before_response(head, parts);
        let decided = self.filter.on_response(head, parts);
        if let Some(before) = before {
            shadow.responded(before, &decided);
        }
        decided
    }

    /// Counts a call of the filter that is over, and says that it was made.
    fn called(&self, phase: Phase, result: CallResult, watch: &mut Stopwatch, parent: &Parent) -> Duration {
        let took = watch.lap();
        self.metrics.observe(phase, result, took);
        filter::called(parent, (&self.filter.name, &self.filter.code.manifest.version), phase, result, took);
        took
    }
}

/// How far a request has come along the chain.
#[derive(Debug, Default)]
pub struct Course {
    /// The next filter to ask.
    next: usize,
    /// Applied to the response, whoever makes it.
    response_edits: Vec<HeaderEdit>,
    /// The filter that settled the request.
    decided_by: Option<usize>,
    /// How long to wait before what it decided is done.
    delay: Option<Duration>,
    /// Who answered, once somebody has.
    pub upstream: Option<SocketAddr>,
    /// Filled only when someone wants to know why.
    trace: Option<Vec<TraceStep>>,
    /// What spans of filters begin from.
    parent: Parent,
    /// How long filters took that took long.
    spent: Spent,
}

/// What the calls of a plan gave, for the filter that asked for them.
#[derive(Debug)]
pub struct Parts<'a> {
    /// Handed back to the filter.
    pub state: &'a [u8],
    /// In the order of the calls.
    pub outcomes: &'a [types::Outcome],
    /// The bodies that the filter may put into its answer.
    pub bodies: &'a mut Bodies,
    /// Where an answer is counted that breaks on its way.
    pub metrics: &'a GatherMetrics,
}

/// What a filter decided.
enum Decided {
    Plain(types::RequestDecision),
    /// An answer with bodies that stream.
    Assembled(Response<ProxyBody>),
}

impl Parts<'_> {
    /// The answer that the filter expected.
    ///
    /// # Errors
    /// When a body is not there.
    pub fn answer(self, expected: Expected) -> Result<Step, Failure> {
        let on_broken = self.on_broken();
        gather::put_together(expected.head, expected.body, self.bodies, on_broken).map(Step::Respond)
    }

    fn assembled(self, decision: types::RequestDecision) -> Result<Decided, Failure> {
        let types::RequestDecision::Assemble(assembly) = decision else { return Ok(Decided::Plain(decision)) };
        let on_broken = self.on_broken();
        gather::assemble(assembly, self.bodies, on_broken).map(Decided::Assembled)
    }

    fn on_broken(&self) -> impl FnOnce(&BodyError) + Send + 'static {
        let metrics = self.metrics.clone();
        move |fault| metrics.broken(gather::outcome::of_fault(fault))
    }
}

/// Times one call after the other with one look at the clock for each.
struct Stopwatch(Instant);

impl Stopwatch {
    fn start() -> Self {
        Self(Instant::now())
    }

    /// The time since the last lap.
    fn lap(&mut self) -> Duration {
        let now = Instant::now();
        now.saturating_duration_since(std::mem::replace(&mut self.0, now))
    }
}

impl Course {
    /// A course whose filters are spans below this one.
    pub fn below(parent: Parent) -> Self {
        Self { parent, ..Self::default() }
    }

    /// A course that records why.
    pub fn traced() -> Self {
        Self { trace: Some(Vec::new()), ..Self::default() }
    }

    /// What was recorded so far.
    pub fn trace(&self) -> &[TraceStep] {
        self.trace.as_deref().unwrap_or_default()
    }

    /// How long to wait before the step is carried out. Waiting is done once.
    pub fn take_delay(&mut self) -> Option<Duration> {
        self.delay.take()
    }

    /// What was recorded.
    pub fn into_trace(self) -> Vec<TraceStep> {
        self.trace.unwrap_or_default()
    }
}

impl Chain {
    /// A chain in this order.
    pub fn new(links: Vec<Link>) -> Self {
        Self { links }
    }

    /// Its filters, in order.
    pub fn links(&self) -> &[Link] {
        &self.links
    }

    /// Whether a response phase may ask for the request's headers once it has been sent.
    pub fn reads_requests_late(&self) -> bool {
        self.links.iter().any(Link::has_response)
    }

    /// The filters that decide on events.
    pub fn event_filter(&self) -> Option<&Link> {
        self.links.iter().find(|link| link.filter.code.hooks.has_event())
    }

    /// The name of the filter that settled the request.
    pub fn decided_by(&self, course: &Course) -> Option<&Arc<str>> {
        course.decided_by.and_then(|index| self.links.get(index)).map(|link| &link.filter.name)
    }

    /// The counters of the filter that settled the request.
    pub fn metrics(&self, course: &Course, id: RequestId) -> Option<&FilterMetrics> {
        course.decided_by.and_then(|index| self.links.get(index)).map(|link| &*link.for_request(id).metrics)
    }

    /// The filter that settled the request.
    pub fn deciding(&self, course: &Course, id: RequestId) -> Option<&Link> {
        course.decided_by.and_then(|index| self.links.get(index)).map(|link| link.for_request(id))
    }

    /// Asks filter after filter, from where the course stands.
    pub fn decide(&self, head: &mut Box<RequestHead>, course: &mut Course) -> Result<Step, RequestError> {
        let mut watch = Stopwatch::start();
        while let Some(link) = self.links.get(course.next) {
            let link = link.for_request(head.id);
            if link.filter.code.hooks.has_request() {
                let explained = course.trace.is_some().then(|| link.filter.explain(head));
                let in_time = course.spent.check(course.next, link);
                let decided = in_time.and_then(|()| link.on_request(head).map(Decided::Plain));
                let step = settle(link, Phase::Request, &mut watch, decided, head, course)?;
                if let Some(trace) = &mut course.trace {
                    trace.push(trace_step(link, step.as_ref(), course.delay, explained));
                }
                if let Some(step) = step {
                    return Ok(step);
                }
            }
            course.next += 1;
        }
        Ok(Step::End)
    }

    /// Hands outcomes to the filter that asked for them, and goes on from there.
    pub fn gathered(
        &self,
        head: &mut Box<RequestHead>,
        parts: Parts<'_>,
        course: &mut Course,
    ) -> Result<Step, RequestError> {
        if let Some(link) = self.links.get(course.next) {
            let mut watch = Stopwatch::start();
            let link = link.for_request(head.id);
            let in_time = course.spent.check(course.next, link);
            let decided = in_time.and_then(|()| link.filter.on_gathered(head, parts.state, parts.outcomes));
            let decided = decided.and_then(|decision| parts.assembled(decision));
            if let Some(step) = settle(link, Phase::Gathered, &mut watch, decided, head, course)? {
                return Ok(step);
            }
        }
        course.next += 1;
        self.decide(head, course)
    }

    /// Runs the response phases, from the filter that settled the request back to the first, then the edits that were
    /// decided on the way in.
    pub fn respond(
        &self,
        head: &mut Box<RequestHead>,
        mut response: Response<ProxyBody>,
        course: &mut Course,
    ) -> Result<Response<ProxyBody>, RequestError> {
        let seen = self.links.len().min(course.next.saturating_add(1));
        let id = head.id;
        let links = self.links.iter().enumerate().take(seen).rev().filter(|(_, link)| !link.early);
        let links = links.map(|(place, link)| (place, link.for_request(id)));
        for (place, link) in links.filter(|(_, link)| link.filter.code.hooks.has_response()) {
            let (mut parts, body) = response.into_parts();
            response = match respond_one((place, link), head, &mut parts, course)? {
                Some(replaced) => replaced,
                None => Response::from_parts(parts, body),
            };
        }
        for edit in course.response_edits.drain(..) {
            edit.apply(response.headers_mut(), course.upstream);
        }
        Ok(response)
    }
}

/// A response phase of one filter: edits the head in place, or gives another response.
fn respond_one(
    (place, link): (usize, &Link),
    head: &mut Box<RequestHead>,
    parts: &mut response::Parts,
    course: &mut Course,
) -> Result<Option<Response<ProxyBody>>, RequestError> {
    let mut watch = Stopwatch::start();
    // Its edits stand after those that wait for the end of the chain until they are applied here.
    let waiting = course.response_edits.len();
    let in_time = course.spent.check(place, link);
    let decided = in_time.and_then(|()| link.on_response(head, parts));
    let decided = decided.and_then(|decision| match decision {
        types::ResponseDecision::Next(edits) => {
            decision::header_edits(edits, &mut course.response_edits).map(|()| None)
        }
        types::ResponseDecision::Respond(answer) => decision::response(answer).map(Some),
    });
    match decided {
        Ok(Some(answer)) => {
            let took = link.called(Phase::Response, CallResult::Respond, &mut watch, &course.parent);
            course.spent.add(place, link, took);
            Ok(Some(answer))
        }
        Ok(None) => {
            link.called(Phase::Response, CallResult::Next, &mut watch, &course.parent);
            for edit in course.response_edits.drain(waiting..) {
                edit.apply(&mut parts.headers, course.upstream);
            }
            Ok(None)
        }
        Err(failure) => {
            let failing = Failing { phase: Phase::Response, parent: &course.parent, request: Some(head.id) };
            failed(link, &failing, &mut watch, &failure).map(|_| None)
        }
    }
}

/// Checks a decision and applies it; none means that the next filter is to be asked.
fn settle(
    link: &Link,
    phase: Phase,
    watch: &mut Stopwatch,
    decided: Result<Decided, Failure>,
    head: &mut Box<RequestHead>,
    course: &mut Course,
) -> Result<Option<Step>, RequestError> {
    let applied = decided.and_then(|decided| match decided {
        Decided::Assembled(response) => Ok((CallResult::Assemble, Some(Step::Respond(response)))),
        Decided::Plain(decision) => {
            let result = result_of(&decision);
            carry_out(decision, &link.filter, head, course).map(|step| (result, step))
        }
    });
    match applied {
        Ok((result, step)) => {
            let took = link.called(phase, result, watch, &course.parent);
            course.spent.add(course.next, link, took);
            if let Some(Step::Respond(response)) = &step
                && response.status().is_server_error()
            {
                link.metrics.erred();
            }
            if step.is_some() {
                course.decided_by = Some(course.next);
            }
            Ok(step)
        }
        Err(failure) => {
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
