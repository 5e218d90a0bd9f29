//! Copies of requests: how many there are, and how each ended.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// How a copy ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MirrorResult {
    /// With a response, whatever its status.
    Answered,
    /// Without one, or not in time.
    Failed,
    /// No service of the name is known.
    NoService,
    /// It was not sent, as too many were on their way.
    TooMany,
    /// It was given up, as its service took the body more slowly than the request's own.
    TooSlow,
    /// It was given up, as the request itself broke off.
    BrokenOff,
}

impl MirrorResult {
    fn name(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Failed => "failed",
            Self::NoService => "no_service",
            Self::TooMany => "too_many",
            Self::TooSlow => "too_slow",
            Self::BrokenOff => "broken_off",
        }
    }
}

/// Counters of copies. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct MirrorMetrics {
    in_flight: Gauge,
    ended: Family<[(&'static str, &'static str); 1], Counter>,
}

/// A copy on its way, counted until it is dropped.
#[derive(Debug)]
pub struct MirrorInFlight(Gauge);

impl Drop for MirrorInFlight {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl MirrorMetrics {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        let help = "Copies of requests on their way";
        registry.register("sluicegate_mirrors_in_flight", help, metrics.in_flight.clone());
        registry.register("sluicegate_mirrors", "Copies of requests, by how they ended", metrics.ended.clone());
        metrics
    }

    /// Counts a copy as in flight, unless there are `most` already.
    pub fn enter(&self, most: i64) -> Option<MirrorInFlight> {
        let before = self.in_flight.inc();
        let entered = MirrorInFlight(self.in_flight.clone());
        (before < most).then_some(entered)
    }

    /// Counts a copy that has ended.
    pub fn ended(&self, result: MirrorResult) {
        self.ended.get_or_create(&[("result", result.name())]).inc();
    }

    /// How many have ended so.
    pub fn count(&self, result: MirrorResult) -> u64 {
        self.ended.get_or_create(&[("result", result.name())]).get()
    }
}
