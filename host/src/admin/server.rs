//! The admin endpoint's listener, thread and connections.

use super::bind::Bound;
use super::routes::Routes;
use super::succession::Succession;
use super::view::AdminView;
use crate::config::AdminAddress;
use crate::listener::Inherited;
use crate::telemetry::Metrics;
use crate::telemetry::log::LogLevels;
use crate::unix_socket::SocketFile;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

/// Connections at a time: a scraper, a probe, an operator or two.
const CONNECTIONS: usize = 64;
/// For a request's head, and for the next one on a connection that is kept.
const HEAD_READ: Duration = Duration::from_secs(10);
/// The largest head, in bytes.
const HEAD_SIZE: usize = 16 << 10;
/// Header lines.
const HEADER_COUNT: usize = 64;
/// How long a connection is kept; then it ends after the answer that is under way.
const CONNECTION_LIFE: Duration = Duration::from_mins(2);
/// For that answer.
const LAST_ANSWER: Duration = Duration::from_secs(15);
/// For a question that is on its way when the endpoint ends.
const LAST_QUESTION: Duration = Duration::from_millis(300);
/// For answers that are under way then.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// Pause after an `accept` that failed for want of descriptors or memory.
const ACCEPT_BACKOFF: Duration = Duration::from_millis(100);

/// Why the admin endpoint cannot start.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    /// Its address cannot be had.
    #[error("the admin endpoint cannot listen on {address}: {reason}; choose another address with --admin")]
    Bind {
        /// The address.
        address: AdminAddress,
        /// What the system said.
        reason: io::Error,
    },
    /// Its thread or runtime cannot be made.
    #[error("the admin endpoint cannot start: {0}")]
    Start(io::Error),
}

/// The endpoint's socket, before there is anything to be asked.
#[derive(Debug)]
pub struct AdminSocket {
    bound: Bound,
    address: AdminAddress,
}

impl AdminSocket {
    /// Binds, unless the socket is inherited.
    ///
    /// # Errors
    /// When the address cannot be had.
    pub fn bind(address: &AdminAddress, inherited: &Inherited) -> Result<Self, AdminError> {
        let bound = Bound::new(address, inherited);
        let (bound, address) = bound.map_err(|reason| AdminError::Bind { address: address.clone(), reason })?;
        Ok(Self { bound, address })
    }
}

/// A running admin endpoint. Dropping it ends it.
#[derive(Debug)]
pub struct AdminServer {
    address: AdminAddress,
    succession: Succession,
    thread: Option<JoinHandle<()>>,
}

impl AdminServer {
    /// Starts to answer. `allow_remote` says that names other than `localhost` may be asked for.
    ///
    /// # Errors
    /// When the thread cannot be started.
    pub fn start(
        AdminSocket { bound, address }: AdminSocket,
        allow_remote: bool,
        view: Arc<dyn AdminView>,
        metrics: Metrics,
        levels: LogLevels,
    ) -> Result<Self, AdminError> {
        let routes = Arc::new(Routes { view, metrics, levels, allow_remote });
        let socket = Arc::new(bound.descriptor().map_err(AdminError::Start)?);
        let succession = Succession { stop: CancellationToken::new(), socket, ownership: bound.ownership() };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(AdminError::Start)?;
        let stopped = succession.stop.clone();
        let run = move || {
            runtime.block_on(serve(bound, routes, stopped));
            // What is still being explained ends by its own deadlines.
            runtime.shutdown_background();
        };
        let thread = std::thread::Builder::new().name("admin".into()).spawn(run).map_err(AdminError::Start)?;
        Ok(Self { address, succession, thread: Some(thread) })
    }

    /// Where it listens; port 0 has become a real one.
    pub fn address(&self) -> &AdminAddress {
        &self.address
    }

    /// What another process takes over.
    pub fn succession(&self) -> Succession {
        self.succession.clone()
    }
}

impl Drop for AdminServer {
    fn drop(&mut self) {
        self.succession.stop.cancel();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// A listener of either kind.
enum Listener {
    Tcp(tokio::net::TcpListener),
    Unix(tokio::net::UnixListener, #[expect(dead_code, reason = "removes the file when dropped")] SocketFile),
}

impl Listener {
    fn new(bound: Bound) -> io::Result<Self> {
        Ok(match bound {
            Bound::Tcp(listener) => Self::Tcp(tokio::net::TcpListener::from_std(listener)?),
            Bound::Unix(listener, file) => Self::Unix(tokio::net::UnixListener::from_std(listener)?, file),
        })
    }

    async fn accept(&self) -> io::Result<Box<dyn Stream>> {
        Ok(match self {
            Self::Tcp(listener) => Box::new(listener.accept().await?.0),
            Self::Unix(listener, _) => Box::new(listener.accept().await?.0),
        })
    }
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

async fn serve(bound: Bound, routes: Arc<Routes>, stop: CancellationToken) {
    let listener = match Listener::new(bound) {
        Ok(listener) => listener,
        Err(error) => return tracing::error!(%error, "the admin endpoint ends"),
    };
    let free = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let accepted = async {
            let place = Arc::clone(&free).acquire_owned().await;
            (place, listener.accept().await)
        };
        let (place, accepted) = tokio::select! {
            () = stop.cancelled() => break,
            accepted = accepted => accepted,
        };
        match accepted {
            Ok(stream) => {
                let (routes, stop) = (Arc::clone(&routes), stop.clone());
                tokio::spawn(async move {
                    connection(stream, routes, &stop).await;
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "the admin endpoint cannot accept a connection");
                tokio::time::sleep(ACCEPT_BACKOFF).await;
            }
        }
    }
    drop(listener);
    let all = u32::try_from(CONNECTIONS).unwrap_or(u32::MAX);
    // What is not said by then is not said.
    let _ = tokio::time::timeout(LAST_WORDS, free.acquire_many(all)).await;
}

/// Serves a connection for its bounded life.
async fn connection(stream: Box<dyn Stream>, routes: Arc<Routes>, stop: &CancellationToken) {
    let service = service_fn(move |request| {
        let routes = Arc::clone(&routes);
        async move { Ok::<_, Infallible>(routes.answer(request).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_READ)
        .max_buf_size(HEAD_SIZE)
        .max_headers(HEADER_COUNT)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection);
    tokio::select! {
        biased;
        _ = connection.as_mut() => return,
        () = async {
            stop.cancelled().await;
            tokio::time::sleep(LAST_QUESTION).await;
        } => {}
        () = tokio::time::sleep(CONNECTION_LIFE) => {}
    }
    connection.as_mut().graceful_shutdown();
    let _ = tokio::time::timeout(LAST_ANSWER, connection).await;
}

#[cfg(test)]
mod tests;
