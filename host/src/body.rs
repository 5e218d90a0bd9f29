//! Bodies on their way through the proxy.

use crate::config::limits;
use crate::upstream::pool::Lease;
use bytes::{Bytes, BytesMut};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use tokio::time::{Instant, Sleep};

/// Why a body ended early.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// The connection failed or the framing is wrong.
    #[error(transparent)]
    Http(#[from] hyper::Error),
    /// It is over its limit.
    #[error("the body is over {limit} bytes")]
    TooLarge {
        /// The limit, in bytes.
        limit: u64,
    },
    /// The peer was silent for too long, or the whole took too long.
    #[error("the body did not arrive in time")]
    Timeout,
}

/// How a body ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BodyEnd {
    /// The bytes that went through.
    pub bytes: u64,
    /// Whether that was all of them.
    pub complete: bool,
}

/// A body of known bytes or one that streams.
pub enum ProxyBody {
    /// All of it is here.
    Full(Option<Bytes>),
    /// A client's, as it comes in.
    Request(RequestBody),
    /// An upstream's, as it comes in.
    Response(Box<ResponseBody>),
    /// Any other that streams.
    Stream(Pin<Box<dyn Body<Data = Bytes, Error = BodyError> + Send>>),
}

/// A client's body, limited, with the first frame perhaps read ahead.
pub struct RequestBody {
    incoming: Incoming,
    ahead: Option<Frame<Bytes>>,
    limit: Option<u64>,
    bytes: u64,
    /// Told when the body itself fails, since the error does not survive the way through the upstream's connection.
    failed: Arc<OnceLock<RequestBodyFailure>>,
}

/// Why a client's body failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequestBodyFailure {
    /// The client broke it off, or broke its framing.
    Broken,
    /// It is over its limit, in bytes.
    TooLarge(u64),
}

/// An upstream's body. Gives its connection back when it ends well.
pub struct ResponseBody {
    incoming: Incoming,
    lease: Option<Lease>,
    idle: Option<Pin<Box<Sleep>>>,
    bytes: u64,
    on_end: Option<Box<dyn FnOnce(BodyEnd) + Send>>,
}

impl ProxyBody {
    /// No bytes.
    pub fn empty() -> Self {
        Self::Full(None)
    }

    /// These bytes.
    pub fn full(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        Self::Full((!bytes.is_empty()).then_some(bytes))
    }

    /// A body that streams.
    pub fn stream(body: impl Body<Data = Bytes, Error = BodyError> + Send + 'static) -> Self {
        Self::Stream(Box::pin(body))
    }

    /// A client's body, limited to this many bytes.
    pub fn request(incoming: Incoming, limit: Option<u64>) -> Self {
        if incoming.is_end_stream() {
            return Self::empty();
        }
        Self::Request(RequestBody { incoming, ahead: None, limit, bytes: 0, failed: Arc::default() })
    }

    /// An upstream's body on its leased connection.
    pub(crate) fn response(incoming: Incoming, lease: Lease) -> Self {
        let body = ResponseBody { incoming, lease: Some(lease), idle: None, bytes: 0, on_end: None };
        if body.incoming.is_end_stream() {
            return Self::empty();
        }
        Self::Response(Box::new(body))
    }

    /// Calls `hook` once when the body has ended, well or not. Every body of known length ends here and now.
    pub fn on_end(&mut self, hook: impl FnOnce(BodyEnd) + Send + 'static) {
        match self {
            Self::Response(body) => body.on_end = Some(Box::new(hook)),
            _ => hook(BodyEnd { bytes: self.size_hint().exact().unwrap_or(0), complete: true }),
        }
    }

    /// A copy, when all of it is here.
    pub fn replayable(&self) -> Option<Self> {
        match self {
            Self::Full(bytes) => Some(Self::Full(bytes.clone())),
            _ => None,
        }
    }

    /// Waits for a client's first frame. A body that is complete with it becomes one of known bytes, and one that is
    /// broken from the start never reaches an upstream.
    pub async fn begin(self) -> Result<Self, BodyError> {
        let Self::Request(mut body) = self else { return Ok(self) };
        match body.frame().await {
            None => Ok(Self::empty()),
            Some(Err(error)) => Err(error),
            Some(Ok(frame)) if frame.is_data() && body.incoming.is_end_stream() => {
                Ok(frame.into_data().map_or_else(|_| Self::empty(), Self::full))
            }
            Some(Ok(frame)) => {
                body.ahead = Some(frame);
                Ok(Self::Request(body))
            }
        }
    }

