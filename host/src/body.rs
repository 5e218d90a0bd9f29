//! Bodies on their way through the proxy.
//!
//! One type serves both directions: it counts, keeps a limit, leaves out trailers that have no place after the content
//! and tells when it has ended, without another layer around it. Where the bytes come from is the business of
//! [`crate::connection`] and [`crate::upstream`].

mod end;
mod inner;
mod progress;
mod reset;
mod source;

use bytes::{Bytes, BytesMut};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

pub use end::{BodyEnd, BodyError, Ending};
use inner::Inner;
pub use progress::Progress;
pub use reset::ThenReset;
use source::{Source, Trailers};

/// A body of known bytes or one that streams.
///
/// It is as small as a pointer, since messages are moved often on their way and most requests have no body.
pub struct ProxyBody(Option<Box<Inner>>);

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

    /// Whether whoever read it has all of it, although its end may not have been asked for.
    pub fn is_spent(&self) -> bool {
        self.0.as_ref().is_none_or(|inner| inner.is_spent())
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

    /// Calls `hook` once, when the body has ended, well or not, or is dropped; after those that were given before.
    ///
    /// A body of known bytes that nobody reads, such as one for a HEAD request, counts as complete.
    pub fn on_end(&mut self, hook: impl FnOnce(BodyEnd) + Send + 'static) {
        let on_end = &mut self.0.get_or_insert_default().on_end;
        *on_end = Some(match on_end.take() {
            None => Box::new(hook),
            Some(before) => Box::new(move |end| {
                before(end);
                hook(end);
            }),
        });
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
pub(crate) mod tests;
