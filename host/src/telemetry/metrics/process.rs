//! What happens rarely: loads, compilations, and what the process is. The library's own metrics do for these.

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;
use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::super::faults;
use super::Section;
use super::histogram::Count;

/// In seconds: a small filter compiles in 20 ms, the largest that is taken in some 16 s.
const COMPILE_BOUNDS: [f64; 9] = [0.001, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 20.0];

/// Whether a change was put in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReloadResult {
    /// It was.
    Success,
    /// It was refused, and what was in force stays.
    Failure,
}

impl ReloadResult {
    fn name(self) -> String {
        match self {
            Self::Success => "success".into(),
            Self::Failure => "failure".into(),
        }
    }
}

type OneLabel = [(&'static str, String); 1];
type TwoLabels = [(&'static str, String); 2];

/// Metrics that are made once.
#[derive(Debug, Default)]
pub(super) struct Process {
    config_reloads: Family<OneLabel, Counter>,
    last_successful: Gauge,
    last_success: Gauge<f64, std::sync::atomic::AtomicU64>,
    filter_reloads: Family<TwoLabels, Counter>,
    filter_rollbacks: Family<OneLabel, Counter>,
    compilations: Compilations,
}

#[derive(Debug)]
struct Compilations(Family<OneLabel, Histogram>);

impl Default for Compilations {
    fn default() -> Self {
        Self(Family::new_with_constructor(|| Histogram::new(COMPILE_BOUNDS)))
    }
}

impl Process {
    pub(super) fn register(registry: &mut Registry, dropped: impl Fn() -> u64 + Send + Sync + 'static) -> Self {
        let process = Self::default();
        let build = [("version", env!("CARGO_PKG_VERSION").to_owned())];
        registry.register("sluicegate_build", "What is running", Info::new(build));
        let help = "Tries to put a changed configuration in force";
        registry.register("sluicegate_config_reloads", help, process.config_reloads.clone());
        let help = "Whether the last try to put a changed configuration in force succeeded";
        registry.register("sluicegate_config_last_reload_successful", help, process.last_successful.clone());
        let help = "When a configuration was last put in force";
        registry.register(
            "sluicegate_config_last_reload_success_timestamp_seconds",
            help,
            process.last_success.clone(),
        );
        let help = "Tries to put a filter in force";
        registry.register("sluicegate_filter_reloads", help, process.filter_reloads.clone());
        let help = "Versions of filters that were taken back";
        registry.register("sluicegate_filter_rollbacks", help, process.filter_rollbacks.clone());
        let help = "How long filters take to compile";
        registry.register("sluicegate_filter_compile_duration_seconds", help, process.compilations.0.clone());
        registry.register_collector(Box::new(Dropped(Box::new(dropped))));
        registry.register_collector(Box::new(Faults));
        process
    }

    pub(super) fn config_reloaded(&self, result: ReloadResult) {
        self.config_reloads.get_or_create(&[("result", result.name())]).inc();
        self.last_successful.set(i64::from(result == ReloadResult::Success));
        if result == ReloadResult::Success {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            self.last_success.set(now.as_secs_f64());
        }
    }

    pub(super) fn filter_reloaded(&self, filter: &str, result: ReloadResult) {
        self.filter_reloads.get_or_create(&[("filter", filter.to_owned()), ("result", result.name())]).inc();
    }

    pub(super) fn filter_rolled_back(&self, filter: &str) {
        self.filter_rollbacks.get_or_create(&[("filter", filter.to_owned())]).inc();
    }

    pub(super) fn filter_compiled(&self, filter: &str, duration: Duration) {
        self.compilations.0.get_or_create(&[("filter", filter.to_owned())]).observe(duration.as_secs_f64());
    }
}

/// Reads the count of faults when it is asked for.
#[derive(Debug)]
struct Faults;

impl Collector for Faults {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let help = "Faults of the proxy's own code (panics).";
        let section = Section::counter(&mut encoder, "sluicegate_faults", help)?;
        Count(faults::count()).encode(section.metric)
    }
}

/// Reads the count of dropped access lines when it is asked for.
struct Dropped(Box<dyn Fn() -> u64 + Send + Sync>);

impl fmt::Debug for Dropped {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Dropped").field(&(self.0)()).finish()
    }
}

impl Collector for Dropped {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let help = "Access records that were dropped because nobody took them in time, or they could not be written.";
        let section = Section::counter(&mut encoder, "sluicegate_access_log_dropped", help)?;
        Count((self.0)()).encode(section.metric)
    }
}
