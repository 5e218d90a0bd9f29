//! A body that is copied while it is read.
//!
//! The request sets the pace: a copy that falls too far behind is given up, and never waited for.

use crate::body::{BodyError, ProxyBody};
use crate::config::limits;
use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};
use tokio::sync::{mpsc, oneshot};

/// Why a copy was given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lag {
    /// Its reader was too far behind.
    TooSlow,
    /// The body itself broke off, or nobody read it to its end.
    BrokenOff,
}

/// A body for a copy of the request.
#[derive(Debug)]
pub(super) struct Copied {
    pub(super) body: ProxyBody,
    /// Tells when the copy is given up, also while its body is not asked for more; closes when all of it is written.
    pub(super) lag: oneshot::Receiver<Lag>,
}

/// The request's own body and the copies that it fills.
#[derive(Debug)]
pub(super) struct Tee {
    body: ProxyBody,
    copies: Vec<Copy>,
}

/// One copy, as its writer sees it.
#[derive(Debug)]
struct Copy {
    pieces: mpsc::Sender<Piece>,
    /// Bytes that are written and not read yet.
    waiting: Arc<AtomicUsize>,
    lag: oneshot::Sender<Lag>,
}

#[derive(Debug)]
enum Piece {
    Data(Bytes),
    Trailers(HeaderMap),
    End,
}

impl Tee {
    pub(super) fn new(body: ProxyBody) -> Self {
        Self { body, copies: Vec::new() }
    }

    /// One more copy. Of a body that is here already it is complete.
    pub(super) fn copy(&mut self) -> Copied {
        let (given_up, lag) = oneshot::channel();
        if let Some(body) = self.body.replayable() {
            return Copied { body, lag };
        }
        let (pieces, receiver) = mpsc::channel(limits::MIRROR_FRAMES);
        let waiting = Arc::new(AtomicUsize::new(0));
        let reader = Reader {
            pieces: receiver,
            waiting: Arc::clone(&waiting),
            left: self.body.size_hint().exact(),
            ended: false,
        };
        self.copies.push(Copy { pieces, waiting, lag: given_up });
        Copied { body: ProxyBody::stream(reader), lag }
    }

    /// The request's own body.
    pub(super) fn into_body(mut self) -> ProxyBody {
        if self.copies.is_empty() {
            return std::mem::replace(&mut self.body, ProxyBody::empty());
        }
        let limit = self.body.limit();
        ProxyBody::stream(self).limited(limit)
    }

    fn write(&mut self, frame: &Frame<Bytes>) {
        let copies = std::mem::take(&mut self.copies).into_iter();
        let written = copies.filter_map(|copy| match (frame.data_ref(), frame.trailers_ref()) {
            // Copied, as the frame is a part of a read buffer that would be kept for the slowest of all.
            (Some(data), _) => copy.write(Piece::Data(Bytes::copy_from_slice(data))),
            (None, Some(trailers)) => copy.write(Piece::Trailers(trailers.clone())),
            (None, None) => Some(copy),
        });
        self.copies = written.collect();
    }

    fn end(&mut self, complete: bool) {
        for copy in self.copies.drain(..) {
            if complete {
                copy.write(Piece::End);
            } else {
                copy.give_up(Lag::BrokenOff);
            }
        }
    }
}

impl Copy {
    /// The copy, if it goes on.
    fn write(self, piece: Piece) -> Option<Self> {
        let size = if let Piece::Data(data) = &piece { data.len() } else { 0 };
        let before = self.waiting.fetch_add(size, Ordering::Relaxed);
        let fits = before.saturating_add(size) <= limits::MIRROR_BUFFER;
        match fits.then(|| self.pieces.try_send(piece)) {
            Some(Ok(())) => Some(self),
            // Its reader has ended, and knows why.
            Some(Err(mpsc::error::TrySendError::Closed(_))) => None,
            Some(Err(mpsc::error::TrySendError::Full(_))) | None => {
                self.give_up(Lag::TooSlow);
                None
            }
        }
    }

    fn give_up(self, why: Lag) {
        // Nobody listens once its reader has ended.
        let _ = self.lag.send(why);
    }
}

impl Body for Tee {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        match &frame {
            Some(Ok(frame)) => {
                self.write(frame);
                if !frame.is_data() {
                    // Nobody asks for what comes after trailers.
                    self.end(true);
                }
            }
            Some(Err(_)) => self.end(false),
            None => self.end(true),
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Tee {
    fn drop(&mut self) {
        self.end(self.body.is_spent());
    }
}

/// One copy, as the service it goes to reads it.
#[derive(Debug)]
struct Reader {
    pieces: mpsc::Receiver<Piece>,
    waiting: Arc<AtomicUsize>,
    /// What is still to come, where the length is known.
    left: Option<u64>,
    ended: bool,
}

impl Body for Reader {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if self.ended {
            return Poll::Ready(None);
        }
        Poll::Ready(match ready!(self.pieces.poll_recv(context)) {
            Some(Piece::Data(data)) => {
                self.waiting.fetch_sub(data.len(), Ordering::Relaxed);
                let size = u64::try_from(data.len()).unwrap_or(u64::MAX);
                self.left = self.left.map(|left| left.saturating_sub(size));
                Some(Ok(Frame::data(data)))
            }
            Some(Piece::Trailers(trailers)) => Some(Ok(Frame::trailers(trailers))),
            Some(Piece::End) => {
                self.ended = true;
                None
            }
            // Given up before its end: the connection must not look as if the request were complete.
            None => Some(Err(BodyError::Timeout)),
        })
    }

    fn is_end_stream(&self) -> bool {
        self.ended
    }

    fn size_hint(&self) -> SizeHint {
        self.left.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}
