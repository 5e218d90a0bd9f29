//! The stream between the socket and the HTTP/2 implementation.

use super::super::GateIo;
use super::budget::{Budget, Flood};
use super::fault::Fault;
use super::frames::{End, Frames};
use bytes::{Buf, Bytes};
use std::io;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What became of a connection's guard.
#[derive(Debug, Clone, Default)]
pub(in super::super) struct Verdict(Arc<OnceLock<Flood>>);

impl Verdict {
    /// What the connection was flooded with.
    pub(in super::super) fn flood(&self) -> Option<Flood> {
        self.0.get().copied()
    }
}

/// Passes a client's frames on until they are a flood, or one is wrong.
#[derive(Debug)]
pub(in super::super) struct FloodGuard<S> {
    stream: GateIo<S>,
    frames: Frames,
    budget: Budget,
    /// What is wrong with what the client has sent, as far as what it is told of it is not right yet.
    fault: Option<Fault>,
    /// Goes on in place of what the client sends.
    substitute: Option<Bytes>,
    verdict: Verdict,
}

impl<S: AsyncRead + AsyncWrite + Unpin> FloodGuard<S> {
    /// Follows the stream from its first byte, the preface.
    pub(in super::super) fn new(stream: GateIo<S>, verdict: Verdict) -> Self {
        Self { stream, frames: Frames::new(), budget: Budget::new(), fault: None, substitute: None, verdict }
    }

    fn wrote(&mut self, result: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if let Poll::Ready(Ok(count)) = &result {
            self.budget.sent(*count);
        }
        result
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for FloodGuard<S> {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if let Some(substitute) = &mut this.substitute {
            if substitute.is_empty() {
                return Poll::Pending;
            }
            let count = substitute.len().min(buffer.remaining());
            buffer.put_slice(substitute.get(..count).unwrap_or_default());
            substitute.advance(count);
            return Poll::Ready(Ok(()));
        }
        let before = buffer.filled().len();
        let result = Pin::new(&mut this.stream).poll_read(context, buffer);
        if matches!(result, Poll::Ready(Ok(()))) {
            let read = buffer.filled_mut().get_mut(before..).unwrap_or_default();
            let passed = this.frames.scan(read, &mut this.budget);
            buffer.set_filled(before + passed);
            if let Some(end) = this.frames.end() {
                match end {
                    // Decided once; the connection ends by it.
                    End::Flood(flood) => drop(this.verdict.0.set(flood)),
                    End::Fault(fault) => this.fault = Some(fault),
                }
                this.stream.client_goes_on();
                this.substitute = Some(this.frames.substitute().into());
                if passed == 0 {
                    return Pin::new(this).poll_read(context, buffer);
                }
            }
        }
        result
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for FloodGuard<S> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let corrected = this.fault.and_then(|fault| fault.correct(bytes));
        let result = Pin::new(&mut this.stream).poll_write(context, corrected.as_deref().unwrap_or(bytes));
        this.wrote(result)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.fault.is_some() {
            let first = slices.iter().find(|slice| !slice.is_empty()).map_or(&[][..], |slice| slice);
            return self.poll_write(context, first);
        }
        let this = self.get_mut();
        let result = Pin::new(&mut this.stream).poll_write_vectored(context, slices);
        this.wrote(result)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(context)
    }
}
