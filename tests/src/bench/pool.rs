//! Connections to origins, kept for the next request of this thread.

use anyhow::Result;
use bytes::Bytes;
use http::{Request, Response};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use std::cell::RefCell;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::net::TcpStream;

/// What these programs send: the body of whoever asked, or none.
pub type RequestBody = http_body_util::Either<Incoming, http_body_util::Empty<Bytes>>;

type Sender = SendRequest<RequestBody>;

thread_local! {
    /// Idle connections; the last one used is the first one reused. A handful of origins is found quicker than hashed.
    static IDLE: RefCell<Vec<(SocketAddr, Vec<Sender>)>> = const { RefCell::new(Vec::new()) };
}

/// Sends on an idle connection, and on the next one if the origin has closed it meanwhile.
///
/// # Errors
///
/// When no connection can be made, or one broke after the request went out.
pub async fn send(origin: SocketAddr, mut request: Request<RequestBody>) -> Result<Response<Pooled>> {
    loop {
        let mut sender = match idle(origin) {
            Some(idle) if idle.is_closed() => continue,
            Some(idle) => idle,
            None => connect(origin).await?,
        };
        if !sender.is_ready() && sender.ready().await.is_err() {
            continue;
        }
        match sender.try_send_request(request).await {
            Ok(response) => return Ok(response.map(|inner| Pooled { inner, origin, sender: Some(sender) })),
            Err(mut error) => match error.take_message() {
                Some(unsent) => request = unsent,
                None => return Err(error.into_error().into()),
            },
        }
    }
}

fn idle(origin: SocketAddr) -> Option<Sender> {
    IDLE.with_borrow_mut(|idle| idle.iter_mut().find(|(address, _)| *address == origin)?.1.pop())
}

fn keep(origin: SocketAddr, sender: Sender) {
    IDLE.with_borrow_mut(|idle| match idle.iter_mut().find(|(address, _)| *address == origin) {
        Some((_, senders)) => senders.push(sender),
        None => idle.push((origin, vec![sender])),
    });
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
pub struct Pooled {
    inner: Incoming,
    origin: SocketAddr,
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
            keep(self.origin, sender);
        }
    }
}
