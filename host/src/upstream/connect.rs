//! Makes connections to upstreams.

use super::policy::Keepalive;
use super::slots::Slot;
use crate::body::ProxyBody;
use crate::config::limits;
use crate::socket::Socket;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use socket2::{SockRef, TcpKeepalive};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// What a connection is made with.
#[derive(Debug, Default)]
pub(super) struct Setup {
    /// Probes by the system.
    pub(super) keepalive: Option<Keepalive>,
    /// The right to it; it ends with the connection.
    pub(super) slot: Option<Slot>,
}

/// Why there is no connection.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum ConnectError {
    /// The endpoint was silent.
    #[error("no answer within {0:?}")]
    TimedOut(Duration),
    /// The system says why.
    #[error("{0}")]
    System(Arc<str>),
    /// Whoever was to make it for all that wait has ended.
    #[error("the connection was given up")]
    GivenUp,
}

impl ConnectError {
    fn of(error: &impl ToString) -> Self {
        Self::System(error.to_string().into())
    }
}

/// A new HTTP/1.1 connection, within `limit`.
///
/// A task of its own drives the connection; it ends with the connection or, between two exchanges, with the sender.
pub(super) async fn connect(
    address: SocketAddr,
    limit: Duration,
    setup: Setup,
) -> Result<http1::SendRequest<ProxyBody>, ConnectError> {
    let stream = open(address, limit, &setup).await?;
    let mut builder = http1::Builder::new();
    builder.max_buf_size(limits::UPSTREAM_BUFFER);
    let (sender, connection) =
        builder.handshake(TokioIo::new(stream)).await.map_err(|error| ConnectError::of(&error))?;
    tokio::spawn(async move {
        let _slot = setup.slot;
        if let Err(error) = connection.with_upgrades().await {
            tracing::debug!(%address, %error, "a connection to an upstream ended with an error");
        }
    });
    Ok(sender)
}

/// A new HTTP/2 connection, within `limit`, and what drives it: nothing happens on it unless that is polled.
pub(super) async fn connect_http2(
    address: SocketAddr,
    limit: Duration,
    setup: Setup,
) -> Result<(http2::SendRequest<ProxyBody>, impl Future<Output = hyper::Result<()>> + Send), ConnectError> {
    let stream = open(address, limit, &setup).await?;
    http2_builder().handshake(TokioIo::new(stream)).await.map_err(|error| ConnectError::of(&error))
}

async fn open(address: SocketAddr, limit: Duration, setup: &Setup) -> Result<Socket, ConnectError> {
    let stream = match timeout(limit, TcpStream::connect(address)).await {
        Err(_) => return Err(ConnectError::TimedOut(limit)),
        Ok(Err(error)) => return Err(ConnectError::of(&error)),
        Ok(Ok(stream)) => stream,
    };
    // A head and a body are two writes, and the second must not wait for the first's acknowledgement.
    stream.set_nodelay(true).map_err(|error| ConnectError::of(&error))?;
    if let Some(keepalive) = setup.keepalive {
        SockRef::from(&stream).set_tcp_keepalive(&probes(keepalive)).map_err(|error| ConnectError::of(&error))?;
    }
    Ok(Socket(stream))
}

fn http2_builder() -> http2::Builder<TokioExecutor> {
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .initial_stream_window_size(limits::UPSTREAM_H2_STREAM_WINDOW)
        .initial_connection_window_size(limits::UPSTREAM_H2_CONNECTION_WINDOW)
        .max_header_list_size(limits::UPSTREAM_H2_HEADER_LIST_SIZE)
        .max_concurrent_reset_streams(limits::UPSTREAM_H2_RESET_STREAMS)
        .keep_alive_interval(limits::H2_PING_INTERVAL)
        .keep_alive_timeout(limits::H2_PING_TIMEOUT);
    builder
}

fn probes(keepalive: Keepalive) -> TcpKeepalive {
    let probes = keepalive.time.map_or_else(TcpKeepalive::new, |time| TcpKeepalive::new().with_time(time));
    let probes = keepalive.interval.map_or(probes.clone(), |interval| probes.with_interval(interval));
    keepalive.probes.map_or(probes.clone(), |count| probes.with_retries(count))
}
