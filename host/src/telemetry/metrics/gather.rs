//! Answers that are composed: what breaks on its way, and what the cache of responses does.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

/// What the cache of responses gave a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CacheResult {
    /// A fresh response.
    Hit,
    /// Nothing.
    Miss,
    /// A response that its service says is still good.
    Revalidated,
    /// A response past its time, while a new one is fetched or because none can be had.
    Stale,
    /// The response to a call of another request that asked for the same at the same time.
    Shared,
}

impl CacheResult {
    fn name(self) -> &'static str {
        match self {
            Self::Hit => "hit",
            Self::Miss => "miss",
            Self::Revalidated => "revalidated",
            Self::Stale => "stale",
            Self::Shared => "shared",
        }
    }
}

/// Counters of composition as a whole; those of single calls stand with their filter. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct GatherMetrics {
    broken: Family<[(&'static str, &'static str); 1], Counter>,
    cache: Family<[(&'static str, &'static str); 1], Counter>,
}

impl GatherMetrics {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        let help =
            "Answers put together of streaming bodies that ended before their end, by what was wrong with a body";
        registry.register("sluicegate_gather_broken_answers", help, metrics.broken.clone());
        let help = "Calls of plans that have a cache policy, by what the cache gave them";
        registry.register("sluicegate_gather_cache", help, metrics.cache.clone());
        metrics
    }

    /// Counts what the cache gave a call.
    pub fn cache(&self, result: CacheResult) {
        self.cache.get_or_create(&[("result", result.name())]).inc();
    }

    /// How many calls were given that.
    pub fn cached(&self, result: CacheResult) -> u64 {
        self.cache.get_or_create(&[("result", result.name())]).get()
    }

    /// Counts an answer that a body broke, for this reason as the contract spells it.
    pub fn broken(&self, reason: &'static str) {
        self.broken.get_or_create(&[("reason", reason)]).inc();
    }
}
