//! Makes connections to upstreams.

use super::policy::Keepalive;
use super::slots::Slot;
use crate::body::ProxyBody;
use crate::config::limits;
use crate::socket::Socket;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use socket2::{SockRef, TcpKeepalive};
use std::net::SocketAddr;
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

/// A new connection, within `limit`. The error is for people to read.
///
/// A task of its own drives the connection; it ends with the connection or, between two exchanges, with the sender.
pub(super) async fn connect(
    address: SocketAddr,
    limit: Duration,
    setup: Setup,
) -> Result<SendRequest<ProxyBody>, String> {
    let stream = match timeout(limit, TcpStream::connect(address)).await {
        Err(_) => return Err(format!("no answer within {limit:?}")),
        Ok(Err(error)) => return Err(error.to_string()),
        Ok(Ok(stream)) => stream,
    };
    // A head and a body are two writes, and the second must not wait for the first's acknowledgement.
    stream.set_nodelay(true).map_err(|error| error.to_string())?;
    if let Some(keepalive) = setup.keepalive {
        SockRef::from(&stream).set_tcp_keepalive(&probes(keepalive)).map_err(|error| error.to_string())?;
    }
    let mut builder = http1::Builder::new();
    builder.max_buf_size(limits::UPSTREAM_BUFFER);
    let (sender, connection) =
        builder.handshake(TokioIo::new(Socket(stream))).await.map_err(|error| error.to_string())?;
    tokio::spawn(async move {
        let _slot = setup.slot;
        if let Err(error) = connection.with_upgrades().await {
            tracing::debug!(%address, %error, "a connection to an upstream ended with an error");
        }
    });
    Ok(sender)
}

fn probes(keepalive: Keepalive) -> TcpKeepalive {
    let probes = keepalive.time.map_or_else(TcpKeepalive::new, |time| TcpKeepalive::new().with_time(time));
    let probes = keepalive.interval.map_or(probes.clone(), |interval| probes.with_interval(interval));
    keepalive.probes.map_or(probes.clone(), |count| probes.with_retries(count))
}
