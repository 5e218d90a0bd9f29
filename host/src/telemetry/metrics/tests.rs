//! What is counted, and how it is written.

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
    assert!(text.contains(r#"_bucket{le="0.005",http_request_method="GET",http_response_status_code="200""#), "{text}");
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
    let text = metrics.encode().unwrap();
    for line in [
        r#"sluicegate_filter_calls_total{filter="auth",version="1.0.0",phase="request",result="next"} 1"#,
        r#"sluicegate_filter_calls_total{filter="auth",version="1.0.0",phase="request",result="respond"} 1"#,
        r#"sluicegate_filter_calls_total{filter="auth",version="1.0.0",phase="response",result="trap"} 1"#,
        r#"sluicegate_filter_duration_seconds_count{filter="auth",version="1.0.0",phase="request"} 2"#,
        r#"sluicegate_filter_duration_seconds_sum{filter="auth",version="1.0.0",phase="response"} 0.02"#,
        r#"sluicegate_filter_instances{filter="auth",version="1.0.0"} 0"#,
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
