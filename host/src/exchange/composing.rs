//! The plans of a request: they share a deadline, what their calls inherit, and the bodies that wait for the answer.

use super::run::Run;
use crate::chain::{Parts, Step};
use crate::config::limits;
use crate::error::RequestError;
use crate::gather::{self, Bodies, Cached, Gathered, Plan};
use crate::sanitize;
use crate::telemetry::call::CallReport;
use crate::wasm::{Bound, Flight, InFlight};
use http::HeaderMap;
use std::time::Instant;

/// Headers of the request that its calls get, as a filter left them.
const PASSED_ON: [&str; 5] = ["traceparent", "tracestate", "x-request-id", "x-forwarded-for", "via"];

/// What the plans of a request have in common.
#[derive(Debug)]
pub(super) struct Composition {
    /// When all of them have to be over.
    deadline: Instant,
    /// How many there were.
    stages: usize,
    bodies: Bodies,
    reports: Vec<CallReport>,
}

impl Composition {
    /// What became of the calls so far.
    pub(super) fn calls(&self) -> &[CallReport] {
        &self.reports
    }

    /// Why a plan cannot be carried out after those before it.
    fn refuses(&self, plan: &Plan) -> Option<String> {
        if self.stages >= limits::PLAN_STAGES {
            return Some(format!("it gathers more than {} times", limits::PLAN_STAGES));
        }
        if self.reports.len() + plan.calls.len() > limits::COMPOSED_CALLS {
            return Some(format!("its plans have more than {} calls", limits::COMPOSED_CALLS));
        }
        let twice = plan.calls.iter().find(|call| call.splices() && self.bodies.has(&call.name));
        twice.map(|call| format!("two of its bodies are called {:?}", call.name))
    }
}

impl Run {
    /// Carries a plan out and asks the filter what to make of it.
    pub(super) async fn gather(&mut self, plan: Plan) -> Result<Step, RequestError> {
        let mut composition = self.composition.take().unwrap_or_else(|| Box::new(self.begin_composition()));
        let refused = composition.refuses(&plan);
        if let Some(reason) = refused {
            self.composition = Some(composition);
            return Err(self.blame_filter(reason));
        }
        let under_way = match self.enter(Flight::Calls, plan.calls.len()) {
            Ok(under_way) => under_way,
            Err(error) => {
                self.composition = Some(composition);
                return Err(error);
            }
        };
        composition.stages += 1;
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
        let step = if let Some(expected) = expected {
            parts.answer(*expected).map_err(|failure| self.blame_filter(failure.to_string()))
        } else {
            let _entered = self.trace.enter();
            self.snapshot.chain.gathered(&mut self.head, parts, &mut self.course)
        };
        if !matches!(step, Ok(Step::Gather(_))) {
            // Nobody else asks for what is left, so it ends here.
            composition.bodies = Bodies::default();
        }
        self.composition = Some(composition);
        step
    }

    /// Counts calls or publications as under way for the filter that wants them.
    pub(super) fn enter(&self, flight: Flight, count: usize) -> Result<Option<InFlight>, RequestError> {
        let Some(link) = self.snapshot.chain.deciding(&self.course, self.head.id) else { return Ok(None) };
        let refused = |bound: Bound| RequestError::Filter {
            filter: link.filter.name.to_string(),
            reason: format!("it has too many {bound}"),
            answer: link.filter.settings.resilience.answer.clone(),
        };
        link.filter.enter(flight, count).map(Some).map_err(refused)
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
        Composition { deadline, stages: 0, bodies: Bodies::default(), reports: Vec::new() }
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
