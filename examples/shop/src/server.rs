//! Serves a [`Service`] over HTTP/1.1.
//!
//! Two query parameters make a service misbehave, to see what a caller makes of it: `fail=NAME` has the service of that
//! name answer 503, `slow=NAME` has it take [`SLOW`] before it answers.

use crate::answer::problem;
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// The largest body to take in, in bytes: an order is a hundred.
const MAX_BODY: usize = 64 << 10;
/// How long a body may take to arrive.
const BODY_DEADLINE: Duration = Duration::from_secs(10);
/// How long a connection may wait for its next request: longer than a proxy keeps an idle one, so that the proxy is the
/// one to close it and never sends a request into a connection that is being closed.
const IDLE: Duration = Duration::from_mins(5);
/// Connections at a time: far more than a demonstration opens.
const MAX_CONNECTIONS: usize = 1_024;
/// How long requests in flight may take to finish once the service is told to stop.
const DRAIN: Duration = Duration::from_secs(2);
/// How long to wait when the system has no socket to give.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// Longer than a caller with a deadline of five seconds waits.
const SLOW: Duration = Duration::from_secs(8);

/// A service with state.
pub trait Service: Send + Sync + 'static {
    /// Its name, which is also its host name.
    fn name(&self) -> &'static str;
    /// Answers a request whose whole body is here.
    fn answer(&self, request: &Request<Bytes>) -> Response<Bytes>;
}

/// Serves until `stop` is true or its sender is gone, then lets requests in flight finish, for two seconds at most.
pub async fn serve(listener: TcpListener, service: Arc<dyn Service>, mut stop: watch::Receiver<bool>) {
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        let accepted = tokio::select! {
            accepted = listener.accept(), if connections.len() < MAX_CONNECTIONS => accepted,
            _ = connections.join_next(), if connections.len() >= MAX_CONNECTIONS => continue,
            _ = stop.wait_for(|&stop| stop) => break,
        };
        match accepted {
            Ok((stream, _)) => {
                connections.spawn(connection(stream, Arc::clone(&service), stop.clone()));
            }
            Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
        }
    }
    drop(listener);
    let drained = async { while connections.join_next().await.is_some() {} };
    // What is left after that ends with the set.
    let _ = tokio::time::timeout(DRAIN, drained).await;
}

async fn connection(stream: TcpStream, service: Arc<dyn Service>, mut stop: watch::Receiver<bool>) {
    let _ = stream.set_nodelay(true);
    let answer = service_fn(move |request| {
        let service = Arc::clone(&service);
        async move { Ok::<_, Infallible>(exchange(service.as_ref(), request).await.map(Full::new)) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(IDLE)
        .serve_connection(TokioIo::new(stream), answer);
    tokio::pin!(connection);
    tokio::select! {
        // A connection that fails concerns its peer alone.
        _ = connection.as_mut() => return,
        _ = stop.wait_for(|&stop| stop) => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}

async fn exchange(service: &dyn Service, request: Request<Incoming>) -> Response<Bytes> {
    if asks_for("fail", &request, service) {
        return problem(service.name(), StatusCode::SERVICE_UNAVAILABLE, "told to fail");
    }
    if asks_for("slow", &request, service) {
        tokio::time::sleep(SLOW).await;
    }
    let (head, body) = request.into_parts();
    match tokio::time::timeout(BODY_DEADLINE, Limited::new(body, MAX_BODY).collect()).await {
        Ok(Ok(body)) => service.answer(&Request::from_parts(head, body.to_bytes())),
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            let message = format!("the body is over {MAX_BODY} bytes");
            problem(service.name(), StatusCode::PAYLOAD_TOO_LARGE, &message)
        }
        Ok(Err(_)) => problem(service.name(), StatusCode::BAD_REQUEST, "the body is cut short"),
        Err(_) => problem(service.name(), StatusCode::REQUEST_TIMEOUT, "the body did not arrive in time"),
    }
}

/// Whether the query has `fault=NAME` with this service's name.
fn asks_for(fault: &str, request: &Request<Incoming>, service: &dyn Service) -> bool {
    let pairs = request.uri().query().unwrap_or_default().split('&').filter_map(|pair| pair.split_once('='));
    pairs.into_iter().any(|(name, value)| name == fault && value == service.name())
}
