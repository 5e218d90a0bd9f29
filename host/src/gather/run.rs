//! Carries a plan out: its calls begin, land and are given up.

use super::budget::Budget;
use super::cache::Cached;
use super::fetch::{Common, Fetched, Sending, fetch};
use super::gathered::Gathered;
use super::plan::{Call, Plan};
use super::progress::{Progress, places};
use crate::config::limits;
use crate::telemetry::trace::{Parent, Span, http as spans, messaging};
use crate::timer::Timer;
use crate::upstream::adaptive::Load;
use crate::upstream::registry::Registry;
use crate::wasm::types::CallError;
use http::HeaderMap;
use std::net::IpAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::Instant;

/// So long after a deadline the calls that share another's response are given up: a try that meets its own deadline is to
/// be told from one that nobody wants any more.
const GRACE: Duration = Duration::from_millis(2);

/// What the plans of a request have in common.
#[derive(Debug, Clone, Copy)]
pub struct Run<'a> {
    /// The services.
    pub registry: &'a Registry,
    /// Headers that every call gets unless it sets them itself.
    pub inherited: &'a HeaderMap,
    /// The client, for policies that tie clients to endpoints.
    pub source: Option<IpAddr>,
    /// How its calls are held against the adaptive limits of their services.
    pub load: Load,
    /// Where responses are kept, if they are.
    pub cached: Option<Cached<'a>>,
    /// When the request has no more time.
    pub deadline: Instant,
    /// What spans of calls begin from.
    pub trace: &'a Parent,
}

/// Carries out a plan. Every call that is not wanted any more is dropped at once, which ends its exchange with the
/// service, and so are all of them with the future.
pub async fn run(run: &Run<'_>, plan: Plan) -> Gathered {
    let now = Instant::now();
    let mut progress = Progress::new(&plan);
    let Plan { mut calls, deadline, state, expected, groups: _ } = plan;
    let total = after(now, deadline.unwrap_or(limits::UPSTREAM_TOTAL)).min(run.deadline);
    let sendings = calls.iter_mut().map(|call| Some(Sending::take(call))).collect();
    let budget = Budget::of_plan(run.cached.is_some() && calls.iter().any(|call| call.cache.is_some()));
    let places: Vec<Place> = calls.iter().map(|_| Place::default()).collect();
    let Run { registry, inherited, source, load, cached, trace, .. } = *run;
    let common = Common { registry, inherited, source, load, cached, budget: &budget };
    let (flights, landed, timer) = (Vec::new(), Vec::new(), Timer::default());
    let mut running = Running { calls: &calls, common, trace, total, sendings, places, flights, landed, timer };
    std::future::poll_fn(|context| running.poll(&mut progress, context)).await;
    let places = std::mem::take(&mut running.places);
    drop(running);
    Gathered::of(calls, places, state, expected)
}

/// A deadline; one that no clock can tell is as good as a long one.
fn after(now: Instant, limit: Duration) -> Instant {
    now.checked_add(limit).unwrap_or(now + limits::COMPOSING)
}

/// Where one call stands.
#[derive(Debug, Default)]
pub(super) struct Place {
    begun: Option<Instant>,
    deadline: Option<Instant>,
    span: Span,
    pub(super) over: Option<(Fetched, Duration)>,
}

/// An exchange with a service, and the calls that want its response.
struct Flight<'a> {
    /// The first call of the plan that asks for it.
    first: usize,
    members: u64,
    future: Pin<Box<dyn Future<Output = Fetched> + Send + 'a>>,
}

/// A plan on its way.
struct Running<'a> {
    calls: &'a [Call],
    common: Common<'a>,
    trace: &'a Parent,
    /// When all have to be over.
    total: Instant,
    /// What is not sent yet.
    sendings: Vec<Option<Sending>>,
    places: Vec<Place>,
    flights: Vec<Flight<'a>>,
    /// Responses that later calls of the plan may ask for too, by the first call that did.
    landed: Vec<(usize, Fetched)>,
    timer: Timer,
}

