//! Against a collector that answers as it is told. What it is sent is decoded by tests of the whole proxy, with
//! OpenTelemetry's own messages.

use super::*;
use crate::telemetry::trace::Tracer;
use crate::telemetry::trace::span::Kind;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use message::ExportRequest;
use prost::Message;
use std::convert::Infallible;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::net::TcpListener;

/// Answers with these statuses, then with 200, and counts the spans that it took.
#[derive(Default)]
struct Collector {
    statuses: Mutex<VecDeque<u16>>,
    posts: AtomicU64,
    spans: AtomicU64,
}

impl Collector {
    async fn start(statuses: impl IntoIterator<Item = u16>) -> (Arc<Self>, Tracer) {
        let collector = Arc::new(Self { statuses: Mutex::new(statuses.into_iter().collect()), ..Self::default() });
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let tracer = tracer(&format!("http://{}", listener.local_addr().unwrap()));
        let theirs = Arc::clone(&collector);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let collector = Arc::clone(&theirs);
                let service = service_fn(move |request| {
                    let collector = Arc::clone(&collector);
                    async move { Ok::<_, Infallible>(collector.answer(request).await) }
                });
                tokio::spawn(
                    hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service),
                );
            }
        });
        (collector, tracer)
    }

    async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        assert_eq!(request.uri().path(), "/v1/traces");
        assert_eq!(request.headers()["content-type"], "application/x-protobuf");
        assert_eq!(request.headers()["x-key"], "secret");
        let body = request.into_body().collect().await.unwrap().to_bytes();
        self.posts.fetch_add(1, Ordering::SeqCst);
        let status = self.statuses.lock().unwrap().pop_front().unwrap_or(200);
        if status == 200 {
            let spans = &ExportRequest::decode(body).unwrap().resource_spans[0].scope_spans[0].spans;
            self.spans.fetch_add(spans.len() as u64, Ordering::SeqCst);
        }
        let mut response = Response::new(Full::default());
        *response.status_mut() = status.try_into().unwrap();
        response.headers_mut().insert("retry-after", "0".try_into().unwrap());
        response
    }

    fn counted(&self) -> (u64, u64) {
        (self.posts.load(Ordering::SeqCst), self.spans.load(Ordering::SeqCst))
    }
}

fn tracer(endpoint: &str) -> Tracer {
    Tracer::start(&TraceExport {
        endpoint: crate::config::tracing::endpoint(endpoint).unwrap(),
        headers: vec![crate::config::tracing::header("x-key", "secret").unwrap()],
        timeout: Duration::from_secs(5),
        ratio: crate::config::Ratio::ONE,
        follow_parents: true,
        every_filter: false,
        resource: vec![("service.name".into(), "test".into())],
    })
    .unwrap()
}

fn spans(tracer: &Tracer, count: usize) {
    (0..count).for_each(|_| drop(tracer.linked(None, Kind::Internal, |_| {})));
}

fn counts(tracer: &Tracer) -> [u64; 3] {
    let counts = tracer.counts().unwrap();
    [&counts.exported, &counts.failed, &counts.dropped].map(|count| count.load(Ordering::Relaxed))
}

async fn until(what: impl Fn() -> bool) {
    for _ in 0..1_000 {
        if what() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it did not come to pass within ten seconds");
}

#[tokio::test]
async fn spans_arrive_within_seconds_and_the_rest_at_the_end() {
    let (collector, tracer) = Collector::start([]).await;
    spans(&tracer, 3);
    until(|| collector.counted() == (1, 3)).await;
    spans(&tracer, BATCH + 1);
    tracer.close(Duration::from_secs(5)).await;
    assert_eq!(collector.counted().1, 4 + BATCH as u64);
    assert_eq!(counts(&tracer), [4 + BATCH as u64, 0, 0]);
    spans(&tracer, 1);
    assert_eq!(counts(&tracer)[2], 1, "a span after the end is counted");
}

#[tokio::test]
async fn a_collector_that_has_too_much_to_do_is_asked_again() {
    let (collector, tracer) = Collector::start([503, 429]).await;
    spans(&tracer, 2);
    until(|| collector.counted() == (3, 2)).await;
    assert_eq!(counts(&tracer), [2, 0, 0]);
}

#[tokio::test]
async fn a_collector_that_refuses_is_not_asked_again() {
    let (collector, tracer) = Collector::start([400]).await;
    spans(&tracer, 2);
    until(|| counts(&tracer) == [0, 2, 0]).await;
    assert_eq!(collector.counted(), (1, 0));
    spans(&tracer, 1);
    until(|| collector.counted() == (2, 1)).await;
}

#[tokio::test]
async fn a_collector_that_is_gone_holds_up_nothing_and_the_end_is_bounded() {
    // Nobody listens at this port once it is closed.
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let tracer = tracer(&format!("http://{}", listener.local_addr().unwrap()));
    drop(listener);
    spans(&tracer, 5);
    let began = std::time::Instant::now();
    tracer.close(Duration::from_secs(5)).await;
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    assert_eq!(counts(&tracer), [0, 5, 0]);
}

#[tokio::test]
async fn a_collector_that_does_not_answer_does_not_hold_up_the_end() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let tracer = tracer(&format!("http://{}", listener.local_addr().unwrap()));
    spans(&tracer, 5);
    let began = std::time::Instant::now();
    tracer.close(Duration::from_millis(200)).await;
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
}
