//! HTTP/2 with prior knowledge (RFC 9113, section 3.3).

use super::flood::{FloodGuard, Verdict as FloodVerdict};
use super::track::Streams;
use super::{ConnectionInfo, GateIo, Handler, caught};
use crate::config::limits;
use crate::drain::DrainSignal;
use http::{Method, Request};
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, Interval, MissedTickBehavior};

/// How often streams are looked at; a stalled one ends this fraction of its time-out late at most.
const SURVEYS_PER_TIMEOUT: u32 = 6;

pub(super) async fn serve<S, H>(io: GateIo<S>, handler: Arc<H>, info: &Arc<ConnectionInfo>) -> hyper::Result<()>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    H: Handler,
{
    let streams = Streams::new();
    let mut watch = Watch::new(streams.clone(), info);
    let verdict = FloodVerdict::default();
    let io = FloodGuard::new(io, verdict.clone());
    let observer = Arc::clone(&handler);
    let service = service_fn(move |mut request: Request<Incoming>| {
        let stream = streams.begin();
        if request.method() == Method::CONNECT {
            // What it becomes lasts longer than its response.
            request.extensions_mut().insert(streams.hold());
        }
        let (handler, info) = (Arc::clone(&handler), Arc::clone(info));
        async move {
            let response = caught::handle(&handler, &info, request).await.unwrap_or_else(|answer| answer);
            Ok::<_, Infallible>(response.map(|body| stream.respond(body)))
        }
    });
    let mut connection = pin!(builder().serve_connection(TokioIo::new(io), service));
    let result = poll_fn(|context| {
        if let Poll::Ready(result) = connection.as_mut().poll(context) {
            return Poll::Ready(result);
        }
        match watch.poll(context) {
            Verdict::Fine => Poll::Pending,
            Verdict::Leave => {
                connection.as_mut().graceful_shutdown();
                connection.as_mut().poll(context)
            }
            Verdict::Stalled => Poll::Ready(Ok(())),
        }
    })
    .await;
    if let Some(flood) = verdict.flood() {
        observer.flooded(info, flood);
    }
    result
}

fn builder() -> http2::Builder<TokioExecutor> {
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits::H2_STREAMS)
        .initial_stream_window_size(limits::H2_STREAM_WINDOW)
        .initial_connection_window_size(limits::H2_CONNECTION_WINDOW)
        .max_header_list_size(limits::H2_HEADER_LIST_SIZE)
        .enable_connect_protocol()
        .max_pending_accept_reset_streams(limits::H2_PENDING_RESETS)
        .max_local_error_reset_streams(limits::H2_LOCAL_RESETS)
        .keep_alive_interval(limits::H2_PING_INTERVAL)
        .keep_alive_timeout(limits::H2_PING_TIMEOUT);
    builder
}

/// What is to happen with a connection.
enum Verdict {
    Fine,
    /// It is idle, or the proxy ends: no new streams.
    Leave,
    /// A response has not been taken in time. Only the end of the connection frees what it holds.
    Stalled,
}

/// Looks after a connection beside its protocol.
struct Watch {
    streams: Streams,
    surveys: Interval,
    stalled: Duration,
    idle: Duration,
    busy_at: Instant,
    left_at: Option<Instant>,
    drain: Option<DrainSignal>,
}

impl Watch {
    fn new(streams: Streams, info: &ConnectionInfo) -> Self {
        let shortest = info.timeouts.write_stalled.min(info.timeouts.keep_alive_idle);
        let period = (shortest / SURVEYS_PER_TIMEOUT).max(Duration::from_millis(1));
        // Connections that were made together do not all look after themselves at the same time.
        let mut surveys = tokio::time::interval_at(Instant::now() + period.mul_f32(fastrand::f32()), period);
        surveys.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self {
            streams,
            surveys,
            stalled: info.timeouts.write_stalled,
            idle: info.timeouts.keep_alive_idle,
            busy_at: Instant::now(),
            left_at: None,
            drain: Some(info.drain.signal()),
        }
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Verdict {
        if let Some(drain) = &mut self.drain
            && Pin::new(drain).poll(context).is_ready()
        {
            self.drain = None;
            return self.leave();
        }
        while self.surveys.poll_tick(context).is_ready() {
            let (streams, stalled) = self.streams.survey(self.stalled);
            if streams > 0 {
                self.busy_at = Instant::now();
            }
            let quiet = self.busy_at.elapsed();
            // With every response handed over, what is still open is a tail that the client does not take.
            let tail = self.left_at.is_some_and(|left_at| left_at.elapsed().min(quiet) >= self.stalled);
            if stalled || tail {
                return Verdict::Stalled;
            }
            if quiet >= self.idle && self.left_at.is_none() {
                return self.leave();
            }
        }
        Verdict::Fine
    }

    fn leave(&mut self) -> Verdict {
        self.left_at.get_or_insert_with(Instant::now);
        Verdict::Leave
    }
}
