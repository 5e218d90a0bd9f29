//! A filter at its place in the chain, and how its calls are made, timed and counted.

use super::trial::Trial;
use crate::request::RequestHead;
use crate::telemetry::trace::{Parent, filter};
use crate::telemetry::{CallResult, FilterMetrics, Phase};
use crate::wasm::{Failure, Filter, types};
use http::response;
use std::sync::Arc;
use std::time::{Duration, Instant};

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
    /// Whether no version of the filter need be asked about a request.
    pub(super) fn is_idle_for(&self, head: &RequestHead) -> bool {
        self.trial.is_none() && self.filter.is_idle_for(head)
    }

    /// Asks about a request, and has a version in its shadow decide on a copy.
    pub(super) fn on_request(&self, head: &mut Box<RequestHead>) -> Result<types::RequestDecision, Failure> {
        let Some(shadow) = self.shadow() else { return self.filter.on_request(head) };
        let before = shadow.before_request(head);
        let decided = self.filter.on_request(head);
        if let Some(before) = before {
            shadow.decided(before, &decided);
        }
        decided
    }

    /// The same of a response.
    pub(super) fn on_response(
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
    pub(super) fn called(&self, phase: Phase, result: CallResult, watch: &mut Stopwatch, parent: &Parent) -> Duration {
        let took = watch.lap();
        self.metrics.observe(phase, result, took);
        filter::called(parent, (&self.filter.name, &self.filter.code.manifest.version), phase, result, took);
        took
    }
}

/// Times one call after the other with one look at the clock for each.
pub(super) struct Stopwatch(Instant);

impl Stopwatch {
    pub(super) fn start() -> Self {
        Self(Instant::now())
    }

    /// The time since the last lap.
    pub(super) fn lap(&mut self) -> Duration {
        let now = Instant::now();
        now.saturating_duration_since(std::mem::replace(&mut self.0, now))
    }
}
