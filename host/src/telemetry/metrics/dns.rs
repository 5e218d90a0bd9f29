//! Look-ups of host names, by how they ended.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

/// Counters of look-ups. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct DnsMetrics(Family<[(&'static str, &'static str); 1], Counter>);

impl DnsMetrics {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        registry.register("sluicegate_dns_lookups", "Look-ups of host names, by how they ended", metrics.0.clone());
        metrics
    }

    /// Counts one.
    pub fn looked_up(&self, found: bool) {
        self.of(found).inc();
    }

    /// How many have failed.
    pub fn failures(&self) -> u64 {
        self.of(false).get()
    }

    fn of(&self, found: bool) -> Counter {
        self.0.get_or_create(&[("result", if found { "found" } else { "failed" })]).clone()
    }
}