impl Running<'_> {
    fn poll(&mut self, progress: &mut Progress, context: &mut Context<'_>) -> Poll<()> {
        loop {
            while let Some(call) = progress.begin() {
                self.begin(call, progress);
            }
            let moved = self.poll_flights(progress, context) || self.poll_deadlines(progress, context);
            if progress.open() == 0 {
                return Poll::Ready(());
            }
            if !moved {
                return Poll::Pending;
            }
        }
    }

    /// Begins a call: by joining one that asks for the same, or by sending.
    fn begin(&mut self, index: usize, progress: &mut Progress) {
        let Some(call) = self.calls.get(index) else { return };
        let now = Instant::now();
        let deadline = after(now, call.deadline.unwrap_or(limits::CALL_DEADLINE)).min(self.total);
        let span = spans::begin_call(self.trace, &call.name, &call.destination.host, call.required);
        let trace = span.parent();
        if let Some(place) = self.places.get_mut(index) {
            (place.begun, place.deadline, place.span) = (Some(now), Some(deadline), span);
        }
        if call.shared {
            if let Some((_, landed)) = self.landed.iter().find(|(first, _)| *first == call.same_as) {
                let landed = landed.share().within(self.common.budget);
                return self.settle(index, landed, progress);
            }
            if let Some(flight) = self.flights.iter_mut().find(|flight| flight.first == call.same_as) {
                flight.members |= 1 << index;
                return;
            }
        }
        let Some(mut sending) = self.sendings.get_mut(index).and_then(Option::take) else { return };
        sending.trace = trace;
        // The response is wanted for as long as the last of those that ask for it may wait.
        let until = if call.shared { self.total } else { deadline };
        let future = Box::pin(fetch(self.common, call, sending, until));
        self.flights.push(Flight { first: call.same_as, members: 1 << index, future });
    }

    /// Whether any has landed.
    fn poll_flights(&mut self, progress: &mut Progress, context: &mut Context<'_>) -> bool {
        let mut landed = false;
        let mut next = 0;
        while let Some(flight) = self.flights.get_mut(next) {
            let Poll::Ready(fetched) = flight.future.as_mut().poll(context) else {
                next += 1;
                continue;
            };
            landed = true;
            let Flight { first, members, .. } = self.flights.swap_remove(next);
            self.land(first, members, fetched, progress);
            // What landed may have removed others.
            next = 0;
        }
        landed
    }

    fn land(&mut self, first: usize, members: u64, fetched: Fetched, progress: &mut Progress) {
        if !self.calls.get(first).is_some_and(|call| call.shared) {
            return self.settle(first, fetched, progress);
        }
        // The filter gets one for each, and the exchange has counted one.
        let mut counted = true;
        for member in places(members) {
            let open = self.places.get(member).is_some_and(|place| place.over.is_none());
            if open {
                let shared = fetched.share();
                let shared = if std::mem::take(&mut counted) { shared } else { shared.within(self.common.budget) };
                self.settle(member, shared, progress);
            }
        }
        self.landed.push((first, fetched));
    }

    /// Whether a deadline has passed that no exchange keeps by itself: that of a call which waits for its turn, or shares
    /// another's response.
    fn poll_deadlines(&mut self, progress: &mut Progress, context: &mut Context<'_>) -> bool {
        let of_running = |place: &Place| place.deadline.filter(|_| place.over.is_none());
        let shared = self.calls.iter().zip(&self.places).filter(|(call, _)| call.shared);
        let waiting = (progress.waiting() != 0).then_some(self.total);
        let first = shared.filter_map(|(_, place)| of_running(place)).chain(waiting).min();
        let Some(first) = first else { return false };
        if !self.timer.passed(context, first + GRACE) {
            return false;
        }
        let now = Instant::now();
        for index in places(progress.open()) {
            let due = self.places.get(index).map(|place| place.deadline.unwrap_or(self.total));
            let open = progress.open() & (1 << index) != 0;
            if open && due.is_some_and(|due| due <= now) {
                self.settle(index, Fetched::failed(CallError::Deadline), progress);
            }
        }
        true
    }

    /// Takes down what became of a call, and drops those that are not wanted any more.
    fn settle(&mut self, index: usize, fetched: Fetched, progress: &mut Progress) {
        let accepts = |fetched: &Fetched| {
            let (call, response) = (self.calls.get(index)?, fetched.result.as_ref().ok()?);
            Some(call.accepts(response.head.status))
        };
        let good = accepts(&fetched).unwrap_or(false);
        self.leave(index, fetched);
        for unwanted in places(progress.end(index, good)) {
            self.leave(unwanted, Fetched::failed(CallError::Cancelled));
        }
    }

    /// A call is over; an exchange that nobody is left for ends.
    fn leave(&mut self, index: usize, fetched: Fetched) {
        if let Some(place) = self.places.get_mut(index) {
            let duration = place.begun.map(|begun| begun.elapsed()).unwrap_or_default();
            let result = fetched.result.as_ref().map(|response| response.head.status.as_u16());
            spans::end_call(&mut place.span, result.map_err(messaging::word), fetched.origin);
            drop(std::mem::take(&mut place.span));
            place.over = Some((fetched, duration));
        }
        self.flights.retain_mut(|flight| {
            flight.members &= !(1 << index);
            flight.members != 0
        });
    }
}
