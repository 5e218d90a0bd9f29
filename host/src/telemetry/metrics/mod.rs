//! Counters and histograms, as OpenMetrics text.
//!
//! Names follow OpenTelemetry's HTTP conventions where they cover the matter; the rest starts with `sluicegate_`.
//! Whoever counts on the hot path holds a handle ([`FilterMetrics`], [`UpstreamMetrics`], ...) that was made when a
//! snapshot was loaded; the series vanish with the last copy of the handle, so old filter versions leave no trace.

mod call;
mod custom;
mod dns;
mod endpoint;
mod event;
mod family;
mod filter;
mod flood;
mod gather;
mod histogram;
mod mirror;
mod overload;
mod process;
mod request;
#[cfg(test)]
mod tests;
mod tls;
mod trace;
mod upstream;
mod version;

pub use dns::DnsMetrics;
pub use endpoint::{ClusterFigures, EndpointFigures, UpstreamFigures};
pub use event::{ChannelFigures, EventFigures, SubscriptionFigures};
pub use filter::{CallResult, Phase};
pub use flood::FloodMetrics;
pub use gather::{CacheResult, GatherMetrics};
pub use mirror::{MirrorInFlight, MirrorMetrics, MirrorResult};
pub use overload::OverloadMetrics;
pub use process::ReloadResult;
pub use request::ActiveRequest;
pub use tls::{CertificateFigures, HandshakeResult, TlsMetrics};
pub use upstream::{UpstreamMetrics, UpstreamResult};
pub use version::{Durations, FilterFigures, FilterMetrics};

use super::AccessLog;
use super::record::AccessRecord;
use super::trace::Counts;
use crate::wasm::{GuestMemory, Holdings};
use family::Live;
use filter::FilterKey;
use process::Process;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric, MetricEncoder, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry;
use request::Requests;
use std::fmt;
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;
use upstream::UpstreamKey;
use version::FilterSeries;

/// What [`Metrics::encode`] returns.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// All counters of the process. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Metrics {
    families: Arc<Families>,
    registry: Arc<Registry>,
}

#[derive(Debug)]
struct Families {
    requests: Requests,
    filters: Live<FilterKey, FilterSeries>,
    holdings: Holdings,
    upstreams: Live<UpstreamKey, UpstreamMetrics>,
    mirrors: MirrorMetrics,
    gather: GatherMetrics,
    dns: DnsMetrics,
    floods: FloodMetrics,
    tls: TlsMetrics,
    overload: OverloadMetrics,
    process: Process,
    figures: OnceLock<Weak<dyn UpstreamFigures>>,
    events: OnceLock<Weak<dyn EventFigures>>,
    traces: OnceLock<Arc<Counts>>,
    filter_memory: OnceLock<Arc<GuestMemory>>,
}

impl Metrics {
    /// None counted yet. Lines that `access` drops are counted too.
    pub fn new(access: &AccessLog) -> Self {
        let mut registry = Registry::default();
        let families = Arc::new(Families {
            requests: Requests::default(),
            filters: Live::default(),
            holdings: Holdings::default(),
            upstreams: Live::default(),
            mirrors: MirrorMetrics::register(&mut registry),
            gather: GatherMetrics::register(&mut registry),
            dns: DnsMetrics::register(&mut registry),
            floods: FloodMetrics::register(&mut registry),
            tls: TlsMetrics::register(&mut registry),
            overload: OverloadMetrics::default(),
            process: Process::register(&mut registry, access.dropped_counter()),
            figures: OnceLock::new(),
            events: OnceLock::new(),
            traces: OnceLock::new(),
            filter_memory: OnceLock::new(),
        });
        registry.register_collector(Box::new(Arc::clone(&families)));
        Self { families, registry: Arc::new(registry) }
    }

    /// All of them as OpenMetrics text, of type [`CONTENT_TYPE`].
    ///
    /// # Errors
    /// Never, as text is written into memory; the library's signature has it.
    pub fn encode(&self) -> Result<String, fmt::Error> {
        let mut text = String::new();
        text::encode(&mut text, &self.registry)?;
        Ok(text)
    }

    /// Shows these figures of services beside what is counted here, for as long as somebody keeps them. Only
    /// the first ones count.
    pub fn show_upstreams(&self, figures: Weak<dyn UpstreamFigures>) {
        // A second call would mean two configurations in one process, which there never are.
        let _ = self.families.figures.set(figures);
    }

    /// Shows these figures of channels too, for as long as somebody keeps them. Only the first ones count.
    pub fn show_events(&self, figures: Weak<dyn EventFigures>) {
        // There is one set of channels in a process.
        let _ = self.families.events.set(figures);
    }

    /// Shows what became of spans. Only the first counts are shown.
    pub fn show_traces(&self, counts: Arc<Counts>) {
        // A second call would mean two exporters in one process, which there never are.
        let _ = self.families.traces.set(counts);
    }

