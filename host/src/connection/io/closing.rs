//! How a connection is closed whose client may be sending still.

use super::super::gate::Phase;
use super::GateIo;
use crate::config::limits::LINGER_SIZE;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

/// How long it has been so, and how much was read meanwhile.
#[derive(Debug)]
pub(super) struct Closing {
    since: Instant,
    discarded: usize,
}

impl<S: AsyncRead + AsyncWrite + Unpin> GateIo<S> {
    /// Reads on for a while where the client is likely to be sending still: closing at once would reset the
    /// connection, and the client might never see its answer (RFC 9112, section 9.6).
    pub(super) fn linger(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let closing = self.closing.get_or_insert_with(|| Closing { since: Instant::now(), discarded: 0 });
        let mut scratch = [0; 4096];
        while closing.discarded < LINGER_SIZE {
            let mut buffer = ReadBuf::new(&mut scratch);
            match Pin::new(&mut self.stream).poll_read(context, &mut buffer) {
                Poll::Ready(Ok(())) if !buffer.filled().is_empty() => closing.discarded += buffer.filled().len(),
                Poll::Ready(_) => return Poll::Ready(()),
                Poll::Pending if self.timer.passed(context, closing.since + self.timeouts.linger) => {
                    return Poll::Ready(());
                }
                Poll::Pending => return Poll::Pending,
            }
        }
        Poll::Ready(())
    }

    /// Whether closing at once could take the answer from the client.
    pub(super) fn is_client_sending(&self) -> bool {
        self.goes_on
            || matches!(self.gate.phase(), Phase::Failed | Phase::Body)
            || !self.held.is_empty()
            || !self.ready.is_empty()
    }
}
