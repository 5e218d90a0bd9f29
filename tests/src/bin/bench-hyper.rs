//! The least that a proxy on hyper can cost, for `cargo xtask bench`: one thread, a pool of connections, no policy.
//!
//! It passes requests on as they come, without the checks, limits and deadlines of a proxy one would run.
//!
//! Usage: `bench-hyper LISTEN ORIGIN`

use anyhow::{Context as _, Result};
use bytes::Bytes;
use http::header::CONNECTION;
use http::{Request, Response, StatusCode};
use http_body_util::{Either, Empty};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use std::cell::RefCell;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::net::{TcpListener, TcpStream};

/// The allocator of the proxy it is compared with.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

type Sender = SendRequest<Incoming>;

thread_local! {
    /// Idle connections to the origin; the last one used is the first one reused.
    static IDLE: RefCell<Vec<Sender>> = const { RefCell::new(Vec::new()) };
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let mut address = || -> Result<SocketAddr> {
        arguments.next().context("usage: bench-hyper LISTEN ORIGIN")?.parse().context("an address is like 127.0.0.1:80")
    };
    let (listen, origin) = (address()?, address()?);
    let listener = TcpListener::bind(listen).await.with_context(|| format!("{listen} cannot be listened on"))?;
    loop {
        let (stream, _) = listener.accept().await.context("no connection can be accepted")?;
        stream.set_nodelay(true).context("a connection is broken")?;
        tokio::spawn(async move {
            let pass = service_fn(move |request| pass(origin, request));
            // A connection that breaks ends with its load generator; nobody is left to be told.
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), pass).await;
        });
    }
}

async fn pass(
    origin: SocketAddr,
    mut request: Request<Incoming>,
) -> Result<Response<Either<Pooled, Empty<Bytes>>>, Infallible> {
    request.headers_mut().remove(CONNECTION);
    Ok(send(origin, request).await.map_or_else(
        |_| {
            let mut failure = Response::new(Either::Right(Empty::new()));
            *failure.status_mut() = StatusCode::BAD_GATEWAY;
            failure
        },
        |response| response.map(Either::Left),
    ))
}

/// Sends on an idle connection, and on the next one if the origin has closed it meanwhile.
async fn send(origin: SocketAddr, mut request: Request<Incoming>) -> Result<Response<Pooled>> {
    loop {
        let mut sender = match IDLE.with_borrow_mut(Vec::pop) {
            Some(idle) if idle.is_closed() => continue,
            Some(idle) => idle,
            None => connect(origin).await?,
        };
        if !sender.is_ready() && sender.ready().await.is_err() {
            continue;
        }
        match sender.try_send_request(request).await {
            Ok(response) => return Ok(response.map(|inner| Pooled { inner, sender: Some(sender) })),
            Err(mut error) => match error.take_message() {
                Some(unsent) => request = unsent,
                None => return Err(error.into_error().into()),
            },
        }
    }
}

async fn connect(origin: SocketAddr) -> Result<Sender> {
    let stream = TcpStream::connect(origin).await?;
    stream.set_nodelay(true)?;
    let (sender, connection) = handshake(TokioIo::new(stream)).await?;
    tokio::spawn(async move {
        // The sender notices by itself when the connection ends.
        let _ = connection.await;
    });
    Ok(sender)
}

/// A response body that gives its connection back when it is done with.
struct Pooled {
    inner: Incoming,
    sender: Option<Sender>,
}

impl Body for Pooled {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<hyper::Result<Frame<Bytes>>>> {
        Pin::new(&mut self.inner).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

impl Drop for Pooled {
    fn drop(&mut self) {
        if let Some(sender) = self.sender.take().filter(|sender| !sender.is_closed()) {
            IDLE.with_borrow_mut(|idle| idle.push(sender));
        }
    }
}
