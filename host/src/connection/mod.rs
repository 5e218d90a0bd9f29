//! One connection of a client, from its first byte to its last: protocol detection, strict HTTP/1 framing, HTTP/2
//! settings, deadlines, the end in good order.
//!
//! [`serve`] takes an accepted stream and hands each request to a [`Handler`]. It knows nothing of filters, routes or
//! upstreams, and it does not accept connections ([`crate::listener`] does).

mod body;
mod caught;
mod characters;
mod chunked;
pub(crate) mod flood;
pub mod gate;
mod handle;
mod head;
mod http1;
mod http2;
mod io;
mod opening;
pub(crate) mod target;
mod track;

pub use flood::Flood;
pub use gate::Violation;
pub use handle::GateHandle;
pub use io::GateIo;
pub use track::Held;

use crate::admission::Place;
use crate::body::ProxyBody;
use crate::chain::Passing;
use crate::config::limits;
use crate::drain::Drain;
use crate::error::RequestError;
use crate::overload::admit::ClientSlot;
use crate::request::Arrival;
use crate::telemetry::metrics::HandshakeResult;
use crate::tls::Session;
use crate::upstream::registry::Endpoint;
use http::uri::Scheme;
use http::{HeaderValue, Request, Response};
use hyper::body::Incoming;
use opening::Protocol;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};

/// Handles requests.
pub trait Handler: Send + Sync + 'static {
    /// Answers a request. Dropped when the client goes away.
    ///
    /// Status 101 hands the connection over when the request asked for it ([`GateHandle::wants_upgrade`]).
    fn handle(
        self: Arc<Self>,
        connection: Arc<ConnectionInfo>,
        request: Request<Incoming>,
    ) -> impl Future<Output = Response<ProxyBody>> + Send;

    /// Where a connection goes that is passed on undecrypted: endpoints in the order to try them. None by default.
    fn endpoints(&self, passing: &Passing<'_>) -> Vec<Endpoint> {
        let _ = passing;
        Vec::new()
    }

    /// A connection has been ended because of a flood of frames.
    fn flooded(&self, connection: &ConnectionInfo, flood: Flood) {
        let _ = (connection, flood);
    }

    /// A connection could not be accepted for want of descriptors or memory.
    fn starved(&self) {}

    /// Told how each handshake ended.
    fn handshaken(&self, result: HandshakeResult) {
        let _ = result;
    }

    /// Answers a request whose handling panicked; whatever it held has been dropped.
    fn broken(&self, connection: &ConnectionInfo) -> Response<ProxyBody> {
        self.refuse(connection, &RequestError::Fault)
    }

    /// Answers what cannot be handled as a request. The connection is closed afterwards.
    fn refuse(&self, connection: &ConnectionInfo, error: &RequestError) -> Response<ProxyBody>;
}

/// What the requests of a connection have in common.
#[derive(Debug)]
pub struct ConnectionInfo {
    /// The client's address.
    pub peer: SocketAddr,
    /// The address it came in on.
    pub local: SocketAddr,
    /// The listener it came in by.
    pub arrival: Arrival,
    /// `http`, or `https` when the connection is encrypted.
    pub scheme: Scheme,
    /// Which hosts may be asked for, when the connection is encrypted.
    pub tls: Option<Session>,
    /// The gate, on HTTP/1.
    pub gate: Option<GateHandle>,
    /// For what outlives a request, such as an upgraded connection: it should be tracked and end with the drain.
    pub drain: Drain,
    /// The deadlines in force.
    pub timeouts: Timeouts,
    /// The client's address as `x-forwarded-for` gives it.
    pub forwarded_for: HeaderValue,
    /// What is known of the client, where clients have limits.
    pub client: ClientSlot,
    /// Among the connections that there may be; for what goes on with the connection after its last request.
    pub place: Place,
}

/// A connection that has been accepted.
#[derive(Debug)]
pub struct Accepted<S> {
    /// Its bytes.
    pub stream: S,
    /// The client's address.
    pub peer: SocketAddr,
    /// The address it came in on.
    pub local: SocketAddr,
    /// The listener it came in by.
    pub arrival: Arrival,
    /// The handshake, when the stream is encrypted.
    pub tls: Option<Session>,
    /// Among the connections that there may be.
    pub place: Place,
}

/// How long to wait for a client, and for what. The defaults and their reasons are in [`limits`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// For a request's head, from its first byte; and for the first byte of a connection.
    pub head_read: Duration,
    /// For a TLS handshake.
    pub tls_handshake: Duration,
    /// Between two requests.
    pub keep_alive_idle: Duration,
    /// After so long without a request a connection gives back what it holds but for its socket.
    pub rest: Duration,
    /// For the next byte of a body.
    pub body_idle: Duration,
    /// For a whole body.
    pub body_total: Duration,
    /// For the client to take the next byte of a response.
    pub write_stalled: Duration,
    /// For the client to see a refusal.
    pub linger: Duration,
    /// For the next request of a connection, once the proxy ends: it is answered, and told that it is the last.
    pub last_request: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            head_read: limits::HEAD_READ,
            tls_handshake: limits::TLS_HANDSHAKE,
            keep_alive_idle: limits::KEEP_ALIVE_IDLE,
            rest: limits::REST,
            body_idle: limits::BODY_IDLE,
            body_total: limits::BODY_TOTAL,
            write_stalled: limits::WRITE_STALLED,
            linger: limits::LINGER,
            last_request: limits::LAST_REQUEST,
        }
    }
}

/// Serves a connection until it ends. Speaks HTTP/2 when the client begins with its preface (prior knowledge, RFC
/// 9113, section 3.3), else HTTP/1.
pub async fn serve<S, H>(accepted: Accepted<S>, handler: Arc<H>, timeouts: Timeouts, drain: Drain)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    H: Handler,
{
    let Accepted { mut stream, peer, local, arrival, tls, place } = accepted;
    let scheme = if tls.is_some() { Scheme::HTTPS } else { Scheme::HTTP };
    let Some((protocol, bytes)) = opening::read(&mut stream, &timeouts, &drain).await else {
        return;
    };
    let gate = (protocol == Protocol::Http1).then(GateHandle::default);
    let forwarded_for = HeaderValue::try_from(peer.ip().to_canonical().to_string());
    let forwarded_for = forwarded_for.unwrap_or(HeaderValue::from_static("unknown"));
    let client = ClientSlot::default();
    let gate_of = gate.clone();
    let info = ConnectionInfo {
        peer,
        local,
        arrival,
        scheme,
        tls,
        gate: gate_of,
        drain,
        timeouts,
        forwarded_for,
        client,
        place,
    };
    let info = Arc::new(info);
    let result = match gate {
        // On the heap, so that a connection that has sent nothing yet does not hold their size.
        Some(gate) => {
            Box::pin(http1::serve(GateIo::new(stream, bytes, gate.clone(), timeouts), gate, handler, &info)).await
        }
        None => Box::pin(http2::serve(GateIo::raw(stream, bytes, timeouts), handler, &info)).await,
    };
    if let Err(error) = result {
        tracing::debug!(peer = %info.peer, %error, "a connection ended with an error");
    }
}

#[cfg(test)]
mod tests;
