//! Posts to the collector over one connection that is kept.

use super::message::ExportResponse;
use crate::config::TraceExport;
use crate::tls::client::{ClientTerms, Connector};
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST, RETRY_AFTER, USER_AGENT};
use http::uri::Scheme;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use prost::Message;
use std::io;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

/// The largest answer that is read, in bytes: a message for people and a number.
const ANSWER: usize = 64 << 10;

/// Speaks to the collector.
pub(super) struct Client {
    endpoint: Uri,
    tls: Option<Connector>,
    headers: HeaderMap,
    timeout: Duration,
    connection: Option<SendRequest<Full<Bytes>>>,
}

/// Why spans were not taken.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    /// For people; holds nothing of what was sent.
    pub(super) reason: String,
    pub(super) may_be_retried: bool,
    /// How long the collector asks to be left alone.
    pub(super) retry_after: Option<Duration>,
}

impl Refusal {
    fn again(reason: impl ToString) -> Self {
        Self { reason: reason.to_string(), may_be_retried: true, retry_after: None }
    }
}

impl Client {
    /// Nothing is connected yet.
    pub(super) fn new(settings: &TraceExport) -> io::Result<Self> {
        let endpoint = settings.endpoint.clone();
        let tls = (endpoint.scheme() == Some(&Scheme::HTTPS)).then(|| {
            let protocols = vec![b"http/1.1".to_vec()];
            ClientTerms { server_name: host(&endpoint).to_owned(), protocols, ..ClientTerms::default() }.connector()
        });
        let tls = tls.transpose().map_err(io::Error::other)?;
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-protobuf"));
        headers.insert(USER_AGENT, HeaderValue::from_static(concat!("sluicegate/", env!("CARGO_PKG_VERSION"))));
        let authority = endpoint.authority().map_or("", http::uri::Authority::as_str);
        headers.insert(HOST, HeaderValue::from_str(authority).map_err(io::Error::other)?);
        headers.extend(settings.headers.iter().map(|(name, value)| (name.clone(), value.clone())));
        Ok(Self { endpoint, tls, headers, timeout: settings.timeout, connection: None })
    }

    /// Where spans go.
    pub(super) fn endpoint(&self) -> &Uri {
        &self.endpoint
    }

    /// Sends an export; says how many of its spans were refused.
    pub(super) async fn post(&mut self, body: Bytes) -> Result<usize, Refusal> {
        let limit = self.timeout;
        let answered = timeout(limit, self.exchange(body)).await;
        let result = answered.unwrap_or_else(|_| Err(Refusal::again(format!("no answer within {limit:?}"))));
        if result.is_err() {
            self.connection = None;
        }
        result
    }

    async fn exchange(&mut self, body: Bytes) -> Result<usize, Refusal> {
        let mut kept = self.connection.take();
        if let Some(connection) = &mut kept
            && connection.ready().await.is_err()
        {
            kept = None;
        }
        let mut connection = match kept {
            Some(kept) => kept,
            None => self.connect().await.map_err(Refusal::again)?,
        };
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = http::Method::POST;
        *request.uri_mut() = self.endpoint.path_and_query().cloned().map_or_else(|| Uri::from_static("/"), Uri::from);
        request.headers_mut().clone_from(&self.headers);
        let response = connection.send_request(request).await.map_err(Refusal::again)?;
        let rejected = judge(response).await?;
        self.connection = Some(connection);
        Ok(rejected)
    }

    async fn connect(&self) -> io::Result<SendRequest<Full<Bytes>>> {
        let port = self.endpoint.port_u16().unwrap_or(if self.tls.is_some() { 443 } else { 80 });
        let stream = TcpStream::connect((host(&self.endpoint), port)).await?;
        stream.set_nodelay(true)?;
        match &self.tls {
            None => open(stream).await,
            Some(Connector { config, server_name }) => {
                open(TlsConnector::from(config.clone()).connect(server_name.clone(), stream).await?).await
            }
        }
    }
}

/// The connection's own task ends with it.
async fn open(stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static) -> io::Result<SendRequest<Full<Bytes>>> {
    let (sender, connection) = handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
    tokio::spawn(connection);
    Ok(sender)
}

/// What the collector says (OTLP, sections "OTLP/HTTP Response" and "Failures").
async fn judge(response: Response<Incoming>) -> Result<usize, Refusal> {
    let (parts, body) = response.into_parts();
    let body = Limited::new(body, ANSWER).collect().await.map(http_body_util::Collected::to_bytes);
    if parts.status.is_success() {
        // Whatever it says of them, the spans are there.
        let answer = body.ok().and_then(|body| ExportResponse::decode(body).ok()).and_then(|answer| answer.partial);
        let Some(partial) = answer else { return Ok(0) };
        let rejected = usize::try_from(partial.rejected_spans).unwrap_or(0);
        if rejected > 0 || !partial.error_message.is_empty() {
            tracing::warn!(rejected, message = partial.error_message, "the collector is not content with spans");
        }
        return Ok(rejected);
    }
    let may_be_retried = matches!(
        parts.status,
        StatusCode::TOO_MANY_REQUESTS
            | StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT
    );
    let asked = parts.headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.trim().parse().ok());
    let retry_after = asked.map(Duration::from_secs);
    Err(Refusal { reason: format!("the collector answered {}", parts.status), may_be_retried, retry_after })
}

/// Without the brackets of an IPv6 address.
fn host(uri: &Uri) -> &str {
    uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']')
}
