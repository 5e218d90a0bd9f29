//! Bodies on their way through the proxy.
//!
//! One type serves both directions: it counts, keeps a limit and tells when it has ended, without another layer around
//! it. Where the bytes come from is the business of [`crate::connection`] and [`crate::upstream`].

use bytes::{Bytes, BytesMut};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

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
    /// Whether that was all that was wanted: false when the body failed or its reader went away.
    pub complete: bool,
}

/// A body of known bytes or one that streams.
pub struct ProxyBody {
    /// What is here already and comes first.
    ahead: Option<Bytes>,
    /// Where the rest comes from.
    rest: Source,
    bytes: u64,
    limit: Option<u64>,
    on_end: Option<EndHook>,
}

type EndHook = Box<dyn FnOnce(BodyEnd) + Send>;

enum Source {
    /// There is no more.
    None,
    /// A peer, as hyper reads it.
    Incoming(Incoming),
    /// Any other.
    Stream(Pin<Box<dyn Body<Data = Bytes, Error = BodyError> + Send>>),
}

impl ProxyBody {
    /// No bytes.
    pub fn empty() -> Self {
        Self::new(None, Source::None)
    }

    /// These bytes.
    pub fn full(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        Self::new((!bytes.is_empty()).then_some(bytes), Source::None)
    }

    /// A body that streams.
    pub fn stream(body: impl Body<Data = Bytes, Error = BodyError> + Send + 'static) -> Self {
        Self::new(None, Source::Stream(Box::pin(body)))
    }

    /// A peer's body, limited to this many bytes.
    pub fn request(incoming: Incoming, limit: Option<u64>) -> Self {
        if incoming.is_end_stream() {
            return Self::empty();
        }
        Self::new(None, Source::Incoming(incoming)).limited(limit)
    }

    fn new(ahead: Option<Bytes>, rest: Source) -> Self {
        Self { ahead, rest, bytes: 0, limit: None, on_end: None }
    }

    /// The same body, failing with [`BodyError::TooLarge`] beyond this many bytes.
    #[must_use]
    pub fn limited(mut self, limit: Option<u64>) -> Self {
        self.limit = limit;
        self
    }

    /// The most bytes that it may have, if that is limited.
    pub fn limit(&self) -> Option<u64> {
        self.limit
    }

    /// Calls `hook` once, when the body has ended, well or not, or is dropped.
    ///
    /// A body of known bytes that nobody reads, such as one for a HEAD request, counts as complete.
    pub fn on_end(&mut self, hook: impl FnOnce(BodyEnd) + Send + 'static) {
        self.on_end = Some(Box::new(hook));
    }

    /// Whether all of it is here, so that it can be sent more than once.
    pub fn is_known(&self) -> bool {
        matches!(self.rest, Source::None)
    }

    /// A copy, when all of it is here.
    pub fn replayable(&self) -> Option<Self> {
        self.is_known().then(|| Self::new(self.ahead.clone(), Source::None))
    }

    /// Waits for the first frame of a body that streams.
    ///
    /// A body that is complete with it becomes one of known bytes; one that is broken from its start, or announces more
    /// bytes than its limit, fails here, before any upstream hears of it.
    pub async fn begin(mut self) -> Result<Self, BodyError> {
        if self.is_known() {
            return Ok(self);
        }
        if let Some(limit) = self.limit.filter(|limit| self.size_hint().lower() > *limit) {
            return Err(BodyError::TooLarge { limit });
        }
        let Some(frame) = self.frame().await else { return Ok(Self::empty()) };
        match frame?.into_data() {
            Ok(data) => {
                self.bytes = 0;
                self.ahead = Some(data);
                self.settle().await
            }
            Err(trailers) => Ok(Self::stream(Trailers(Some(trailers)))),
        }
    }

    /// The same, and takes at least this long. Who waits without reading does not see that the client leaves.
    pub async fn begin_after(self, delay: Duration) -> Result<Self, BodyError> {
        let waited = async {
            tokio::time::sleep(delay).await;
            Ok(())
        };
        tokio::try_join!(self.begin(), waited).map(|(body, ())| body)
    }

    /// Finds out whether the frame read ahead was all. The end of a chunked body often lies in the same packet as its
    /// only chunk, but is read one turn later.
    async fn settle(mut self) -> Result<Self, BodyError> {
        if !self.rest.is_end_stream() && self.rest.size_hint().exact().is_none() {
            for _ in 0..2 {
                tokio::task::yield_now().await;
                match std::future::poll_fn(|context| Poll::Ready(self.rest.poll_frame(context))).await {
                    Poll::Pending => {}
                    Poll::Ready(None) => self.rest = Source::None,
                    Poll::Ready(Some(frame)) => return Ok(self.put_back(frame?)),
                }
            }
        }
        if self.rest.is_end_stream() {
            self.rest = Source::None;
        }
        Ok(self)
    }

