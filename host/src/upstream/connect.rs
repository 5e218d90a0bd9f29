//! Makes connections to upstreams.

use super::admitted::Admitted;
use super::alternatives::Alternatives;
use super::patient::Patient;
use super::policy::Keepalive;
use super::race::race;
use super::slots::Slot;
use super::wire::Tls;
use crate::body::ProxyBody;
use crate::config::limits;
use crate::socket::Socket;
use futures_util::task::AtomicWaker;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustix::io::Errno;
use socket2::{SockRef, TcpKeepalive};
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Context;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// What a connection is made with.
#[derive(Debug, Default)]
pub(super) struct Setup {
    /// Where else its endpoint may be reached.
    pub(super) alternatives: Option<Arc<Alternatives>>,
    /// Probes by the system.
    pub(super) keepalive: Option<Keepalive>,
    /// TLS, if it is to be spoken.
    pub(super) tls: Option<Arc<Tls>>,
    /// The right to it; it ends with the connection.
    pub(super) slot: Option<Slot>,
    /// How many streams it may carry in HTTP/2, where a policy says so.
    pub(super) streams: Option<u32>,
}

/// Why there is no connection.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum ConnectError {
    /// The endpoint was silent.
    #[error("no answer within {0:?}")]
    TimedOut(Duration),
    /// TLS was not agreed on; for people to read.
    #[error("{0}")]
    Handshake(Arc<str>),
    /// The system says why.
    #[error("{0}")]
    System(Arc<str>),
    /// The proxy itself has no descriptor or memory left for it, which says nothing of the endpoint.
    #[error("{0}")]
    Exhausted(Arc<str>),
    /// Whoever was to make it for all that wait has ended.
    #[error("the connection was given up")]
    GivenUp,
}

impl ConnectError {
    fn of(error: &impl ToString) -> Self {
        Self::System(error.to_string().into())
    }

    fn of_system(error: &io::Error) -> Self {
        if is_exhausted(error) { Self::Exhausted(error.to_string().into()) } else { Self::of(error) }
    }
}

/// Whether the system lacks what a connection is made of, on this side of it.
pub(super) fn is_exhausted(error: &io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM))
}

/// A new HTTP/1.1 connection, within `limit`, and the address that it leads to.
///
/// A task of its own drives the connection; it ends with the connection or, between two exchanges, with the sender.
pub(super) async fn connect(
    address: SocketAddr,
    limit: Duration,
    setup: Setup,
) -> Result<(http1::SendRequest<ProxyBody>, SocketAddr), ConnectError> {
    let (sender, address) = match &setup.tls {
        None => {
            let (stream, address) = open(address, limit, &setup).await?;
            (http1_on(stream, address, setup.slot).await?, address)
        }
        Some(tls) => {
            let (stream, address) = Box::pin(secure(address, limit, &setup, tls)).await?;
            (http1_on(stream, address, setup.slot).await?, address)
        }
    };
    Ok((sender, address))
}

async fn http1_on<S>(
    stream: S,
    address: SocketAddr,
    slot: Option<Slot>,
) -> Result<http1::SendRequest<ProxyBody>, ConnectError>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let mut builder = http1::Builder::new();
    builder.max_buf_size(limits::UPSTREAM_BUFFER);
    let made = builder.handshake(TokioIo::new(Admitted::new(stream, slot))).await;
    let (sender, connection) = made.map_err(|error| ConnectError::of(&error))?;
    tokio::spawn(async move {
        if let Err(error) = connection.with_upgrades().await {
            tracing::debug!(%address, %error, "a connection to an upstream ended with an error");
        }
    });
    Ok(sender)
}

/// What drives an HTTP/2 connection: nothing happens on it unless this is polled.
pub(super) type Driver = Pin<Box<dyn Future<Output = hyper::Result<()>> + Send>>;

/// A new HTTP/2 connection.
pub(super) struct Multiplexed {
    /// Sends requests.
    pub(super) sender: http2::SendRequest<ProxyBody>,
    /// Runs it.
    pub(super) driver: Driver,
    /// Where it leads.
    pub(super) address: SocketAddr,
    /// Whether it takes extended CONNECT.
    pub(super) tunnels: Arc<Tunnels>,
}

/// Whether the server of a connection has said that it takes extended CONNECT (RFC 8441, section 3). Only what runs the
/// connection can see that, and looks when it is asked.
#[derive(Debug, Default)]
pub(super) struct Tunnels {
    asked: AtomicBool,
    taken: AtomicBool,
    driver: AtomicWaker,
}

impl Tunnels {
    /// Whether it is known that it does. If not, it is looked at once more, soon.
    pub(super) fn are_taken(&self) -> bool {
        let taken = self.taken.load(Ordering::Relaxed);
        if !taken {
            self.asked.store(true, Ordering::Release);
            self.driver.wake();
        }
        taken
    }

    fn look(&self, context: &Context<'_>, takes: impl FnOnce() -> bool) {
        self.driver.register(context.waker());
        if self.asked.swap(false, Ordering::Acquire) {
            self.taken.store(takes(), Ordering::Relaxed);
        }
    }
}

/// A new HTTP/2 connection, within `limit`.
pub(super) async fn connect_http2(
    address: SocketAddr,
    limit: Duration,
    setup: Setup,
) -> Result<Multiplexed, ConnectError> {
    let Some(tls) = &setup.tls else {
        let (stream, address) = open(address, limit, &setup).await?;
        return http2_on(stream, address, setup.streams).await;
    };
    let (stream, address) = secure(address, limit, &setup, tls).await?;
    if stream.get_ref().1.alpn_protocol() != Some(b"h2") {
        return Err(ConnectError::Handshake("the server does not speak HTTP/2".into()));
    }
    http2_on(stream, address, setup.streams).await
}

