//! The endpoint over real sockets, asked by the real client.

use super::super::client::{AdminClient, ClientError};
use super::super::endpoints::{EndpointCondition, EndpointStatus};
use super::super::view::*;
use super::*;
use crate::telemetry::log::{Format, LogLevels, detached};
use crate::telemetry::{AccessLog, CallResult, Phase};
use std::io::{Read, Write};
use std::sync::Mutex;

#[derive(Default)]
struct View {
    readiness: Mutex<Readiness>,
}

impl AdminView for View {
    fn events(&self) -> Vec<crate::admin::events::ChannelFiguresStatus> {
        Vec::new()
    }

    fn channels(&self) -> Arc<crate::event::Channels> {
        crate::event::Channels::new(crate::event::Stores::default()).0
    }

    fn readiness(&self) -> Readiness {
        self.readiness.lock().unwrap().clone()
    }

    fn filters(&self) -> Vec<FilterStatus> {
        let diagnostic = DiagnosticStatus {
            severity: "error".into(),
            code: "SG0401".into(),
            origin: "auth.wasm".into(),
            message: "imports `wasi:sockets/tcp`".into(),
            help: None,
        };
        vec![FilterStatus {
            name: "auth".into(),
            version: "1.2.0".into(),
            digest: "ab".into(),
            origin: "filters/auth.wasm".into(),
            claims: vec!["AuthorizationPolicy".into()],
            hooks: vec!["request".into()],
            reads: Vec::new(),
            capabilities: vec!["log".into()],
            grants: crate::admin::view::GrantStatus::default(),
            priority: 10,
            failure: "closed".into(),
            state: FilterState::Outdated,
            since: "2026-01-01T00:00:00Z".into(),
            last_refusal: Some(ReloadFailure { at: "2026-01-02T00:00:00Z".into(), diagnostics: vec![diagnostic] }),
            quarantine: None,
            rollout: None,
        }]
    }

    fn config(&self) -> ConfigStatus {
        ConfigStatus { generation: 7, ..ConfigStatus::default() }
    }

    fn endpoints(&self) -> Vec<EndpointStatus> {
        vec![EndpointStatus {
            service: "shop".into(),
            port: Some(80),
            address: ([10, 0, 0, 1], 8080).into(),
            alternatives: Vec::new(),
            weight: 1,
            labels: [("version".to_owned(), "v1".to_owned())].into(),
            subsets: Vec::new(),
            state: EndpointCondition::Ejected,
            reason: Some("too many 5xx responses in a row".into()),
            returns_in: Some(500),
            active: Some(2),
            ejections: 1,
        }]
    }

    fn explain(&self, request: ExplainRequest) -> Result<ExplainAnswer, String> {
        let head = request.to_head()?;
        assert_ne!(head.authority, "panic");
        Ok(ExplainAnswer {
            generation: 7,
            request: format!("{} {}", head.method, request.url),
            steps: Vec::new(),
            outcome: ExplainOutcome { summary: head.authority, ..ExplainOutcome::default() },
        })
    }
}

struct Running {
    server: AdminServer,
    view: Arc<View>,
    metrics: Metrics,
    levels: LogLevels,
    /// Keeps the levels alive.
    _log: Box<dyn tracing::Subscriber + Send + Sync>,
}

fn start(address: &AdminAddress) -> Running {
    let view = Arc::new(View::default());
    let metrics = Metrics::new(&AccessLog::off());
    let (log, levels) = detached("info", Format::Json).unwrap();
    let shown: Arc<dyn AdminView> = view.clone();
    let socket = AdminSocket::bind(address, &Inherited::default()).unwrap();
    let server = AdminServer::start(socket, false, shown, metrics.clone(), levels.clone()).unwrap();
    Running { server, view, metrics, levels, _log: log }
}

fn tcp() -> AdminAddress {
    AdminAddress::parse("127.0.0.1:0").unwrap()
}

