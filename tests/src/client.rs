//! An HTTP client that does exactly what it is told.

use crate::background;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, Version};
use http_body_util::{BodyExt, Collected, Full};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

/// Longer than every deadline of the proxy that a test sets.
const LIMIT: Duration = Duration::from_mins(1);

/// The protocol of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP/1.1.
    Http1,
    /// HTTP/2 without TLS, by prior knowledge.
    Http2,
}

/// A request to send.
#[derive(Debug, Clone)]
pub struct Request {
    method: Method,
    url: Uri,
    headers: HeaderMap,
    body: Bytes,
}

impl Request {
    /// A request; the URL's host becomes the authority.
    ///
    /// # Panics
    /// When the method or the URL is none. For bytes that are not HTTP there is [`raw`](crate::raw).
    #[track_caller]
    pub fn new(method: &str, url: &str) -> Self {
        let method = method.parse().expect("a method");
        let url = url.parse().expect("a URL such as http://host/path");
        Self { method, url, headers: HeaderMap::new(), body: Bytes::new() }
    }

    /// A GET.
    #[track_caller]
    pub fn get(url: &str) -> Self {
        Self::new("GET", url)
    }

    /// A POST with a body.
    #[track_caller]
    pub fn post(url: &str, body: impl Into<Bytes>) -> Self {
        Self::new("POST", url).body(body)
    }

    /// Adds a header line.
    ///
    /// # Panics
    /// When the name or the value is not valid.
    #[must_use]
    #[track_caller]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        let name: HeaderName = name.parse().expect("a header name");
        self.headers.append(name, HeaderValue::from_str(value).expect("a header value"));
        self
    }

    /// Sets the body.
    #[must_use]
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }

    pub(crate) fn into_http1(self) -> http::Request<Full<Bytes>> {
        self.for_protocol(Protocol::Http1)
    }

    pub(crate) fn into_http2(self) -> http::Request<Full<Bytes>> {
        self.for_protocol(Protocol::Http2)
    }

    fn for_protocol(self, protocol: Protocol) -> http::Request<Full<Bytes>> {
        let authority = self.url.authority().map(ToString::to_string);
        let mut request = http::Request::new(Full::new(self.body));
        *request.method_mut() = self.method;
        *request.headers_mut() = self.headers;
        *request.uri_mut() = match protocol {
            Protocol::Http2 => self.url,
            Protocol::Http1 => {
                let host = authority.and_then(|authority| HeaderValue::from_str(&authority).ok());
                if let (Some(host), false) = (host, request.headers().contains_key(http::header::HOST)) {
                    request.headers_mut().insert(http::header::HOST, host);
                }
                self.url.path_and_query().map_or_else(Uri::default, |path| Uri::from(path.clone()))
            }
        };
        request
    }
}

/// A whole answer.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
    /// The trailers, if there were any.
    pub trailers: Option<HeaderMap>,
    /// The version of HTTP that it came in.
    pub version: Version,
}

impl Answer {
    /// The first value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    ///
    /// # Panics
    /// When it is none.
    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        match serde_json::from_slice(&self.body) {
            Ok(value) => value,
            Err(error) => panic!("the body is not JSON ({error}): {}", self.text()),
        }
    }

    async fn read(response: http::Response<Incoming>) -> Result<Self, hyper::Error> {
        let (head, body) = response.into_parts();
        Ok(Self::from_parts(head, body.collect().await?))
    }

    pub(crate) fn from_parts(head: http::response::Parts, body: Collected<Bytes>) -> Self {
        let trailers = body.trailers().cloned();
        let (status, headers, version) = (head.status.as_u16(), head.headers, head.version);
        Self { status, headers, body: body.to_bytes(), trailers, version }
    }
}

/// One connection, on which requests go one after the other.
#[derive(Debug)]
pub struct Client {
    sender: Option<Sender>,
    protocol: Protocol,
}

#[derive(Debug)]
enum Sender {
    Http1(http1::SendRequest<Full<Bytes>>),
    Http2(http2::SendRequest<Full<Bytes>>),
}

impl Client {
    /// Connects, for HTTP/1.1.
    ///
    /// # Panics
    /// When nobody listens there.
    #[track_caller]
    pub fn connect(address: SocketAddr) -> Self {
        Self::connect_with(address, Protocol::Http1)
    }

