//! A backend that says its name and what it got, in whatever protocol it is spoken to.

use super::file::Step;
use crate::background::{self, AbortOnDrop};
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::json;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

/// The response header with the backend's name.
pub(super) const NAME_HEADER: &str = "x-backend";
/// A request header `NAME: VALUE` that the backend sends back as a response header.
const ECHO_HEADER: &str = "x-echo-header";
/// How a connection of HTTP/2 begins.
const PREFACE: &[u8] = b"PRI * HTTP/2.0";

type Body = UnsyncBoxBody<Bytes, Infallible>;

/// A request as it arrived.
#[derive(Debug, Clone)]
pub(super) struct Arrived {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) host: String,
    pub(super) headers: HeaderMap,
}

/// A backend on a free port. Dropping it closes the listener.
#[derive(Debug)]
pub(super) struct Backend {
    pub(super) address: SocketAddr,
    state: Arc<State>,
    _task: AbortOnDrop,
}

#[derive(Debug)]
struct State {
    name: String,
    script: Mutex<VecDeque<Step>>,
    arrived: Mutex<Vec<Arrived>>,
}

/// Ends the connection.
#[derive(Debug)]
struct Ended;

impl std::fmt::Display for Ended {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("the script ends the connection here")
    }
}

impl std::error::Error for Ended {}

