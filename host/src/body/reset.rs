//! The end of the answer to a malformed request.

use super::{BodyError, ProxyBody};
use bytes::Bytes;
use h2::Reason;
use http_body::{Body, Frame, SizeHint};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// Passes a body on, and resets the stream with PROTOCOL_ERROR in place of its end.
#[derive(Debug)]
pub struct ThenReset {
    body: ProxyBody,
    /// A reset overtakes what has not been written yet; whoever writes has had a turn.
    waited: bool,
}

impl ThenReset {
    /// With this body before the reset.
    pub fn new(body: ProxyBody) -> Self {
        Self { body, waited: false }
    }
}

impl Body for ThenReset {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if let Some(frame) = ready!(Pin::new(&mut self.body).poll_frame(context)) {
            return Poll::Ready(Some(frame));
        }
        if !self.waited {
            self.waited = true;
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(Some(Err(BodyError::Malformed(Reason::PROTOCOL_ERROR.into()))))
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
