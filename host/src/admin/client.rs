//! Asks a running proxy, for the commands that show what it does.

mod post;

pub use post::post;

use super::dead_letters::{self, DeadLetterStatus, DroppedStatus, ReplayedStatus};
use super::endpoints::EndpointStatus;
use super::event_tools::{PublishedStatus, ReadStatus, ReplayStatus, Stretch};
use super::events::ChannelFiguresStatus;
use super::overload::OverloadStatus;
use super::reload::ReloadStatus;
use super::rollout::{FilterActed, FilterAction, FilterHistory, FilterTraps};
use super::view::{ConfigStatus, ExplainAnswer, ExplainRequest, FilterStatus, Tapped};
use crate::config::{AdminAddress, limits};
use crate::event::Selection;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST};
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;
use serde_json::Value;
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

    /// Has the directories read anew, and waits for what comes of it.
    ///
    /// # Errors
    /// When there is no answer, or nothing is known of it yet.
    pub fn reload(&self) -> Result<ReloadStatus, ClientError> {
        self.ask_within(Method::POST, "/reload", Bytes::new(), limits::RELOAD_ANSWER + ANSWER)
    }

    /// What is in force.
    ///
    /// # Errors
    /// When there is no answer.
    pub fn config(&self) -> Result<ConfigStatus, ClientError> {
        self.ask(Method::GET, "/config", Bytes::new())
    }

    /// Limits of overload, how near they are, and what was refused.
    ///
    /// # Errors
    /// When there is no answer.
    pub fn overload(&self) -> Result<OverloadStatus, ClientError> {
        self.ask(Method::GET, "/overload", Bytes::new())
    }

    /// The endpoints of all services.
    ///
    /// # Errors
    /// When there is no answer.
    pub fn endpoints(&self) -> Result<Vec<EndpointStatus>, ClientError> {
        self.ask(Method::GET, "/endpoints", Bytes::new())
    }

    /// Dead letters; those that are named by their numbers come with their events.
    ///
    /// # Errors
    /// When there is no answer, or the question is refused.
    pub fn dead_letters(&self, selection: &Selection) -> Result<Vec<DeadLetterStatus>, ClientError> {
        self.ask(Method::GET, &dead_letters::path(selection, false), Bytes::new())
    }

    /// Puts dead letters back, each to its subscription alone. `all` says that no selection means every one.
    ///
    /// # Errors
    /// When there is no answer, or the question is refused.
    pub fn replay_dead_letters(&self, selection: &Selection, all: bool) -> Result<ReplayedStatus, ClientError> {
        self.ask(Method::POST, &dead_letters::path(selection, all), Bytes::new())
    }

    /// Drops dead letters. `all` says that no selection means every one.
    ///
    /// # Errors
    /// When there is no answer, or the question is refused.
    pub fn drop_dead_letters(&self, selection: &Selection, all: bool) -> Result<DroppedStatus, ClientError> {
        self.ask(Method::DELETE, &dead_letters::path(selection, all), Bytes::new())
    }

    /// All channels, and how far their subscriptions are.
    ///
    /// # Errors
    /// When there is no answer.
    pub fn channels(&self) -> Result<Vec<ChannelFiguresStatus>, ClientError> {
        self.ask(Method::GET, "/events", Bytes::new())
    }

    /// Publishes an event, in the JSON format of CloudEvents, to a channel (`NAMESPACE/NAME`).
    ///
    /// # Errors
    /// When there is no answer, or the event is refused.
    pub fn publish(&self, channel: &str, event: &Value) -> Result<PublishedStatus, ClientError> {
        let path = Stretch { channel: channel.to_owned(), ..Stretch::default() }.path("/events/publish");
        let body = serde_json::to_vec(event).map_err(|error| self.invalid(&error))?;
        self.ask(Method::POST, &path, body.into())
    }

    /// Events of a channel as they come; without a beginning it only says where to go on.
    ///
    /// # Errors
    /// When there is no answer, or the question is refused.
    pub fn read(&self, stretch: &Stretch) -> Result<ReadStatus, ClientError> {
        self.ask(Method::GET, &stretch.path("/events/read"), Bytes::new())
    }

    /// Publishes again what a channel has kept, as much as can be done in a moment.
    ///
    /// # Errors
    /// When there is no answer, or the question is refused.
    pub fn replay(&self, stretch: &Stretch) -> Result<ReplayStatus, ClientError> {
        self.ask(Method::POST, &stretch.path("/events/replay"), Bytes::new())
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
        self.ask_within(method, path, body, ANSWER)
    }

    fn ask_within<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
        limit: Duration,
    ) -> Result<T, ClientError> {
        let request = Request::builder().method(method).uri(path).header(HOST, "localhost");
        let request = request.header(CONTENT_TYPE, "application/json").body(Full::new(body));
        let request = request.map_err(|error| self.invalid(&error))?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| self.unreachable(&error))?;
        let (status, answer) = runtime.block_on(self.exchange(request, limit))?;
        if !status.is_success() {
            let message = String::from_utf8_lossy(&answer).into_owned();
            return Err(ClientError::Refused { status: status.as_u16(), message });
        }
        serde_json::from_slice(&answer).map_err(|error| self.invalid(&error))
    }

    async fn exchange(
        &self,
        request: Request<Full<Bytes>>,
        limit: Duration,
    ) -> Result<(StatusCode, Bytes), ClientError> {
        let connected = tokio::time::timeout(CONNECT, self.connect()).await;
        let stream = match connected {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => return Err(self.unreachable(&error)),
            Err(_) => return Err(self.unreachable(&io::Error::from(io::ErrorKind::TimedOut))),
        };
        match tokio::time::timeout(limit, self.send(stream, request)).await {
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

    async fn send(
        &self,
        stream: Box<dyn Stream>,
        request: Request<Full<Bytes>>,
    ) -> Result<(StatusCode, Bytes), ClientError> {
        let (mut sender, connection) =
            http1::handshake(TokioIo::new(stream)).await.map_err(|error| self.invalid(&error))?;
        let exchange = async {
            let response = sender.send_request(request).await.map_err(|error| self.invalid(&error))?;
            let (head, body) = response.into_parts();
            let body = Limited::new(body, ANSWER_SIZE).collect().await.map_err(|error| self.invalid(&error))?;
            Ok((head.status, body.to_bytes()))
        };
        let mut exchange = std::pin::pin!(exchange);
        tokio::select! {
            answer = &mut exchange => answer,
            // The connection may end with the answer already read.
            _ = connection => exchange.await,
        }
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