impl Backend {
    /// Begins to listen.
    pub(super) fn start(name: &str, tls: Option<TlsAcceptor>) -> Self {
        let listener = background::run(async { TcpListener::bind(("127.0.0.1", 0)).await }).expect("a port is free");
        let address = listener.local_addr().expect("a listener has an address");
        let state = Arc::new(State { name: name.to_owned(), script: Mutex::default(), arrived: Mutex::default() });
        let served = Arc::clone(&state);
        let task = background::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                match tls.clone() {
                    None => background::spawn(serve(stream, Arc::clone(&served))),
                    Some(tls) => background::spawn(serve_tls(tls, stream, Arc::clone(&served))),
                };
            }
        });
        Self { address, state, _task: AbortOnDrop(task) }
    }

    /// Forgets what has arrived, and does this with the next requests.
    pub(super) fn reset(&self, script: &[Step]) {
        lock(&self.state.arrived).clear();
        let times = script.iter().flat_map(|step| std::iter::repeat_n(step.clone(), step.times.unwrap_or(1)));
        *lock(&self.state.script) = times.collect();
    }

    /// What has arrived, in order.
    pub(super) fn arrived(&self) -> Vec<Arrived> {
        lock(&self.state.arrived).clone()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Serves HTTP/2 to a client that begins with its preface, HTTP/1.1 to any other.
async fn serve(stream: TcpStream, state: Arc<State>) {
    let mut start = [0; PREFACE.len()];
    let speaks_http2 = matches!(stream.peek(&mut start).await, Ok(length) if length == start.len() && start == PREFACE);
    serve_in(stream, speaks_http2, state).await;
}

/// The same over TLS, where the handshake says it.
async fn serve_tls(tls: TlsAcceptor, stream: TcpStream, state: Arc<State>) {
    // The case looks at what the client sees.
    let Ok(stream) = tls.accept(stream).await else { return };
    let speaks_http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
    serve_in(stream, speaks_http2, state).await;
}

async fn serve_in<S>(stream: S, speaks_http2: bool, state: Arc<State>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = service_fn(move |request| {
        let state = Arc::clone(&state);
        async move { state.answer(request).await }
    });
    let io = TokioIo::new(stream);
    // A script may end the connection, and so may the client; the case looks at what the client sees.
    if speaks_http2 {
        let _ = http2::Builder::new(TokioExecutor::new()).serve_connection(io, service).await;
    } else {
        let _ = http1::Builder::new().serve_connection(io, service).with_upgrades().await;
    }
}

impl State {
    async fn answer(&self, request: Request<Incoming>) -> Result<Response<Body>, Ended> {
        let arrived = head(&request);
        lock(&self.arrived).push(arrived.clone());
        let step = lock(&self.script).pop_front();
        if request.headers().contains_key(http::header::UPGRADE) {
            return self.upgrade(request);
        }
        // A body that breaks off shows in what the client sees.
        let _ = request.into_body().collect().await;
        if let Some(delay) = step.as_ref().and_then(|step| step.delay) {
            tokio::time::sleep(Duration::from_millis(delay)).await;
        }
        if step.as_ref().is_some_and(|step| step.reset) {
            return Err(Ended);
        }
        let mut response = self.echo(&arrived);
        if let Some(status) = step.and_then(|step| step.status) {
            *response.status_mut() = StatusCode::from_u16(status).map_err(|_| Ended)?;
        }
        Ok(response)
    }

    fn echo(&self, arrived: &Arrived) -> Response<Body> {
        let said =
            json!({ "backend": self.name, "method": arrived.method, "path": arrived.path, "host": arrived.host });
        let content_type = arrived.headers.get(http::header::CONTENT_TYPE).filter(|value| is_grpc(value)).cloned();
        let body = match content_type {
            Some(_) => message(said.to_string().as_bytes()),
            None => Full::new(Bytes::from(said.to_string())).boxed_unsync(),
        };
        let mut response = Response::new(body);
        let content_type = content_type.unwrap_or(HeaderValue::from_static("application/json"));
        response.headers_mut().insert(http::header::CONTENT_TYPE, content_type);
        self.sign(response.headers_mut());
        for line in arrived.headers.get_all(ECHO_HEADER) {
            let text = String::from_utf8_lossy(line.as_bytes()).into_owned();
            let pair = text.split_once(':').and_then(|(name, value)| {
                Some((name.trim().parse::<HeaderName>().ok()?, HeaderValue::from_str(value.trim()).ok()?))
            });
            response.headers_mut().extend(pair);
        }
        response
    }

    fn sign(&self, headers: &mut HeaderMap) {
        headers.insert(NAME_HEADER, HeaderValue::from_str(&self.name).expect("a backend's name is a header value"));
    }

    fn upgrade(&self, request: Request<Incoming>) -> Result<Response<Body>, Ended> {
        let protocol = request.headers().get(http::header::UPGRADE).cloned().ok_or(Ended)?;
        background::spawn(async move {
            let Ok(upgraded) = hyper::upgrade::on(request).await else { return };
            let (mut reader, mut writer) = tokio::io::split(TokioIo::new(upgraded));
            // It ends with the connection, however that ends.
            let _ = tokio::io::copy(&mut reader, &mut writer).await;
        });
        let mut response = Response::new(Full::default().boxed_unsync());
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        response.headers_mut().insert(http::header::CONNECTION, HeaderValue::from_static("upgrade"));
        response.headers_mut().insert(http::header::UPGRADE, protocol);
        self.sign(response.headers_mut());
        Ok(response)
    }
}

fn head(request: &Request<Incoming>) -> Arrived {
    let host = request.headers().get(http::header::HOST).map(|value| String::from_utf8_lossy(value.as_bytes()).into());
    let host = host.or_else(|| request.uri().authority().map(ToString::to_string));
    Arrived {
        method: request.method().to_string(),
        path: request.uri().path_and_query().map(ToString::to_string).unwrap_or_default(),
        host: host.unwrap_or_default(),
        headers: request.headers().clone(),
    }
}

fn is_grpc(content_type: &HeaderValue) -> bool {
    content_type.as_bytes().starts_with(b"application/grpc")
}

/// A gRPC response body: one message, then the status OK.
fn message(bytes: &[u8]) -> Body {
    let trailers = HeaderMap::from_iter([(HeaderName::from_static("grpc-status"), HeaderValue::from_static("0"))]);
    let frames = [Ok(Frame::data(framed(bytes))), Ok(Frame::trailers(trailers))];
    StreamBody::new(futures_util::stream::iter(frames)).boxed_unsync()
}

/// A message as gRPC frames it: one byte that says it is not compressed, four with its length, then itself.
pub(super) fn framed(message: &[u8]) -> Bytes {
    let length = u32::try_from(message.len()).expect("a message of a test is short");
    let mut bytes = BytesMut::with_capacity(message.len() + 5);
    bytes.extend_from_slice(&[0]);
    bytes.extend_from_slice(&length.to_be_bytes());
    bytes.extend_from_slice(message);
    bytes.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::{Client, Protocol, Request};

    #[test]
    fn it_says_who_it_is_in_both_versions_of_http() {
        let backend = Backend::start("v1", None);
        for protocol in [Protocol::Http1, Protocol::Http2] {
            let request = Request::get("http://shop/a?b").header(ECHO_HEADER, "x-back: 1");
            let answer = Client::connect_with(backend.address, protocol).send(request).expect("an answer");
            assert_eq!((answer.header(NAME_HEADER), answer.header("x-back")), (Some("v1"), Some("1")));
            assert_eq!((&answer.json()["path"], &answer.json()["host"]), (&json!("/a?b"), &json!("shop")));
        }
        assert_eq!(backend.arrived().len(), 2);
    }

    #[test]
    fn a_script_comes_before_the_echo_and_is_forgotten_with_the_next_case() {
        let backend = Backend::start("v1", None);
        let step = Step { times: Some(2), delay: None, status: Some(503), reset: false };
        backend.reset(std::slice::from_ref(&step));
        let ask = || Client::connect(backend.address).send(Request::get("http://shop/")).expect("an answer").status;
        assert_eq!([ask(), ask(), ask()], [503, 503, 200]);
        backend.reset(&[Step { reset: true, ..step }]);
        assert!(backend.arrived().is_empty());
        assert!(Client::connect(backend.address).send(Request::get("http://shop/")).is_err());
        backend.reset(&[]);
        assert_eq!(ask(), 200);
    }

    #[test]
    fn a_grpc_call_is_answered_with_a_message_and_a_status() {
        let backend = Backend::start("v1", None);
        let request =
            Request::post("http://shop/echo.Echo/Say", framed(b"hi")).header("content-type", "application/grpc");
        let answer = Client::connect_with(backend.address, Protocol::Http2).send(request).expect("an answer");
        assert_eq!(answer.body.first(), Some(&0));
        assert_eq!(answer.trailers.expect("there are trailers")["grpc-status"], "0");
    }
}
