//! Bodies on their way through the proxy.
//!
//! One type serves both directions: it counts, keeps a limit, leaves out trailers that have no place after the content
//! and tells when it has ended, without another layer around it. Where the bytes come from is the business of
//! [`crate::connection`] and [`crate::upstream`].

mod progress;
mod reset;
mod source;

use crate::json::NotJson;
use crate::sanitize;
use bytes::{Bytes, BytesMut};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

pub use progress::Progress;
pub use reset::ThenReset;
use source::{Resumed, Source, Trailers};

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
    /// It has to be JSON and is not.
    #[error(transparent)]
    NotJson(#[from] NotJson),
    /// The peer was silent for too long, or the whole took too long.
    #[error("the body did not arrive in time")]
    Timeout,
    /// The proxy's own code failed on it.
    #[error("the proxy failed on the body")]
    Fault,
    /// The request is malformed, and has been answered.
    #[error("the request is malformed")]
    Malformed(#[source] h2::Error),
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
///
/// It is as small as a pointer, since messages are moved often on their way and most requests have no body.
pub struct ProxyBody(Option<Box<Inner>>);

#[derive(Default)]
struct Inner {
    /// What is here already and comes first.
    ahead: Option<Bytes>,
    /// Where the rest comes from.
    rest: Source,
    bytes: u64,
    limit: Option<u64>,
    progress: Progress,
    on_end: Option<EndHook>,
}

type EndHook = Box<dyn FnOnce(BodyEnd) + Send>;

impl ProxyBody {
    /// No bytes.
    pub const fn empty() -> Self {
        Self(None)
    }

    /// These bytes.
    pub fn full(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        if bytes.is_empty() { Self::empty() } else { Self::new(Some(bytes), Source::None) }
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
        let (bytes, limit, progress, on_end) = (0, None, Progress::default(), None);
        Self(Some(Box::new(Inner { ahead, rest, bytes, limit, progress, on_end })))
    }

    /// The same body, failing with [`BodyError::TooLarge`] beyond this many bytes.
    #[must_use]
    pub fn limited(mut self, limit: Option<u64>) -> Self {
        if let Some(inner) = &mut self.0 {
            inner.limit = limit;
        }
        self
    }

    /// The most bytes that it may have, if that is limited.
    pub fn limit(&self) -> Option<u64> {
        self.0.as_ref().and_then(|inner| inner.limit)
    }

    /// Counts what comes of it from now on. A copy of it that is sent again does not count.
    pub fn progress(&mut self) -> Progress {
        let Some(inner) = &mut self.0 else { return Progress::default() };
        inner.progress = Progress::begun();
        inner.progress.clone()
    }

    /// Calls `hook` once, when the body has ended, well or not, or is dropped.
    ///
    /// A body of known bytes that nobody reads, such as one for a HEAD request, counts as complete.
    pub fn on_end(&mut self, hook: impl FnOnce(BodyEnd) + Send + 'static) {
        self.0.get_or_insert_default().on_end = Some(Box::new(hook));
    }

    /// Whether all of it is here, so that it can be sent more than once.
    pub fn is_known(&self) -> bool {
        self.0.as_ref().is_none_or(|inner| matches!(inner.rest, Source::None))
    }

    /// A copy, when all of it is here.
    pub fn replayable(&self) -> Option<Self> {
        match &self.0 {
            None => Some(Self::empty()),
            Some(inner) => self.is_known().then(|| Self::new(inner.ahead.clone(), Source::None)),
        }
    }

    /// Waits for the first frame of a body that streams.
    ///
    /// A body that is complete with it becomes one of known bytes; one that is broken from its start, or announces more
    /// bytes than its limit, fails here, before any upstream hears of it.
    pub async fn begin(mut self) -> Result<Self, BodyError> {
        if self.is_known() {
            return Ok(self);
        }
        let limit = self.limit();
        if let Some(limit) = limit.filter(|limit| self.size_hint().lower() > *limit) {
            return Err(BodyError::TooLarge { limit });
        }
        let Some(frame) = self.frame().await else { return Ok(Self::empty()) };
        match frame?.into_data() {
            Ok(data) => {
                let Some(mut inner) = self.0.take() else { return Ok(Self::full(data)) };
                inner.bytes = 0;
                inner.ahead = Some(data);
                inner.settle().await?;
                Ok(Self(Some(inner)))
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
            if self.0.as_ref().is_some_and(|inner| inner.bytes > limit) {
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
}

impl Inner {
    /// Finds out whether the frame read ahead was all. The end of a chunked body often lies in the same packet as its
    /// only chunk, but is read one turn later.
    async fn settle(&mut self) -> Result<(), BodyError> {
        if !self.rest.is_end_stream() && self.rest.size_hint().exact().is_none() {
            for _ in 0..2 {
                tokio::task::yield_now().await;
                match std::future::poll_fn(|context| Poll::Ready(self.rest.poll_frame(context))).await {
                    Poll::Pending => {}
                    Poll::Ready(None) => self.rest = Source::None,
                    Poll::Ready(Some(frame)) => {
                        self.put_back(frame?);
                        return Ok(());
                    }
                }
            }
        }
        if self.rest.is_end_stream() {
            self.rest = Source::None;
        }
        Ok(())
    }

    fn put_back(&mut self, frame: Frame<Bytes>) {
        let rest = std::mem::take(&mut self.rest);
        self.rest = Source::Stream(Box::pin(Resumed { frame: Some(frame), rest }));
    }

    /// Counts a frame and holds it against the limit.
    fn admit(&mut self, frame: Frame<Bytes>) -> Result<Frame<Bytes>, BodyError> {
        let size = frame.data_ref().map_or(0, |data| u64::try_from(data.len()).unwrap_or(u64::MAX));
        self.bytes = self.bytes.saturating_add(size);
        self.progress.reached(self.bytes);
        match self.limit {
            Some(limit) if self.bytes > limit => Err(BodyError::TooLarge { limit }),
            _ => Ok(frame),
        }
    }

    fn poll_frame(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let frame = loop {
            let next = match self.ahead.take() {
                Some(bytes) => Some(Ok(Frame::data(bytes))),
                None => ready!(self.rest.poll_frame(context)),
            };
            let Some(Ok(frame)) = next else { break next };
            // Trailers of which nothing is left are as good as none.
            if let Some(frame) = sanitize::without_forbidden_trailers(frame) {
                break Some(self.admit(frame));
            }
        };
        match &frame {
            Some(Ok(frame)) if frame.is_data() => {}
            Some(Err(_)) => {
                self.end(false);
                self.rest = Source::None;
            }
            // Nobody asks for what comes after trailers.
            Some(Ok(_)) | None => self.end(true),
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.ahead.is_none() && self.rest.is_end_stream()
    }

    fn end(&mut self, complete: bool) {
        if let Some(hook) = self.on_end.take() {
            hook(BodyEnd { bytes: self.bytes, complete });
        }
    }
}

impl Drop for Inner {
    /// A reader may stop after the last byte of a body of known length without asking for its end.
    fn drop(&mut self) {
        self.end(matches!(self.rest, Source::None) || self.is_end_stream());
    }
}

impl Body for ProxyBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match &mut self.0 {
            Some(inner) => inner.poll_frame(context),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.0.as_ref().is_none_or(|inner| inner.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        let Some(inner) = &self.0 else { return SizeHint::with_exact(0) };
        let ahead = inner.ahead.as_ref().map_or(0, |bytes| u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        let mut hint = inner.rest.size_hint();
        match hint.exact() {
            Some(rest) => hint.set_exact(rest.saturating_add(ahead)),
            None => hint.set_lower(hint.lower().saturating_add(ahead)),
        }
        hint
    }
}

impl std::fmt::Debug for ProxyBody {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let ahead = self.0.as_ref().and_then(|inner| inner.ahead.as_ref()).map(Bytes::len);
        formatter
            .debug_struct("ProxyBody")
            .field("ahead", &ahead)
            .field("known", &self.is_known())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