    /// Shows how much memory filters have together. Only the first is shown.
    pub fn show_filter_memory(&self, memory: Arc<GuestMemory>) {
        // There is one runtime in a process.
        let _ = self.families.filter_memory.set(memory);
    }

    /// Counts a request as in flight until the guard is dropped.
    pub fn request_started(&self) -> ActiveRequest {
        self.families.requests.started()
    }

    /// Counts a request that is over.
    pub fn observe_request(&self, record: &AccessRecord<'_>) {
        self.families.requests.observe(record);
    }

    /// The counters of a filter's version that was just loaded. Those of the same name and number add up.
    pub fn filter(&self, name: &str, version: &str, digest: &str) -> Arc<FilterMetrics> {
        let key = FilterKey { name: name.to_owned(), version: version.to_owned() };
        Arc::new(FilterMetrics::joining(self.families.filters.handle(key), digest))
    }

    /// What filters have with the host: metrics of their own, which are shown here, and stores.
    pub fn holdings(&self) -> &Holdings {
        &self.families.holdings
    }

    /// The counters of a service that requests are sent to.
    pub fn upstream(&self, name: &str) -> Arc<UpstreamMetrics> {
        self.families.upstreams.handle(UpstreamKey { name: name.to_owned() })
    }

    /// Where look-ups of host names are counted.
    pub fn dns(&self) -> &DnsMetrics {
        &self.families.dns
    }

    /// Where connections are counted that were ended because of a flood.
    pub fn floods(&self) -> &FloodMetrics {
        &self.families.floods
    }

    /// What is counted of TLS.
    pub fn tls(&self) -> &TlsMetrics {
        &self.families.tls
    }

    /// What is counted of overload.
    pub fn overload(&self) -> &OverloadMetrics {
        &self.families.overload
    }

    /// The counters of copies of requests.
    pub fn mirrors(&self) -> &MirrorMetrics {
        &self.families.mirrors
    }

    /// The counters of composed answers.
    pub fn gather(&self) -> &GatherMetrics {
        &self.families.gather
    }

    /// Counts a try to put a changed configuration in force.
    pub fn config_reloaded(&self, result: ReloadResult) {
        self.families.process.config_reloaded(result);
    }

    /// Counts a try to put a filter in force.
    pub fn filter_reloaded(&self, filter: &str, result: ReloadResult) {
        self.families.process.filter_reloaded(filter, result);
    }

    /// Counts a version of a filter that was taken back.
    pub fn filter_rolled_back(&self, filter: &str) {
        self.families.process.filter_rolled_back(filter);
    }

    /// Counts the time to compile a filter.
    pub fn filter_compiled(&self, filter: &str, duration: Duration) {
        self.families.process.filter_compiled(filter, duration);
    }
}

impl Collector for Families {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        self.requests.encode(&mut encoder)?;
        filter::encode(&self.filters, &mut encoder)?;
        call::encode(&self.filters, &mut encoder)?;
        if let Some(memory) = self.filter_memory.get() {
            filter::memory(memory, &mut encoder)?;
        }
        custom::encode(&self.holdings, &mut encoder)?;
        upstream::encode(&self.upstreams, &mut encoder)?;
        if let Some(figures) = self.figures.get().and_then(Weak::upgrade) {
            endpoint::encode(figures.as_ref(), &mut encoder)?;
        }
        self.tls.encode(&mut encoder)?;
        self.overload.encode(&mut encoder)?;
        if let Some(counts) = self.traces.get() {
            trace::encode(counts, &mut encoder)?;
        }
        match self.events.get().and_then(Weak::upgrade) {
            Some(events) => event::encode(events.as_ref(), &mut encoder),
            None => Ok(()),
        }
    }
}

/// One metric's name, help and type, and the series that are written under it.
struct Section<'a> {
    metric: MetricEncoder<'a>,
}

impl<'a> Section<'a> {
    fn counter(encoder: &'a mut DescriptorEncoder<'_>, name: &'a str, help: &str) -> Result<Self, fmt::Error> {
        Ok(Self { metric: encoder.encode_descriptor(name, help, None, MetricType::Counter)? })
    }

    fn gauge(encoder: &'a mut DescriptorEncoder<'_>, name: &'a str, help: &str) -> Result<Self, fmt::Error> {
        Ok(Self { metric: encoder.encode_descriptor(name, help, None, MetricType::Gauge)? })
    }

    fn histogram(encoder: &'a mut DescriptorEncoder<'_>, name: &'a str, help: &str) -> Result<Self, fmt::Error> {
        Ok(Self { metric: encoder.encode_descriptor(name, help, None, MetricType::Histogram)? })
    }

    fn series(&mut self, labels: &impl EncodeLabelSet, metric: &impl EncodeMetric) -> Result<(), fmt::Error> {
        metric.encode(self.metric.encode_family(labels)?)
    }
}
