//! Makes connections to upstreams.

use crate::body::ProxyBody;
use crate::config::limits;
use crate::socket::Socket;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// A new connection, within `limit` or [`limits::UPSTREAM_CONNECT`]. The error is for people to read.
///
/// A task of its own drives the connection; it ends with the connection or, between two exchanges, with the sender.
pub(super) async fn connect(address: SocketAddr, limit: Duration) -> Result<SendRequest<ProxyBody>, String> {
    let limit = limit.min(limits::UPSTREAM_CONNECT);
    let stream = match timeout(limit, TcpStream::connect(address)).await {
        Err(_) => return Err(format!("no answer within {limit:?}")),
        Ok(Err(error)) => return Err(error.to_string()),
        Ok(Ok(stream)) => stream,
    };
    // A head and a body are two writes, and the second must not wait for the first's acknowledgement.
    stream.set_nodelay(true).map_err(|error| error.to_string())?;
    let mut builder = http1::Builder::new();
    builder.max_buf_size(limits::UPSTREAM_BUFFER);
    let (sender, connection) =
        builder.handshake(TokioIo::new(Socket(stream))).await.map_err(|error| error.to_string())?;
    tokio::spawn(async move {
        if let Err(error) = connection.with_upgrades().await {
            tracing::debug!(%address, %error, "a connection to an upstream ended with an error");
        }
    });
    Ok(sender)
}