    /// Connects.
    ///
    /// # Panics
    /// When nobody listens there.
    #[track_caller]
    pub fn connect_with(address: SocketAddr, protocol: Protocol) -> Self {
        let sender = background::run(Sender::connect(address, protocol)).expect("somebody listens");
        Self { sender: Some(sender), protocol }
    }

    /// Speaks HTTP over a stream that is connected.
    pub(crate) async fn over<S>(stream: S, protocol: Protocol) -> Result<Self, String>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        Ok(Self { sender: Some(Sender::over(stream, protocol).await?), protocol })
    }

    /// Sends a request and waits for the whole answer.
    ///
    /// # Errors
    /// When the connection ends before, or a minute passes.
    pub fn send(&mut self, request: Request) -> Result<Answer, String> {
        let mut sender = self.sender.take().ok_or("the connection was lost with an earlier request")?;
        let request = request.for_protocol(self.protocol);
        let (answer, sender) = background::run(async move {
            let answer = tokio::time::timeout(LIMIT, sender.exchange(request)).await;
            (answer, sender)
        });
        let answer = answer.map_err(|_| format!("no answer within {LIMIT:?}"))?;
        self.sender = answer.is_ok().then_some(sender);
        answer.map_err(|error| format!("{error:?}"))
    }

    /// Whether the other side has kept the connection open.
    pub fn is_open(&self) -> bool {
        match &self.sender {
            None => false,
            Some(Sender::Http1(sender)) => !sender.is_closed(),
            Some(Sender::Http2(sender)) => !sender.is_closed(),
        }
    }
}

impl Sender {
    async fn connect(address: SocketAddr, protocol: Protocol) -> Result<Self, String> {
        let stream = TcpStream::connect(address).await.map_err(|error| format!("{address}: {error}"))?;
        Self::over(stream, protocol).await
    }

    async fn over<S>(stream: S, protocol: Protocol) -> Result<Self, String>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let io = TokioIo::new(stream);
        // The task of a connection ends with it; the sender notices.
        match protocol {
            Protocol::Http1 => {
                let (sender, connection) = http1::handshake(io).await.map_err(|error| error.to_string())?;
                tokio::spawn(connection);
                Ok(Self::Http1(sender))
            }
            Protocol::Http2 => {
                let (sender, connection) =
                    http2::handshake(TokioExecutor::new(), io).await.map_err(|error| error.to_string())?;
                tokio::spawn(connection);
                Ok(Self::Http2(sender))
            }
        }
    }

    async fn exchange(&mut self, request: http::Request<Full<Bytes>>) -> Result<Answer, hyper::Error> {
        let response = match self {
            Self::Http1(sender) => {
                sender.ready().await?;
                sender.send_request(request).await?
            }
            Self::Http2(sender) => {
                sender.ready().await?;
                sender.send_request(request).await?
            }
        };
        Answer::read(response).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::upstream::{Behaviour, Upstream};

    #[test]
    fn a_request_arrives_as_it_was_written() {
        let upstream = Upstream::start();
        let request = Request::post("http://shop.example:81/a?b=1", "body").header("x-one", "1").header("x-one", "2");
        let answer = Client::connect(upstream.address()).send(request).unwrap();
        assert_eq!(answer.status, 200);
        let arrived = &upstream.requests()[0];
        assert_eq!((arrived.method.as_str(), arrived.target.as_str()), ("POST", "/a?b=1"));
        assert_eq!(arrived.header("host").as_deref(), Some("shop.example:81"));
        assert_eq!(arrived.headers.get_all("x-one").iter().count(), 2);
        assert_eq!(&arrived.body[..], b"body");
    }

    #[test]
    fn a_connection_is_kept_between_requests() {
        let upstream = Upstream::start();
        let mut client = Client::connect(upstream.address());
        for _ in 0..3 {
            client.send(Request::get("http://shop/")).unwrap();
        }
        assert_eq!((upstream.connections(), upstream.requests().len()), (1, 3));
        assert!(client.is_open());
    }

    #[test]
    fn a_connection_that_ends_without_an_answer_is_an_error() {
        let upstream = Upstream::with(Behaviour::Reset);
        let mut client = Client::connect(upstream.address());
        assert!(client.send(Request::get("http://shop/")).is_err());
        assert!(!client.is_open());
    }
}