    /// Where to ask, after the exchange failed, whether the client's body was to blame.
    pub fn failure(&self) -> Option<Arc<OnceLock<RequestBodyFailure>>> {
        match self {
            Self::Request(body) => Some(Arc::clone(&body.failed)),
            _ => None,
        }
    }

    /// All of it, if it is at most this large. One frame is not copied. Trailers are dropped.
    pub async fn collect_up_to(mut self, limit: u64) -> Result<Bytes, BodyError> {
        let mut first = Bytes::new();
        let mut rest: Option<BytesMut> = None;
        while let Some(frame) = self.frame().await {
            let Ok(data) = frame?.into_data() else { continue };
            let size = rest.as_ref().map_or(first.len(), BytesMut::len).saturating_add(data.len());
            if size as u64 > limit {
                return Err(BodyError::TooLarge { limit });
            }
            match &mut rest {
                Some(rest) => rest.extend_from_slice(&data),
                None if first.is_empty() => first = data,
                None => rest = Some(first.iter().chain(&data).copied().collect()),
            }
        }
        Ok(rest.map_or(first, BytesMut::freeze))
    }
}

impl std::fmt::Debug for ProxyBody {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Full(bytes) => formatter.debug_tuple("Full").field(&bytes.as_ref().map(Bytes::len)).finish(),
            Self::Request(_) => formatter.write_str("Request"),
            Self::Response(_) => formatter.write_str("Response"),
            Self::Stream(_) => formatter.write_str("Stream"),
        }
    }
}

impl Body for ProxyBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match &mut *self {
            Self::Full(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::Request(body) => Pin::new(body).poll_frame(context),
            Self::Response(body) => body.poll(context),
            Self::Stream(body) => body.as_mut().poll_frame(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Full(bytes) => bytes.is_none(),
            Self::Request(body) => body.is_end_stream(),
            // Asked before the end, it would keep the connection from going back to the pool.
            Self::Response(_) => false,
            Self::Stream(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Full(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64)),
            Self::Request(body) => body.size_hint(),
            Self::Response(body) => body.incoming.size_hint(),
            Self::Stream(body) => body.size_hint(),
        }
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if let Some(frame) = self.ahead.take() {
            return Poll::Ready(Some(Ok(frame)));
        }
        let frame = match std::task::ready!(Pin::new(&mut self.incoming).poll_frame(context)) {
            None => return Poll::Ready(None),
            Some(Err(error)) => {
                let _ = self.failed.set(RequestBodyFailure::Broken);
                return Poll::Ready(Some(Err(error.into())));
            }
            Some(Ok(frame)) => frame,
        };
        self.bytes += frame.data_ref().map_or(0, |data| data.len() as u64);
        match self.limit {
            Some(limit) if self.bytes > limit => {
                let _ = self.failed.set(RequestBodyFailure::TooLarge(limit));
                Poll::Ready(Some(Err(BodyError::TooLarge { limit })))
            }
            _ => Poll::Ready(Some(Ok(frame))),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.ahead.is_none() && self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let ahead = self.ahead.as_ref().and_then(Frame::data_ref).map_or(0, |data| data.len() as u64);
        match self.incoming.size_hint().exact() {
            Some(rest) => SizeHint::with_exact(rest + ahead),
            None => SizeHint::default(),
        }
    }
}

impl ResponseBody {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match Pin::new(&mut self.incoming).poll_frame(context) {
            Poll::Pending => self.poll_idle(context),
            Poll::Ready(Some(Ok(frame))) => {
                self.bytes += frame.data_ref().map_or(0, |data| data.len() as u64);
                self.idle = None;
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(error))) => {
                self.end(false);
                Poll::Ready(Some(Err(error.into())))
            }
            Poll::Ready(None) => {
                self.end(true);
                Poll::Ready(None)
            }
        }
    }

    /// A timer is only made once the upstream keeps us waiting, which short answers never do.
    fn poll_idle(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let idle = self
            .idle
            .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(Instant::now() + limits::UPSTREAM_BODY_IDLE)));
        std::task::ready!(idle.as_mut().poll(context));
        self.end(false);
        Poll::Ready(Some(Err(BodyError::Timeout)))
    }

    fn end(&mut self, complete: bool) {
        let lease = self.lease.take();
        if complete && let Some(lease) = lease {
            lease.give_back();
        }
        if let Some(hook) = self.on_end.take() {
            hook(BodyEnd { bytes: self.bytes, complete });
        }
    }
}

impl Drop for ResponseBody {
    /// A body of known length may be dropped after its last byte without being asked for its end.
    fn drop(&mut self) {
        self.end(self.incoming.is_end_stream());
    }
}
