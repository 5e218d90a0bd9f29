//! From a request's head and body to the bytes that an upstream gets, by the proxy's own code and its HTTP client.

use crate::reference::{self, End, Framing, Read};
use bytes::Bytes;
use http::request::Parts;
use http::{HeaderValue, Request};
use http_body::{Body, Frame};
use hyper::rt::ReadBufCursor;
use sluicegate::body::{BodyError, ProxyBody};
use sluicegate::connection::ConnectionInfo;
use sluicegate::request::RequestHead;
use sluicegate::{fuzzing, sanitize};
use std::cell::RefCell;
use std::io;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

/// Headers that mean something on one connection alone, and so never go on.
const HOP_BY_HOP: [&str; 6] =
    ["connection", "keep-alive", "proxy-connection", "upgrade", "proxy-authorization", "expect"];

/// Sends a head whose filters are done with it. Panics unless the server behind reads exactly this one request.
pub(crate) fn send(head: &RequestHead, host: &HeaderValue, connection: &ConnectionInfo, body: Sent) -> Option<Read> {
    let mut headers = head.headers.clone();
    sanitize::outgoing(head, host, connection, &mut headers);
    let parts = sanitize::upstream_parts(head, host, headers);
    let expected = (parts.method.to_string(), parts.uri.to_string(), body.bytes().to_vec(), body.is_chunked());
    let request = frame(parts, body)?;
    let written = write(request);
    let shown = written.escape_ascii();
    let (mut read, end) = reference::read_all(&written).unwrap_or_else(|error| panic!("{error}: {shown}"));
    assert_eq!((read.len(), end), (1, End::Between), "not one request: {shown}");
    let read = read.remove(0);
    let (method, target, body, chunked) = expected;
    assert_eq!((&read.method, &read.target, &read.body), (&method, &target, &body), "{shown}");
    assert_eq!(read.framing == Framing::Chunked, chunked, "{shown}");
    assert_eq!(read.values("host").count(), 1, "{shown}");
    assert!(read.is_http_11, "{shown}");
    for name in HOP_BY_HOP {
        assert_eq!(read.values(name).count(), 0, "{name}: {shown}");
    }
    assert!(read.values("te").all(|value| value == b"trailers"), "{shown}");
    assert!(read.values("x-forwarded-for").last().is_some_and(|value| value.ends_with(b"127.0.0.1")), "{shown}");
    Some(read)
}

/// None when it asks for another protocol and has a body, which is refused.
fn frame(parts: Parts, body: Sent) -> Option<Request<ProxyBody>> {
    let upgrade = parts.headers.contains_key("upgrade");
    let framed = fuzzing::frame(parts, body.into());
    assert!(framed.is_ok() || upgrade, "{framed:?}");
    framed.ok()
}

/// A body that is known, or one that comes as it comes.
#[derive(Debug, Clone)]
pub(crate) enum Sent {
    Known(Bytes),
    Streamed(Bytes),
}

impl Sent {
    fn bytes(&self) -> &Bytes {
        match self {
            Self::Known(bytes) | Self::Streamed(bytes) => bytes,
        }
    }

    fn is_chunked(&self) -> bool {
        matches!(self, Self::Streamed(_))
    }
}

impl From<Sent> for ProxyBody {
    fn from(sent: Sent) -> Self {
        match sent {
            Sent::Known(bytes) => Self::full(bytes),
            Sent::Streamed(bytes) => Self::stream(Streamed(Some(bytes).filter(|bytes| !bytes.is_empty()))),
        }
    }
}

struct Streamed(Option<Bytes>);

impl Body for Streamed {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        Poll::Ready(self.0.take().map(|bytes| Ok(Frame::data(bytes))))
    }
}

/// The bytes that the HTTP client makes of a request.
fn write(request: Request<ProxyBody>) -> Vec<u8> {
    let wire = Wire::default();
    let mut context = Context::from_waker(Waker::noop());
    let handshake = pin!(hyper::client::conn::http1::handshake(wire.clone()));
    let Poll::Ready(Ok((mut sender, connection))) = handshake.poll(&mut context) else { panic!("no handshake") };
    let (mut connection, mut response) = (pin!(connection), pin!(sender.send_request(request)));
    // The head and the body's only piece, then the end of it.
    for _ in 0..4 {
        let answered = response.as_mut().poll(&mut context);
        assert!(answered.is_pending(), "it is refused: {answered:?}");
        let ended = connection.as_mut().poll(&mut context);
        assert!(ended.is_pending(), "the connection has ended: {ended:?}");
    }
    wire.0.take()
}

/// Takes everything and gives nothing.
#[derive(Debug, Clone, Default)]
struct Wire(Rc<RefCell<Vec<u8>>>);

impl hyper::rt::Read for Wire {
    fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, _: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        Poll::Pending
    }
}

impl hyper::rt::Write for Wire {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.0.borrow_mut().extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
