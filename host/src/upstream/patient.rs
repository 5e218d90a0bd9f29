//! A connection that ends when its upstream takes nothing of what it is sent.
//!
//! Nothing else would notice: a request may be answered while the rest of it is still on its way, and whoever sends it is
//! only asked for more once there is room. It stands below TLS, so that what is written is what the socket has taken.

use crate::config::limits;
use crate::timer::Timer;
use std::io::{self, ErrorKind, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

/// A stream whose writes fail once the other side has taken no byte for [`limits::UPSTREAM_WRITE_STALLED`].
#[derive(Debug)]
pub(super) struct Patient<S> {
    stream: S,
    timer: Timer,
    stalled_since: Option<Instant>,
}

impl<S> Patient<S> {
    pub(super) fn new(stream: S) -> Self {
        Self { stream, timer: Timer::default(), stalled_since: None }
    }

    fn written(&mut self, context: &mut Context<'_>, result: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if result.is_ready() {
            self.stalled_since = None;
            return result;
        }
        let since = *self.stalled_since.get_or_insert_with(Instant::now);
        if self.timer.passed(context, since + limits::UPSTREAM_WRITE_STALLED) {
            return Poll::Ready(Err(ErrorKind::TimedOut.into()));
        }
        Poll::Pending
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Patient<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Patient<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.written(context, result)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.written(context, result)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    // A socket has nothing to flush.
    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
    use tokio::time::sleep;

    #[tokio::test(start_paused = true)]
    async fn who_takes_nothing_is_given_up_and_who_is_slow_is_not() {
        let (stream, mut other) = duplex(1);
        let mut patient = Patient::new(stream);
        let nearly = limits::UPSTREAM_WRITE_STALLED.mul_f32(0.9);
        let slow = async {
            for _ in 0..5 {
                sleep(nearly).await;
                other.read_u8().await.unwrap();
            }
        };
        let (written, ()) = tokio::join!(patient.write_all(b"slowly"), slow);
        written.unwrap();
        let since = Instant::now();
        assert_eq!(patient.write_all(b"x").await.unwrap_err().kind(), ErrorKind::TimedOut);
        assert_eq!(since.elapsed().as_secs(), limits::UPSTREAM_WRITE_STALLED.as_secs());
        drop(other);
    }
}