async fn http2_on<S>(stream: S, address: SocketAddr, streams: Option<u32>) -> Result<Multiplexed, ConnectError>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let made = http2_builder(streams).handshake(TokioIo::new(stream)).await;
    let (sender, mut connection) = made.map_err(|error| ConnectError::of(&error))?;
    let tunnels = Arc::new(Tunnels::default());
    let told = Arc::clone(&tunnels);
    let driver = Box::pin(poll_fn(move |context| {
        told.look(context, || connection.is_extended_connect_protocol_enabled());
        Pin::new(&mut connection).poll(context)
    }));
    Ok(Multiplexed { sender, driver, address, tunnels })
}

async fn open(
    address: SocketAddr,
    limit: Duration,
    setup: &Setup,
) -> Result<(Patient<Socket>, SocketAddr), ConnectError> {
    let (address, stream) = match timeout(limit, reach(address, setup.alternatives.as_deref())).await {
        Err(_) => return Err(ConnectError::TimedOut(limit)),
        Ok(Err(error)) => return Err(ConnectError::of_system(&error)),
        Ok(Ok(reached)) => reached,
    };
    // A head and a body are two writes, and the second must not wait for the first's acknowledgement.
    stream.set_nodelay(true).map_err(|error| ConnectError::of(&error))?;
    if let Some(keepalive) = setup.keepalive {
        SockRef::from(&stream).set_tcp_keepalive(&probes(keepalive)).map_err(|error| ConnectError::of(&error))?;
    }
    Ok((Patient::new(Socket(stream)), address))
}

/// A connection to an endpoint, at whichever of its addresses it can be reached. The limit is the caller's.
pub(super) async fn reach(own: SocketAddr, alternatives: Option<&Alternatives>) -> io::Result<(SocketAddr, TcpStream)> {
    let Some(alternatives) = alternatives else { return race(&[own]).await };
    let reached = race(&alternatives.all(own)).await?;
    alternatives.reached(reached.0);
    Ok(reached)
}

/// The same with TLS; the limit is for both.
async fn secure(
    address: SocketAddr,
    limit: Duration,
    setup: &Setup,
    tls: &Tls,
) -> Result<(TlsStream<Patient<Socket>>, SocketAddr), ConnectError> {
    let deadline = Instant::now() + limit;
    let unnamed = || ConnectError::Handshake("the service's name is none that TLS can ask for; give `sni`".into());
    let name = tls.server_name.clone().ok_or_else(unnamed)?;
    let (stream, address) = open(address, limit, setup).await?;
    match timeout_at(deadline, TlsConnector::from(Arc::clone(&tls.config)).connect(name, stream)).await {
        Err(_) => Err(ConnectError::TimedOut(limit)),
        Ok(Err(error)) => Err(ConnectError::Handshake(error.to_string().into())),
        Ok(Ok(stream)) => Ok((stream, address)),
    }
}

/// `streams` is how many there may be, where a policy says so.
fn http2_builder(streams: Option<u32>) -> http2::Builder<TokioExecutor> {
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .initial_stream_window_size(limits::UPSTREAM_H2_STREAM_WINDOW)
        .initial_connection_window_size(connection_window(streams))
        .max_header_list_size(limits::UPSTREAM_H2_HEADER_LIST_SIZE)
        .max_concurrent_reset_streams(limits::UPSTREAM_H2_RESET_STREAMS)
        .keep_alive_interval(limits::H2_PING_INTERVAL)
        .keep_alive_timeout(limits::H2_PING_TIMEOUT);
    builder
}

/// The window of a connection holds those of all its streams, also where there may be more than usual.
fn connection_window(streams: Option<u32>) -> u32 {
    let of_all = streams.map_or(0, |streams| streams.saturating_mul(limits::UPSTREAM_H2_STREAM_WINDOW));
    of_all.clamp(limits::UPSTREAM_H2_CONNECTION_WINDOW, limits::H2_LARGEST_WINDOW)
}

fn probes(keepalive: Keepalive) -> TcpKeepalive {
    let probes = keepalive.time.map_or_else(TcpKeepalive::new, |time| TcpKeepalive::new().with_time(time));
    let probes = keepalive.interval.map_or(probes.clone(), |interval| probes.with_interval(interval));
    keepalive.probes.map_or(probes.clone(), |count| probes.with_retries(count))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_of_a_connection_holds_those_of_all_its_streams() {
        let of_a_stream = limits::UPSTREAM_H2_STREAM_WINDOW;
        assert_eq!(connection_window(None), limits::UPSTREAM_H2_STREAMS * of_a_stream);
        assert_eq!(connection_window(Some(1)), connection_window(None));
        assert_eq!(connection_window(Some(1000)), 1000 * of_a_stream);
        assert_eq!(connection_window(Some(u32::MAX)), 0x7fff_ffff);
    }

    #[test]
    fn what_the_proxy_itself_lacks_is_told_from_what_the_endpoint_does() {
        for lacking in [Errno::MFILE, Errno::NFILE, Errno::NOBUFS, Errno::NOMEM] {
            assert!(matches!(ConnectError::of_system(&lacking.into()), ConnectError::Exhausted(_)), "{lacking}");
        }
        for refused in [Errno::CONNREFUSED, Errno::HOSTUNREACH, Errno::TIMEDOUT] {
            assert!(matches!(ConnectError::of_system(&refused.into()), ConnectError::System(_)), "{refused}");
        }
        assert!(!is_exhausted(&io::Error::other("no number")));
    }
}
