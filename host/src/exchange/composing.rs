//! The plans of a request: they share a deadline, what their calls inherit, and the bodies that wait for the answer.

use super::run::Run;
use crate::chain::{Parts, Step};
use crate::config::limits;
use crate::error::RequestError;
use crate::gather::{self, Bodies, Cached, Gathered, Plan};
use crate::sanitize;
use crate::telemetry::call::CallReport;
use crate::wasm::{Bound, Failure, FailureKind, Flight, InFlight};
use http::HeaderMap;
use std::time::Instant;

/// Headers of the request that its calls get, as a filter left them.
const PASSED_ON: [&str; 5] = ["traceparent", "tracestate", "x-request-id", "x-forwarded-for", "via"];

/// What the plans of a request have in common.
#[derive(Debug)]
pub(super) struct Composition {
    /// When all of them have to be over.
    deadline: Instant,
    /// Whose plans they are, by its place in the chain.
    owner: Option<usize>,
    /// How many there were, and how many calls they had.
    stages: usize,
    calls: usize,
    bodies: Bodies,
    reports: Vec<CallReport>,
}

impl Composition {
    /// What became of the calls so far.
    pub(super) fn calls(&self) -> &[CallReport] {
        &self.reports
    }

    /// Why a plan cannot be carried out after those before it.
    fn refuses(&self, plan: &Plan) -> Option<Failure> {
        if self.stages >= limits::PLAN_STAGES {
            let message = format!("it gathers more than {} times", limits::PLAN_STAGES);
            return Some(Failure::new(FailureKind::Limit, message));
        }
        if self.calls + plan.calls.len() > limits::COMPOSED_CALLS {
            let message = format!("its plans have more than {} calls", limits::COMPOSED_CALLS);
            return Some(Failure::new(FailureKind::Limit, message));
        }
        let twice = plan.calls.iter().find(|call| call.splices() && self.bodies.has(&call.name));
        twice.map(|call| Failure::invalid(format!("two of its bodies are called {:?}", call.name)))
    }

    /// Begins anew where another filter gathers, within the same time.
    fn is_of(&mut self, owner: usize) {
        if self.owner.replace(owner) != Some(owner) {
            (self.stages, self.calls, self.bodies) = (0, 0, Bodies::default());
        }
    }
}

/// The filter has as much under way as it may.
pub(super) fn too_many(bound: Bound) -> Failure {
    Failure { bound: Some(bound), ..Failure::new(FailureKind::Limit, format!("it has too many {bound}")) }
}

impl Run {
    /// Carries a plan out and asks the filter what to make of it.
    pub(super) async fn gather(&mut self, plan: Plan) -> Result<Step, RequestError> {
        let mut composition = self.composition.take().unwrap_or_else(|| Box::new(self.begin_composition()));
        composition.is_of(self.course.place());
        let entered = composition.refuses(&plan).map_or_else(|| self.enter(Flight::Calls, plan.calls.len()), Err);
        let under_way = match entered {
            Ok(under_way) => under_way,
            Err(failure) => {
                self.composition = Some(composition);
                let _entered = self.trace.enter();
                return self.snapshot.chain.overreached(&mut self.head, &failure, &mut self.course);
            }
        };
        composition.stages += 1;
        composition.calls += plan.calls.len();
        let inherited = self.inherited();
        let run = gather::Run {
            registry: &self.snapshot.registry,
            inherited: &inherited,
            source: Some(self.head.peer.ip()),
            load: self.snapshot.overload.load(self.priority),
            cached: Some(Cached { cache: &self.exchange.responses, drain: &self.connection.drain }),
            deadline: composition.deadline.into(),
            trace: &self.trace.parent(),
        };
        let Gathered { outcomes, bodies, reports, state, expected } = gather::run(&run, plan).await;
        drop(under_way);
        self.count(&reports);
        composition.reports.extend(reports);
        for (name, body) in bodies {
            composition.bodies.keep(name, body);
        }
        let metrics = self.exchange.telemetry.metrics.gather();
        let parts = Parts { state: &state, outcomes: &outcomes, bodies: &mut composition.bodies, metrics };
        let entered = self.trace.enter();
        let step = match expected {
            Some(expected) => self.snapshot.chain.expected(&mut self.head, parts, *expected, &mut self.course),
            None => self.snapshot.chain.gathered(&mut self.head, parts, &mut self.course),
        };
        drop(entered);
        if !matches!(step, Ok(Step::Gather(_))) {
            // Nobody else asks for what is left, so it ends here.
            composition.bodies = Bodies::default();
        }
        self.composition = Some(composition);
        step
    }

    /// Counts calls or publications as under way for the filter that wants them.
    pub(super) fn enter(&self, flight: Flight, count: usize) -> Result<Option<InFlight>, Failure> {
        let Some(link) = self.snapshot.chain.deciding(&self.course, self.head.id) else { return Ok(None) };
        link.filter.enter(flight, count).map(Some).map_err(too_many)
    }

    fn count(&self, calls: &[CallReport]) {
        if let Some(metrics) = self.snapshot.chain.metrics(&self.course, self.head.id) {
            for call in calls {
                metrics.gathered(call.label(), call.end, call.duration);
            }
        }
    }

    fn begin_composition(&self) -> Composition {
        let now = Instant::now();
        let longest = now + limits::COMPOSING;
        let of_call = self.call.and_then(|call| self.received.started.checked_add(call.timeout?));
        let deadline = of_call.map_or(longest, |deadline| deadline.min(longest));
        Composition { deadline, owner: None, stages: 0, calls: 0, bodies: Bodies::default(), reports: Vec::new() }
    }

    /// What every call gets unless it says otherwise: where the request comes from, and the trace that it belongs to.
    fn inherited(&self) -> HeaderMap {
        let mut inherited = HeaderMap::with_capacity(8);
        for name in PASSED_ON {
            if let Some(value) = self.head.headers.get(name) {
                inherited.insert(name, value.clone());
            }
        }
        sanitize::outgoing(&self.head, &self.received.host, &self.connection, &mut inherited);
        inherited
    }
}
