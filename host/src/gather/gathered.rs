//! What a plan gave, for the filter that asked for it, the access record and the metrics.

use super::fetch::{Fetched, Response};
use super::held::Held;
use super::outcome::word;
use super::plan::{Call, Expected};
use super::run::Place;
use crate::telemetry::call::{CallEnd, CallReport};
use crate::upstream::Tries;
use crate::wasm::types::{CallError, Destination, Outcome};
use std::time::Duration;

/// What a plan gave.
#[derive(Debug)]
pub struct Gathered {
    /// In the order of the calls; empty when all is as expected.
    pub outcomes: Vec<Outcome>,
    /// The bodies that stay here, with the names of their calls.
    pub bodies: Vec<(String, Box<Held>)>,
    /// For the access record and the metrics, in the order of the calls.
    pub reports: Vec<CallReport>,
    /// Handed back to the filter.
    pub state: Vec<u8>,
    /// The answer, when all is as expected.
    pub expected: Option<Box<Expected>>,
}

impl Gathered {
    /// What became of these calls, in their order.
    pub(super) fn of(calls: Vec<Call>, places: Vec<Place>, state: Vec<u8>, expected: Option<Box<Expected>>) -> Self {
        let expected = expected.filter(|expected| {
            let holds = |(call, place): (&Call, &Place)| {
                place.over.as_ref().is_some_and(|(fetched, _)| expected.holds(call, fetched))
            };
            calls.iter().zip(&places).all(holds)
        });
        let expected = expected.and_then(|mut expected| {
            let body = |call: usize| places.get(call)?.over.as_ref()?.0.result.as_ref().ok()?.whole();
            expected.fill(body).then_some(expected)
        });
        let mut gathered = Self {
            outcomes: Vec::with_capacity(if expected.is_some() { 0 } else { calls.len() }),
            bodies: Vec::with_capacity(calls.len()),
            reports: Vec::with_capacity(calls.len()),
            state,
            expected,
        };
        for (call, place) in calls.into_iter().zip(places) {
            let over = place.over.unwrap_or_else(|| (Fetched::failed(CallError::Cancelled), Duration::ZERO));
            gathered.take_in(call, over);
        }
        gathered
    }

    fn take_in(&mut self, call: Call, (fetched, duration): (Fetched, Duration)) {
        let Fetched { result, tries, origin } = fetched;
        let end = match &result {
            Ok(Response { head, .. }) if call.accepts(head.status) => CallEnd::Good(head.status.as_u16()),
            Ok(Response { head, .. }) => CallEnd::Unaccepted(head.status.as_u16()),
            Err(error) => CallEnd::Failed(word(error)),
        };
        let good = matches!(end, CallEnd::Good(_));
        if self.expected.is_some() {
            let held = result.ok().and_then(Response::into_held);
            self.bodies.extend(held.map(|body| (call.name.clone(), body)));
        } else {
            let response = result.and_then(|response| {
                let (response, body) = response.into_contract();
                if !good {
                    return Err(CallError::Status(response));
                }
                self.bodies.extend(body.map(|body| (call.name.clone(), body)));
                Ok(response)
            });
            self.outcomes.push(Outcome { name: call.name.clone(), response });
        }
        let (Destination { host, port, subset }, Tries { count, endpoint }) = (call.destination, tries);
        self.reports.push(CallReport {
            name: call.name,
            host,
            port,
            subset,
            end,
            origin,
            attempts: count,
            endpoint,
            duration,
        });
    }
}
