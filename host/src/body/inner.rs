//! A body's bytes as they come: counted, held against a limit, and followed to their end.

use super::source::{Resumed, Source};
use super::{BodyEnd, BodyError, Ending, Progress};
use crate::sanitize;
use bytes::Bytes;
use http_body::Frame;
use std::task::{Context, Poll, ready};

/// What a body consists of.
#[derive(Default)]
pub(super) struct Inner {
    /// What is here already and comes first.
    pub(super) ahead: Option<Bytes>,
    /// Where the rest comes from.
    pub(super) rest: Source,
    pub(super) bytes: u64,
    pub(super) limit: Option<u64>,
    pub(super) progress: Progress,
    pub(super) on_end: Option<EndHook>,
}

pub(super) type EndHook = Box<dyn FnOnce(BodyEnd) + Send>;

impl Inner {
    /// Finds out whether the frame read ahead was all. The end of a chunked body often lies in the same packet as its
    /// only chunk, but is read one turn later.
    pub(super) async fn settle(&mut self) -> Result<(), BodyError> {
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

    pub(super) fn poll_frame(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
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
                self.end(Ending::Failed);
                self.rest = Source::None;
            }
            // Nobody asks for what comes after trailers.
            Some(Ok(_)) | None => self.end(Ending::Complete),
        }
        Poll::Ready(frame)
    }

    pub(super) fn is_end_stream(&self) -> bool {
        self.ahead.is_none() && self.rest.is_end_stream()
    }

    /// Whether all of it has been taken. A reader may stop after the last byte of a body of known length without asking for its
    /// end, which in HTTP/2 may come in a frame of its own.
    pub(super) fn is_spent(&self) -> bool {
        self.is_end_stream() || (self.ahead.is_none() && self.rest.size_hint().exact() == Some(0))
    }

    fn end(&mut self, how: Ending) {
        if let Some(hook) = self.on_end.take() {
            hook(BodyEnd { bytes: self.bytes, how });
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        let complete = matches!(self.rest, Source::None) || self.is_spent();
        self.end(if complete { Ending::Complete } else { Ending::Abandoned });
    }
}
