//! The ordered filters of a snapshot: asks each for its decision until one settles the request.
//!
//! Nothing here does I/O or waits. The caller carries a [`Step`] out and comes back if the chain has to go on.

mod course;
mod difference;
mod explained;
mod failure;
mod link;
mod parts;
mod passage;
mod response;
mod settle;
mod shadow;
mod spent;
mod step;
mod trial;

pub use course::Course;
pub use explained::{TraceCandidate, TraceStep};
pub use failure::result_of as result_of_failure;
pub use link::Link;
pub use parts::Parts;
pub use passage::{Passage, Passing};
pub use shadow::{ShadowFigures, Shadowing};
pub use step::{Answered, Forward, Publishing, Reply, Step};
pub use trial::Trial;

use crate::body::ProxyBody;
use crate::error::RequestError;
use crate::gather::Expected;
use crate::request::{RequestHead, RequestId};
use crate::telemetry::{FilterMetrics, Phase};
use crate::wasm::Failure;
use explained::{failed_step, not_asked, trace_step};
use http::Response;
use link::Stopwatch;
use parts::Decided;
use settle::settle;
use std::sync::Arc;

/// A snapshot's filters, in the order in which they see a request.
#[derive(Debug, Default)]
pub struct Chain {
    links: Vec<Link>,
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
            if link.is_idle_for(head) {
                if let Some(trace) = &mut course.trace {
                    trace.push(not_asked(link));
                }
            } else if link.filter.code.hooks.has_request() {
                let explained = course.trace.is_some().then(|| link.filter.explain(head));
                let in_time = course.spent.check(course.next, link);
                let decided = in_time.and_then(|()| link.on_request(head).map(Decided::Plain));
                let failures = course.failures.len();
                let step = settle(link, Phase::Request, &mut watch, decided, head, course);
                if let Some(trace) = &mut course.trace {
                    let failed = course.failures.get(failures);
                    trace.push(match (&step, failed) {
                        (Ok(step), None) => trace_step(link, step.as_ref(), course.delay, explained),
                        (_, failure) => failed_step(link, failure, explained),
                    });
                }
                if let Some(step) = step? {
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

    /// The answer that the filter expected which asked for these calls.
    ///
    /// # Errors
    /// When it cannot be put together, and the filter may not be left out.
    pub fn expected(
        &self,
        head: &mut Box<RequestHead>,
        parts: Parts<'_>,
        expected: Expected,
        course: &mut Course,
    ) -> Result<Step, RequestError> {
        match parts.answer(expected) {
            Ok(step) => {
                if step.is_error()
                    && let Some(metrics) = self.metrics(course, head.id)
                {
                    metrics.erred();
                }
                Ok(step)
            }
            Err(failure) => self.overreached(head, &failure, course),
        }
    }

    /// Goes on from a filter whose plan cannot be carried out, when it may fail open: nothing of the request has changed.
    ///
    /// # Errors
    /// When it may not.
    pub fn overreached(
        &self,
        head: &mut Box<RequestHead>,
        failure: &Failure,
        course: &mut Course,
    ) -> Result<Step, RequestError> {
        if let Some(link) = self.links.get(course.next) {
            let link = link.for_request(head.id);
            link.overreached(failure, head.id);
            if !link.is_bypassed(Phase::Request) {
                return Err(link.refused(failure.message.clone()));
            }
        }
        course.undecide();
        course.next += 1;
        self.decide(head, course)
    }

    /// What a request fails with whose events cannot be published as its filter wants it. They may have its body, so it does not
    /// go on without the filter.
    pub fn refused(&self, failure: &Failure, course: &Course, id: RequestId) -> RequestError {
        let Some(link) = self.deciding(course, id) else { return RequestError::Fault };
        link.overreached(failure, id);
        link.refused(failure.message.clone())
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
            response = match response::respond((place, link), head, &mut parts, course)? {
                Some(replaced) => replaced,
                None => Response::from_parts(parts, body),
            };
        }
        course.finish(response.headers_mut(), |place| self.links.get(place).map(|link| link.for_request(id)));
        Ok(response)
    }
}