/// The status and the whole answer to a head written by hand.
fn raw(running: &Running, head: &str) -> String {
    let AdminAddress::Tcp(address) = running.server.address() else { panic!("not TCP") };
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    stream.write_all(head.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

fn get(running: &Running, path: &str) -> String {
    raw(running, &format!("GET {path} HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n"))
}

#[test]
fn answers_the_client_over_tcp_and_over_a_unix_socket() {
    let directory = tempfile::tempdir().unwrap();
    for address in [tcp(), AdminAddress::Unix(directory.path().join("admin.sock"))] {
        let running = start(&address);
        let client = AdminClient::new(running.server.address().clone());
        assert_eq!(client.filters().unwrap(), running.view.filters());
        assert_eq!(client.endpoints().unwrap(), running.view.endpoints());
        assert_eq!(client.config().unwrap().generation, 7);
        let request = ExplainRequest { url: "http://shop/a".into(), ..ExplainRequest::default() };
        assert_eq!(client.explain(&request).unwrap().outcome.summary, "shop");
        let wrong = ExplainRequest { url: "nowhere".into(), ..request };
        let refused = client.explain(&wrong).unwrap_err();
        assert!(matches!(&refused, ClientError::Refused { status: 400, .. }), "{refused}");
        assert!(refused.to_string().contains("write it with scheme and host"), "{refused}");
    }
}

#[test]
fn nobody_answers_after_the_end() {
    let running = start(&tcp());
    let address = running.server.address().clone();
    drop(running);
    let error = AdminClient::new(address).filters().unwrap_err();
    assert!(matches!(error, ClientError::Unreachable { .. }), "{error}");
}

#[test]
fn is_ready_only_with_a_snapshot_and_before_the_drain() {
    let running = start(&tcp());
    assert!(get(&running, "/livez").starts_with("HTTP/1.1 200"));
    assert!(get(&running, "/readyz").starts_with("HTTP/1.1 503"));
    running.view.readiness.lock().unwrap().snapshot = true;
    assert!(get(&running, "/readyz").starts_with("HTTP/1.1 200"));
    running.view.readiness.lock().unwrap().draining = true;
    let answer = get(&running, "/readyz?verbose");
    assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
    assert!(answer.contains("[+] configuration in force\n[-] not draining\nnot ready\n"), "{answer}");
}

#[test]
fn shows_metrics_as_openmetrics() {
    let running = start(&tcp());
    let filter = running.metrics.filter("auth", "1", "d");
    filter.observe(Phase::Request, CallResult::Next, Duration::from_micros(1));
    let answer = get(&running, "/metrics");
    assert!(answer.contains("content-type: application/openmetrics-text; version=1.0.0; charset=utf-8"), "{answer}");
    assert!(answer.contains(r#"sluicegate_filter_calls_total{filter="auth""#) && answer.ends_with("# EOF\n"));
}

#[test]
fn unknown_paths_and_wrong_methods_say_what_is_right() {
    let running = start(&tcp());
    let answer = get(&running, "/metric");
    assert!(answer.starts_with("HTTP/1.1 404") && answer.contains("/metrics"), "{answer}");
    let answer = get(&running, "/logging?level=debug");
    assert!(answer.starts_with("HTTP/1.1 405") && answer.contains("allow: POST"), "{answer}");
    assert_eq!(running.levels.current(), "info");
    assert!(get(&running, "/").contains("/explain"));
}

#[test]
fn log_levels_change_by_post() {
    let running = start(&tcp());
    let post = |query: &str| {
        let head = "host: localhost\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
        raw(&running, &format!("POST /logging{query} HTTP/1.1\r\n{head}"))
    };
    assert!(post("?level=warn%2Csluicegate::chain=debug").starts_with("HTTP/1.1 200"));
    assert!(running.levels.current().contains("sluicegate::chain=debug"));
    assert!(post("?level=a=b=c").starts_with("HTTP/1.1 400"));
    assert!(post("").starts_with("HTTP/1.1 400"));
}

#[test]
fn a_name_that_could_be_a_web_pages_is_refused() {
    let running = start(&tcp());
    let answer = raw(&running, "GET /config HTTP/1.1\r\nhost: evil.example\r\nconnection: close\r\n\r\n");
    assert!(answer.starts_with("HTTP/1.1 403"), "{answer}");
}

#[test]
fn a_panic_in_an_explanation_does_not_end_the_endpoint() {
    let running = start(&tcp());
    let client = AdminClient::new(running.server.address().clone());
    let request = ExplainRequest { url: "http://panic/".into(), ..ExplainRequest::default() };
    assert!(matches!(client.explain(&request), Err(ClientError::Refused { status: 500, .. })));
    assert!(get(&running, "/livez").starts_with("HTTP/1.1 200"));
}

#[test]
fn a_head_that_is_too_large_is_refused() {
    let running = start(&tcp());
    let answer = raw(&running, &format!("GET / HTTP/1.1\r\nhost: localhost\r\nx: {}\r\n\r\n", "a".repeat(HEAD_SIZE)));
    assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
}
