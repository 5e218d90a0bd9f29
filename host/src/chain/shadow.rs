//! A new version of a filter that is asked about copies of requests, without effect, and its answers compared.
//!
//! A copy goes through a bounded queue to a thread of its own: however slow or broken the new version is, no request waits
//! for it. What there is no room for is left out and counted. The hooks for requests and responses are compared; what is
//! gathered is not, as the state of a plan belongs to the version that made it.

use super::difference::{self, Differs};
use crate::request::{RequestHead, RequestId};
use crate::rollout::{Difference, Share};
use crate::telemetry::metrics::FilterFigures;
use crate::telemetry::{CallResult, FilterMetrics, Phase};
use crate::wasm::types::{RequestDecision, ResponseDecision};
use crate::wasm::{Failure, FailureKind, Filter, Report};
use http::response;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

/// Copies that wait: a few milliseconds of a busy worker, and little memory.
const QUEUE: usize = 64;
/// Differences that are kept to be shown.
const SAMPLES: usize = 8;
/// How much less the thread matters than workers.
const NICE: i32 = 10;

/// A version in the shadow of the one in force. When it is dropped its thread ends.
#[derive(Debug)]
pub struct Shadowing {
    share: Share,
    queue: SyncSender<Copy>,
    compared: Arc<Compared>,
}

/// What came of it so far.
#[derive(Debug)]
struct Compared {
    filter: Arc<Filter>,
    /// Apart from those of live calls.
    metrics: FilterMetrics,
    decisions: AtomicU64,
    different: AtomicU64,
    skipped: AtomicU64,
    samples: Mutex<VecDeque<Difference>>,
}

/// What came of it so far, as figures.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ShadowFigures {
    /// Decisions that were compared.
    pub decisions: u64,
    /// Those that differ.
    pub different: u64,
    /// Copies that there was no room for.
    pub skipped: u64,
    /// Its calls.
    pub calls: FilterFigures,
}

/// A request, and what the version in force decided.
#[derive(Debug)]
struct Copy {
    head: Box<RequestHead>,
    asked: Asked,
}

#[derive(Debug)]
enum Asked {
    Request(RequestDecision),
    Response(Box<response::Parts>, ResponseDecision),
}

/// A copy of what a call is about to be given.
#[derive(Debug)]
pub(super) struct Before(Box<RequestHead>, Option<Box<response::Parts>>);

impl Shadowing {
    /// Begins to shadow with a version that is ready to serve.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn begin(filter: Arc<Filter>, share: Share) -> std::io::Result<Self> {
        let (queue, copies) = sync_channel(QUEUE);
        let compared = Arc::new(Compared {
            filter,
            metrics: FilterMetrics::default(),
            decisions: AtomicU64::new(0),
            different: AtomicU64::new(0),
            skipped: AtomicU64::new(0),
            samples: Mutex::default(),
        });
        let thread = Arc::clone(&compared);
        std::thread::Builder::new().name("shadow".into()).spawn(move || run(&thread, &copies))?;
        Ok(Self { share, queue, compared })
    }

    /// What came of it so far.
    pub fn figures(&self) -> ShadowFigures {
        let Compared { decisions, different, skipped, metrics, .. } = &*self.compared;
        let load = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let calls = metrics.figures();
        ShadowFigures { decisions: load(decisions), different: load(different), skipped: load(skipped), calls }
    }

    /// Some of the decisions that differed.
    pub fn samples(&self) -> Vec<Difference> {
        self.compared.samples.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    /// A copy of a request that is in the share, before the filter in force is asked.
    pub(super) fn before_request(&self, head: &RequestHead) -> Option<Before> {
        self.share.holds(head.id).then(|| Before(rehearsal(head), None))
    }

    /// The same of a response.
    pub(super) fn before_response(&self, head: &RequestHead, parts: &response::Parts) -> Option<Before> {
        self.share.holds(head.id).then(|| Before(rehearsal(head), Some(Box::new(parts.clone()))))
    }

    /// Has the new version decide on what the one in force has decided. What it failed on is compared with nothing.
    pub(super) fn decided(&self, before: Before, decision: &Result<RequestDecision, Failure>) {
        if let Ok(decision) = decision {
            self.enqueue(Copy { head: before.0, asked: Asked::Request(decision.clone()) });
        }
    }

    /// The same of a response.
    pub(super) fn responded(&self, before: Before, decision: &Result<ResponseDecision, Failure>) {
        if let (Ok(decision), Some(parts)) = (decision, before.1) {
            self.enqueue(Copy { head: before.0, asked: Asked::Response(parts, decision.clone()) });
        }
    }

    fn enqueue(&self, copy: Copy) {
        if self.queue.try_send(copy).is_err() {
            self.compared.skipped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// A copy of a request that nothing comes of.
fn rehearsal(head: &RequestHead) -> Box<RequestHead> {
    Box::new(RequestHead { rehearsed: true, ..head.clone() })
}

fn run(compared: &Compared, copies: &Receiver<Copy>) {
    // On Linux this is the thread's own priority, not the process's.
    if let Err(error) = rustix::process::setpriority_process(None, NICE) {
        tracing::debug!(%error, "shadows run at normal priority");
    }
    while let Ok(copy) = copies.recv() {
        compared.ask(copy);
    }
}

impl Compared {
    fn ask(&self, Copy { mut head, asked }: Copy) {
        let id = head.id;
        match asked {
            Asked::Request(live) => {
                let asked = self.timed(Phase::Request, id, || self.filter.on_request(&mut head));
                self.compare(id, asked.map(|shadow| difference::of_requests(&live, &shadow)));
            }
            Asked::Response(mut parts, live) => {
                let asked = self.timed(Phase::Response, id, || self.filter.on_response(&mut head, &mut parts));
                self.compare(id, asked.map(|shadow| difference::of_responses(&live, &shadow)));
            }
        }
    }

    fn timed<T>(&self, phase: Phase, id: RequestId, call: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
        let began = Instant::now();
        let decided = call();
        match &decided {
            Ok(_) => {
                self.filter.guard.settled();
                self.metrics.observe(phase, CallResult::Ok, began.elapsed());
            }
            // It was not asked.
            Err(failure) if failure.kind == FailureKind::Quarantined => {
                self.metrics.skipped(phase, CallResult::Quarantined);
            }
            Err(failure) => {
                self.metrics.observe(phase, super::result_of_failure(failure.kind), began.elapsed());
                tracing::debug!(filter = %self.filter.name, %failure, "a version in the shadow failed");
                let report = Report::of(phase.name(), failure, Some(id));
                self.filter.guard.failed(report, self.metrics.calls(phase));
            }
        }
        decided
    }

    fn compare(&self, request: RequestId, found: Result<Vec<Differs>, Failure>) {
        // Failures are counted as such.
        let Ok(found) = found else { return };
        self.decisions.fetch_add(1, Ordering::Relaxed);
        if found.is_empty() {
            return;
        }
        self.different.fetch_add(1, Ordering::Relaxed);
        let mut samples = self.samples.lock().unwrap_or_else(PoisonError::into_inner);
        for Differs { what, live, shadow } in found {
            if samples.len() == SAMPLES {
                samples.pop_front();
            }
            samples.push_back(Difference { request: request.to_string(), what: what.to_owned(), live, shadow });
        }
    }
}
