//! What operators see: logs, metrics, traces and one access record a request.
//!
//! Nothing here may slow a request down: counters are per-thread shards of atomics, an access line goes into its
//! thread's buffer, and when nobody takes the lines they are dropped and counted, never waited for.

pub mod access;
pub mod call;
pub mod faults;
pub mod log;
pub mod metrics;
pub mod record;
pub mod tap;
pub mod trace;

mod shard;

pub use access::AccessLog;
pub use metrics::{CallResult, FilterMetrics, Metrics, Phase};
pub use record::AccessRecord;
pub use tap::Tap;
pub use trace::Tracer;

/// Metrics, access log and traces together. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Telemetry {
    /// The counters.
    pub metrics: Metrics,
    /// Where access records go.
    pub access: AccessLog,
    /// Where spans begin.
    pub tracer: Tracer,
    /// Who looks on.
    pub tap: Tap,
}

impl Telemetry {
    /// Metrics that show what becomes of access records and spans.
    pub fn new(access: AccessLog, tracer: Tracer) -> Self {
        let metrics = Metrics::new(&access);
        if let Some(counts) = tracer.counts() {
            metrics.show_traces(counts);
        }
        Self { metrics, access, tracer, tap: Tap::default() }
    }

    /// Counts a request that is over, and writes its record. The one place for both.
    pub fn finish(&self, record: &AccessRecord<'_>) {
        self.metrics.observe_request(record);
        self.access.write(record);
        self.tap.write(record);
    }
}