    fn put_back(mut self, frame: Frame<Bytes>) -> Self {
        let rest = std::mem::replace(&mut self.rest, Source::None);
        self.rest = Source::Stream(Box::pin(Resumed { frame: Some(frame), rest }));
        self
    }

    /// All of it, if it is at most this large. One frame is not copied. Trailers are dropped.
    pub async fn collect_up_to(mut self, limit: u64) -> Result<Bytes, BodyError> {
        let announced = self.size_hint().lower();
        if announced > limit {
            return Err(BodyError::TooLarge { limit });
        }
        let mut first = Bytes::new();
        let mut rest: Option<BytesMut> = None;
        while let Some(frame) = self.frame().await {
            let Ok(data) = frame?.into_data() else { continue };
            if self.bytes > limit {
                return Err(BodyError::TooLarge { limit });
            }
            match &mut rest {
                Some(rest) => rest.extend_from_slice(&data),
                None if first.is_empty() => first = data,
                None => {
                    let size = usize::try_from(announced).unwrap_or(0).max(first.len() + data.len());
                    let mut both = BytesMut::with_capacity(size);
                    both.extend_from_slice(&first);
                    both.extend_from_slice(&data);
                    rest = Some(both);
                }
            }
        }
        Ok(rest.map_or(first, BytesMut::freeze))
    }

    /// Counts a frame and holds it against the limit.
    fn admit(&mut self, frame: Frame<Bytes>) -> Result<Frame<Bytes>, BodyError> {
        let size = frame.data_ref().map_or(0, |data| u64::try_from(data.len()).unwrap_or(u64::MAX));
        self.bytes = self.bytes.saturating_add(size);
        match self.limit {
            Some(limit) if self.bytes > limit => Err(BodyError::TooLarge { limit }),
            _ => Ok(frame),
        }
    }

    fn end(&mut self, complete: bool) {
        if let Some(hook) = self.on_end.take() {
            hook(BodyEnd { bytes: self.bytes, complete });
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
        let frame = match self.ahead.take() {
            Some(bytes) => Some(Ok(Frame::data(bytes))),
            None => ready!(self.rest.poll_frame(context)),
        };
        let frame = frame.map(|frame| frame.and_then(|frame| self.admit(frame)));
        match &frame {
            Some(Ok(_)) => {}
            Some(Err(_)) => {
                self.end(false);
                self.rest = Source::None;
            }
            None => self.end(true),
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.ahead.is_none() && self.rest.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let ahead = self.ahead.as_ref().map_or(0, |bytes| u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        let mut hint = self.rest.size_hint();
        match hint.exact() {
            Some(rest) => hint.set_exact(rest.saturating_add(ahead)),
            None => hint.set_lower(hint.lower().saturating_add(ahead)),
        }
        hint
    }
}

impl Drop for ProxyBody {
    /// A reader may stop after the last byte of a body of known length without asking for its end.
    fn drop(&mut self) {
        self.end(self.is_known() || self.is_end_stream());
    }
}

impl Source {
    fn poll_frame(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match self {
            Self::None => Poll::Ready(None),
            Self::Incoming(body) => {
                Pin::new(body).poll_frame(context).map(|frame| frame.map(|frame| frame.map_err(BodyError::Http)))
            }
            Self::Stream(body) => body.as_mut().poll_frame(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::None => true,
            Self::Incoming(body) => body.is_end_stream(),
            Self::Stream(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::None => SizeHint::with_exact(0),
            Self::Incoming(body) => body.size_hint(),
            Self::Stream(body) => body.size_hint(),
        }
    }
}

/// A body that begins with a frame that was read to find out whether it ends.
struct Resumed {
    frame: Option<Frame<Bytes>>,
    rest: Source,
}

impl Body for Resumed {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match self.frame.take() {
            Some(frame) => Poll::Ready(Some(Ok(frame))),
            None => self.rest.poll_frame(context),
        }
    }
}

/// A body without data.
struct Trailers(Option<Frame<Bytes>>);

impl Body for Trailers {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        Poll::Ready(self.0.take().map(Ok))
    }
}

impl std::fmt::Debug for ProxyBody {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let ahead = self.ahead.as_ref().map(Bytes::len);
        formatter.debug_struct("ProxyBody").field("ahead", &ahead).field("known", &self.is_known()).finish()
    }
}

#[cfg(test)]
mod tests;
