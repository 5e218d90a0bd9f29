//! The response phase of one filter.

use super::course::Course;
use super::failure::{Failing, failed, left_out};
use super::link::{Link, Stopwatch};
use crate::body::ProxyBody;
use crate::decision;
use crate::error::RequestError;
use crate::request::RequestHead;
use crate::telemetry::{CallResult, Phase};
use crate::wasm::types;
use http::{Response, response};

/// Edits the head in place, or gives another response.
pub(super) fn respond(
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
    if decided.is_ok() {
        link.filter.guard.settled();
    }
    match decided {
        Ok(Some(answer)) => {
            let took = link.called(Phase::Response, CallResult::Respond, &mut watch, &course.parent);
            course.spent.add(place, link, took);
            // One that stands for an error of somebody else is none of its own.
            if answer.status().is_server_error() && !parts.status.is_server_error() {
                link.metrics.erred();
            }
            Ok(Some(answer))
        }
        Ok(None) => {
            link.called(Phase::Response, CallResult::Next, &mut watch, &course.parent);
            let mut room = link.filter.settings.bounds.edit_bytes;
            for edit in course.response_edits.drain(waiting..) {
                if edit.apply(&mut parts.headers, course.upstream, &mut room).is_err() {
                    left_out(link);
                }
            }
            Ok(None)
        }
        Err(failure) => {
            course.note(&failure);
            let failing = Failing { phase: Phase::Response, parent: &course.parent, request: Some(head.id) };
            failed(link, &failing, &mut watch, &failure).map(|_| None)
        }
    }
}
