//! Asks a running proxy, for the commands that show what it does.

use super::endpoints::EndpointStatus;
use super::rollout::{FilterActed, FilterAction, FilterHistory, FilterTraps};
use super::view::{ConfigStatus, ExplainAnswer, ExplainRequest, FilterStatus, Tapped};
use crate::config::AdminAddress;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST};
use http::{Method, Request};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;
use std::io;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};

/// For a connection to a process on this machine.
const CONNECT: Duration = Duration::from_secs(2);
/// For the whole answer; longer than the longest explanation takes.
const ANSWER: Duration = Duration::from_secs(15);
/// The largest answer, in bytes: thousands of manifests.
const ANSWER_SIZE: usize = 64 << 20;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nobody answers.
    #[error("no running instance answers at {address}: {reason}")]
    Unreachable {
        /// Where it was asked.
        address: AdminAddress,
        /// What the system said.
        reason: String,
    },
    /// It answers, and says no.
    #[error("{}", .message.trim_end())]
    Refused {
        /// The HTTP status.
        status: u16,
        /// In its words.
        message: String,
    },
    /// Something else than the admin endpoint answers.
    #[error("{address} does not answer as an admin endpoint does: {reason}")]
    Invalid {
        /// Where it was asked.
        address: AdminAddress,
        /// What is wrong.
        reason: String,
    },
}

/// Asks one admin endpoint, a connection for each question.
#[derive(Debug, Clone)]
pub struct AdminClient {
    address: AdminAddress,
}

impl AdminClient {
    /// Asks at this address.
    pub fn new(address: AdminAddress) -> Self {
        Self { address }
    }

    /// The filters of the instance.
    ///
    /// # Errors
    /// When there is no answer.
    pub fn filters(&self) -> Result<Vec<FilterStatus>, ClientError> {
        self.ask(Method::GET, "/filters", Bytes::new())
    }

    /// How filters have failed, or one of them, by version.
    ///
    /// # Errors
    /// When there is no answer.
    pub fn filter_traps(&self, filter: Option<&str>) -> Result<Vec<FilterTraps>, ClientError> {
        let path = filter.map_or_else(|| "/filters/traps".to_owned(), |name| about("/filters/traps", name));
        self.ask(Method::GET, &path, Bytes::new())
    }

    /// What became of the versions of filters, or of one.
    ///
    /// # Errors
    /// When there is no answer.
    pub fn filter_history(&self, filter: Option<&str>) -> Result<Vec<FilterHistory>, ClientError> {
        let path = filter.map_or_else(|| "/filters/history".to_owned(), |name| about("/filters/history", name));
        self.ask(Method::GET, &path, Bytes::new())
    }

    /// Does something with a filter.
    ///
    /// # Errors
    /// When there is no answer, or it cannot be done.
    pub fn filter_act(&self, action: FilterAction, filter: &str) -> Result<FilterActed, ClientError> {
        self.ask(Method::POST, &about(&format!("/filters/{}", action.name()), filter), Bytes::new())
    }

    /// What is in force.
    ///
    /// # Errors
    /// When there is no answer.
    pub fn config(&self) -> Result<ConfigStatus, ClientError> {
        self.ask(Method::GET, "/config", Bytes::new())
    }

    /// The endpoints of all services.
    ///
    /// # Errors
    /// When there is no answer.
    pub fn endpoints(&self) -> Result<Vec<EndpointStatus>, ClientError> {
        self.ask(Method::GET, "/endpoints", Bytes::new())
    }

    /// Requests that have ended since an earlier answer; the first one, without its number, only says where to go on.
    ///
    /// # Errors
    /// When there is no answer.
    pub fn tap(&self, after: Option<u64>) -> Result<Tapped, ClientError> {
        let path = after.map_or_else(|| "/tap".to_owned(), |after| format!("/tap?after={after}"));
        self.ask(Method::GET, &path, Bytes::new())
    }

    /// What would become of a request.
    ///
    /// # Errors
    /// When there is no answer, or the request is refused.
    pub fn explain(&self, request: &ExplainRequest) -> Result<ExplainAnswer, ClientError> {
        let body = serde_json::to_vec(request).map_err(|error| self.invalid(&error))?;
        self.ask(Method::POST, "/explain", body.into())
    }

    fn ask<T: DeserializeOwned>(&self, method: Method, path: &str, body: Bytes) -> Result<T, ClientError> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| self.unreachable(&error))?;
        let answer = runtime.block_on(self.exchange(method, path, body))?;
        serde_json::from_slice(&answer).map_err(|error| self.invalid(&error))
    }

    async fn exchange(&self, method: Method, path: &str, body: Bytes) -> Result<Bytes, ClientError> {
        let connected = tokio::time::timeout(CONNECT, self.connect()).await;
        let stream = match connected {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => return Err(self.unreachable(&error)),
            Err(_) => return Err(self.unreachable(&io::Error::from(io::ErrorKind::TimedOut))),
        };
        let request = Request::builder().method(method).uri(path).header(HOST, "localhost");
        let request = request.header(CONTENT_TYPE, "application/json").body(Full::new(body));
        let request = request.map_err(|error| self.invalid(&error))?;
        match tokio::time::timeout(ANSWER, self.send(stream, request)).await {
            Ok(answer) => answer,
            Err(_) => Err(self.invalid(&"no answer in time")),
        }
    }

    async fn connect(&self) -> io::Result<Box<dyn Stream>> {
        Ok(match &self.address {
            AdminAddress::Tcp(address) => Box::new(TcpStream::connect(address).await?),
            AdminAddress::Unix(path) => Box::new(UnixStream::connect(path).await?),
        })
    }

    async fn send(&self, stream: Box<dyn Stream>, request: Request<Full<Bytes>>) -> Result<Bytes, ClientError> {
        let (mut sender, connection) =
            http1::handshake(TokioIo::new(stream)).await.map_err(|error| self.invalid(&error))?;
        let exchange = async {
            let response = sender.send_request(request).await.map_err(|error| self.invalid(&error))?;
            let (head, body) = response.into_parts();
            let body = Limited::new(body, ANSWER_SIZE).collect().await.map_err(|error| self.invalid(&error))?;
            Ok((head.status, body.to_bytes()))
        };
        let mut exchange = std::pin::pin!(exchange);
        let (status, body) = tokio::select! {
            answer = &mut exchange => answer?,
            // The connection may end with the answer already read.
            _ = connection => exchange.await?,
        };
        if status.is_success() {
            return Ok(body);
        }
        let message = String::from_utf8_lossy(&body).into_owned();
        Err(ClientError::Refused { status: status.as_u16(), message })
    }

    fn unreachable(&self, error: &io::Error) -> ClientError {
        ClientError::Unreachable { address: self.address.clone(), reason: error.to_string() }
    }

    fn invalid(&self, error: &impl ToString) -> ClientError {
        ClientError::Invalid { address: self.address.clone(), reason: error.to_string() }
    }
}

/// The path with the filter's name as parameter.
fn about(path: &str, filter: &str) -> String {
    let filter = percent_encoding::utf8_percent_encode(filter, percent_encoding::NON_ALPHANUMERIC);
    format!("{path}?filter={filter}")
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}
