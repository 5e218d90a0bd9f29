//! A connection that ends when its upstream takes nothing of what it is sent.
//!
//! Nothing else would notice: a request may be answered while the rest of it is still on its way, and whoever sends it is
//! only asked for more once there is room. It stands below TLS, so that what is written is what the socket has taken.

use crate::config::limits;
use crate::timer::Timer;
use rustix::net::{SendFlags, send};
use std::io::{self, ErrorKind, IoSlice};
use std::os::fd::AsFd;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

/// A stream whose writes fail once the other side has taken no byte for [`limits::UPSTREAM_WRITE_STALLED`].
#[derive(Debug)]
pub(super) struct Patient<S> {
    stream: S,
    limit: Duration,
    timer: Timer,
    stalled_since: Option<Instant>,
}

impl<S> Patient<S> {
    pub(super) fn new(stream: S) -> Self {
        Self::within(limits::UPSTREAM_WRITE_STALLED, stream)
    }

    fn within(limit: Duration, stream: S) -> Self {
        Self { stream, limit, timer: Timer::default(), stalled_since: None }
    }
}

impl<S: AsFd> Patient<S> {
    /// What came of writing these bytes, once more where nothing did for too long: the system says that there is room only when a
    /// third of what it holds is gone, for which a slow reader may take longer.
    fn written(
        &mut self,
        context: &mut Context<'_>,
        bytes: &[u8],
        result: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        if result.is_ready() {
            self.stalled_since = None;
            return result;
        }
        let since = *self.stalled_since.get_or_insert_with(Instant::now);
        if !self.timer.passed(context, since + self.limit) {
            return Poll::Pending;
        }
        self.stalled_since = None;
        let sent = send(&self.stream, bytes, SendFlags::DONTWAIT | SendFlags::NOSIGNAL);
        Poll::Ready(sent.map_err(|_| ErrorKind::TimedOut.into()))
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

impl<S: AsyncWrite + AsFd + Unpin> AsyncWrite for Patient<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.written(context, bytes, result)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        let first = slices.iter().find(|slice| !slice.is_empty()).map_or(&[][..], |slice| slice);
        self.written(context, first, result)
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
    use std::net::Ipv4Addr;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};
    use tokio::time::{sleep, timeout};

    const LIMIT: Duration = Duration::from_millis(300);

    /// A stream that is patient for so long, and its other side.
    async fn connected() -> (Patient<TcpStream>, TcpStream) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        (Patient::within(LIMIT, stream), listener.accept().await.unwrap().0)
    }

    #[tokio::test]
    async fn who_takes_nothing_is_given_up() {
        let (mut patient, _other) = connected().await;
        let written = timeout(LIMIT * 20, patient.write_all(&vec![0; 64 << 20])).await.unwrap();
        assert_eq!(written.unwrap_err().kind(), ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn who_is_slow_is_not() {
        let (mut patient, mut other) = connected().await;
        let slow = async {
            let mut buffer = vec![0; 128 << 10];
            // Less in all than makes the system say that there is room.
            for _ in 0..10 {
                sleep(LIMIT / 2).await;
                other.read_exact(&mut buffer).await.unwrap();
            }
        };
        let all = vec![0; 64 << 20];
        tokio::select! {
            written = patient.write_all(&all) => panic!("{written:?}"),
            () = slow => {}
        }
    }
}
