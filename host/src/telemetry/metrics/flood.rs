//! HTTP/2 connections that were ended because of a flood of frames.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

/// Counters of floods, by the kind of frames. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct FloodMetrics(Family<[(&'static str, &'static str); 1], Counter>);

impl FloodMetrics {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        let help = "HTTP/2 connections ended because of a flood, by the kind of frames";
        registry.register("sluicegate_http2_floods", help, metrics.0.clone());
        metrics
    }

    /// Counts a connection that frames of this kind flooded.
    pub fn ended(&self, frames: &'static str) {
        self.0.get_or_create(&[("frames", frames)]).inc();
    }
}
