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

#[cfg(test)]
mod tests {
    use super::super::record::tests::record;
    use super::*;
    use crate::error::RequestError;

    fn metrics() -> Metrics {
        Metrics::new(&AccessLog::off())
    }

    /// The lines that tell of `name`, without `# HELP` and `# TYPE`.
    fn lines(metrics: &Metrics, name: &str) -> Vec<String> {
        let text = metrics.encode().unwrap();
        text.lines().filter(|line| line.starts_with(name)).map(str::to_owned).collect()
    }

    #[test]
    fn tells_of_handshakes_and_of_the_certificates_that_are_in_force() {
        let metrics = metrics();
        metrics.tls().handshake(HandshakeResult::Completed("1.3"));
        metrics.tls().handshake(HandshakeResult::Failed);
        let name = "sluicegate_tls_handshakes_total";
        let mut counts = lines(&metrics, name);
        counts.sort();
        let expected = [
            format!(r#"{name}{{result="completed",version="1.3"}} 1"#),
            format!(r#"{name}{{result="failed",version=""}} 1"#),
        ];
        assert_eq!(counts, expected);
        let certificate = |name: &str, expires| CertificateFigures {
            source: "Secret default/shop".to_owned(),
            name: name.to_owned(),
            expires: std::time::UNIX_EPOCH + Duration::from_secs(expires),
        };
        metrics.tls().show_certificates(vec![certificate("a.example", 5)]);
        metrics.tls().show_certificates(vec![certificate("b.example", 7), certificate("b.example", 9)]);
        let name = "sluicegate_tls_certificate_expiry_timestamp_seconds";
        let expected = [format!(r#"{name}{{source="Secret default/shop",name="b.example"}} 7"#)];
        assert_eq!(lines(&metrics, name), expected);
    }

    #[test]
    fn counts_requests_by_method_status_route_and_error() {
        let metrics = metrics();
        let error = RequestError::Deadline { milliseconds: 5 };
        let custom = http::Method::from_bytes(b"BREW").unwrap();
        metrics.observe_request(&record());
        metrics.observe_request(&record());
        metrics.observe_request(&AccessRecord { status: Some(504), error: Some(&error), ..record() });
        metrics.observe_request(&AccessRecord { method: &custom, route: None, status: None, ..record() });
        let counts = lines(&metrics, "http_server_request_duration_seconds_count");
        let name = "http_server_request_duration_seconds_count";
        let expected = [
            format!(r#"{name}{{http_request_method="GET",http_response_status_code="200",http_route="orders"}} 2"#),
            format!(
                r#"{name}{{http_request_method="GET",http_response_status_code="504",http_route="orders",error_type="http_response_timeout"}} 1"#
            ),
            format!(r#"{name}{{http_request_method="_OTHER"}} 1"#),
        ];
        for line in &expected {
            assert!(counts.contains(line), "no {line} in {counts:#?}");
        }
        assert_eq!(counts.len(), expected.len());
        let text = metrics.encode().unwrap();
        assert!(
            text.contains(r#"_bucket{le="0.005",http_request_method="GET",http_response_status_code="200""#),
            "{text}"
        );
        assert!(text.ends_with("# EOF\n"));
    }

    #[test]
    fn requests_in_flight_go_up_and_down() {
        let metrics = metrics();
        let active = metrics.request_started();
        assert_eq!(lines(&metrics, "http_server_active_requests"), ["http_server_active_requests 1"]);
        drop(active);
        assert_eq!(lines(&metrics, "http_server_active_requests"), ["http_server_active_requests 0"]);
    }

    #[test]
    fn a_filter_is_counted_by_version_phase_and_result() {
        let metrics = metrics();
        let filter = metrics.filter("auth", "1.0.0", "sha256:aa");
        filter.observe(Phase::Request, CallResult::Next, Duration::from_micros(2));
        filter.observe(Phase::Request, CallResult::Respond, Duration::from_micros(3));
        filter.observe(Phase::Response, CallResult::Trap, Duration::from_millis(20));
        filter.instance_added();
        let text = metrics.encode().unwrap();
        for line in [
            r#"sluicegate_filter_calls_total{filter="auth",version="1.0.0",phase="request",result="next"} 1"#,
            r#"sluicegate_filter_calls_total{filter="auth",version="1.0.0",phase="request",result="respond"} 1"#,
            r#"sluicegate_filter_calls_total{filter="auth",version="1.0.0",phase="response",result="trap"} 1"#,
            r#"sluicegate_filter_duration_seconds_count{filter="auth",version="1.0.0",phase="request"} 2"#,
            r#"sluicegate_filter_duration_seconds_sum{filter="auth",version="1.0.0",phase="response"} 0.02"#,
            r#"sluicegate_filter_instances{filter="auth",version="1.0.0"} 1"#,
            r#"sluicegate_filter_info{filter="auth",version="1.0.0",digest="sha256:aa"} 1"#,
        ] {
            assert!(text.contains(&format!("{line}\n")), "no {line} in\n{text}");
        }
    }

    #[test]
    fn the_series_of_a_version_vanish_with_it() {
        let metrics = metrics();
        let old = metrics.filter("auth", "1.0.0", "sha256:aa");
        let new = metrics.filter("auth", "2.0.0", "sha256:bb");
        old.observe(Phase::Request, CallResult::Next, Duration::ZERO);
        new.observe(Phase::Request, CallResult::Next, Duration::ZERO);
        assert_eq!(lines(&metrics, "sluicegate_filter_calls_total").len(), 2);
        drop(old);
        let left = lines(&metrics, "sluicegate_filter");
        assert!(!left.is_empty() && left.iter().all(|line| line.contains(r#"version="2.0.0""#)), "{left:#?}");
    }

    #[test]
    fn a_version_that_is_loaded_again_goes_on_counting() {
        let metrics = metrics();
        let first = metrics.filter("auth", "1.0.0", "sha256:aa");
        first.observe(Phase::Request, CallResult::Next, Duration::ZERO);
        let second = metrics.filter("auth", "1.0.0", "sha256:bb");
        drop(first);
        second.observe(Phase::Request, CallResult::Next, Duration::ZERO);
        let calls = lines(&metrics, "sluicegate_filter_calls_total");
        assert!(calls.len() == 1 && calls[0].ends_with(" 2"), "{calls:?}");
        assert!(lines(&metrics, "sluicegate_filter_info")[0].contains("sha256:bb"));
    }

    #[derive(Debug)]
    struct OneChannel;

    impl EventFigures for OneChannel {
        fn unclaimed(&self) -> u64 {
            4
        }

        fn channels(&self) -> Vec<ChannelFigures> {
            let subscription = SubscriptionFigures {
                subscription: "default/stock".into(),
                results: [("success", 0), ("filtered", 3), ("dead_letter", 1), ("kept", 2), ("lost", 0)],
                retries: 1,
                redelivered: 2,
                queued: 5,
                in_flight: 1,
                oldest: Some(Duration::from_secs(90)),
            };
            let channel = "default/orders".into();
            let (dead_letters, evicted) = (2, 7);
            vec![ChannelFigures {
                channel,
                received: 1,
                refused: 1,
                lost: 6,
                listeners: 3,
                streamed: 8,
                dead_letters,
                evicted,
                subscriptions: vec![subscription],
            }]
        }
    }

    #[test]
    fn counts_reloads_upstreams_and_events() {
        let metrics = metrics();
        metrics.config_reloaded(ReloadResult::Success);
        metrics.config_reloaded(ReloadResult::Failure);
        metrics.filter_reloaded("auth", ReloadResult::Failure);
        metrics.filter_compiled("auth", Duration::from_millis(30));
        let upstream = metrics.upstream("orders");
        upstream.request(UpstreamResult::Success);
        upstream.request(UpstreamResult::ConnectFailure);
        upstream.retry();
        let events: Arc<dyn EventFigures> = Arc::new(OneChannel);
        metrics.show_events(Arc::downgrade(&events));
        let text = metrics.encode().unwrap();
        for line in [
            r#"sluicegate_config_reloads_total{result="success"} 1"#,
            r#"sluicegate_config_reloads_total{result="failure"} 1"#,
            "sluicegate_config_last_reload_successful 0",
            r#"sluicegate_filter_reloads_total{filter="auth",result="failure"} 1"#,
            r#"sluicegate_filter_compile_duration_seconds_count{filter="auth"} 1"#,
            r#"sluicegate_upstream_requests_total{upstream="orders",result="success"} 1"#,
            r#"sluicegate_upstream_requests_total{upstream="orders",result="connect_failure"} 1"#,
            r#"sluicegate_upstream_retries_total{upstream="orders"} 1"#,
            r#"sluicegate_events_received_total{channel="default/orders"} 1"#,
            r#"sluicegate_events_refused_total{channel="default/orders"} 1"#,
            r#"sluicegate_events_delivered_total{channel="default/orders",subscription="default/stock",result="dead_letter"} 1"#,
            r#"sluicegate_events_retries_total{channel="default/orders",subscription="default/stock"} 1"#,
            r#"sluicegate_events_redelivered_total{channel="default/orders",subscription="default/stock"} 2"#,
            r#"sluicegate_events_queued{channel="default/orders",subscription="default/stock"} 5"#,
            r#"sluicegate_events_in_flight{channel="default/orders",subscription="default/stock"} 1"#,
            r#"sluicegate_events_oldest_seconds{channel="default/orders",subscription="default/stock"} 90"#,
            "sluicegate_access_log_dropped_total 0",
        ] {
            assert!(text.contains(&format!("{line}\n")), "no {line} in\n{text}");
        }
        assert!(text.contains("sluicegate_build_info{version="), "{text}");
    }

    #[test]
    fn every_metric_is_described_once() {
        let metrics = metrics();
        let _filters = [metrics.filter("a", "1", "d"), metrics.filter("b", "1", "d")];
        let text = metrics.encode().unwrap();
        let mut described: Vec<&str> =
            text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()).collect();
        let all = described.len();
        described.sort_unstable();
        described.dedup();
        assert_eq!(described.len(), all, "{text}");
        assert!(!text.contains(".."), "{text}");
    }
}
