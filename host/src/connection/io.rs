//! A stream that only lets checked requests through, and waits for nobody for ever.
//!
//! It stands between the socket and the HTTP library. A read goes straight into the library's buffer and is checked
//! there; only the head that a read cut off is kept back until the rest has come. When a rule is broken, the library
//! gets a plain request in place of the bad one, so that the requests before it are answered in order; the service
//! recognises it by its number and answers with the error.

mod checking;
mod closing;
mod patience;

use super::Timeouts;
use super::gate::{Gate, Phase};
use super::handle::GateHandle;
use super::opening::FIRST_READ;
use crate::error::RequestError;
use crate::timer::Timer;
use bytes::{Buf, BytesMut};
use closing::Closing;
use patience::{Overdue, Stall};
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

/// A checked stream.
#[derive(Debug)]
pub struct GateIo<S> {
    stream: S,
    gate: Gate,
    handle: GateHandle,
    /// Read and not passed: the beginning of a head, or what came behind a request to upgrade.
    held: BytesMut,
    /// Passed, but the reader had no room yet.
    ready: BytesMut,
    timeouts: Timeouts,
    timer: Timer,
    /// When the connection was opened, or last took a byte of a response.
    activity: Instant,
    head_since: Option<Instant>,
    body_silent_since: Option<Instant>,
    /// The message whose body is awaited, and since when.
    body_since: Option<(u64, Instant)>,
    stall: Option<Stall>,
    closing: Option<Closing>,
    /// The client is known to send on, whatever it is told.
    goes_on: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin> GateIo<S> {
    /// Checks HTTP/1 requests. `opening` has been read from the stream already.
    pub fn new(stream: S, opening: BytesMut, handle: GateHandle, timeouts: Timeouts) -> Self {
        let mut io = Self::with_gate(Gate::default(), stream, handle, timeouts);
        io.held = opening;
        io.head_since = Some(io.activity);
        io.scan_held();
        io
    }

    /// Checks nothing, for other protocols; only writing has its deadline.
    pub fn raw(stream: S, opening: BytesMut, timeouts: Timeouts) -> Self {
        let mut io = Self::with_gate(Gate::raw(), stream, GateHandle::default(), timeouts);
        io.ready = opening;
        io
    }

    fn with_gate(gate: Gate, stream: S, handle: GateHandle, timeouts: Timeouts) -> Self {
        Self {
            stream,
            gate,
            handle,
            held: BytesMut::new(),
            ready: BytesMut::new(),
            timeouts,
            timer: Timer::default(),
            activity: Instant::now(),
            head_since: None,
            body_silent_since: None,
            body_since: None,
            stall: None,
            closing: None,
            goes_on: false,
        }
    }

    /// The client will be told to stop and is not likely to: closing waits until it may have seen why.
    pub(super) fn client_goes_on(&mut self) {
        self.goes_on = true;
    }

    /// Waits for what comes next without any buffer; what comes is kept for the next read. False when it is the end.
    pub(super) async fn rest(&mut self) -> bool {
        poll_fn(|context| {
            let mut room = [0; FIRST_READ];
            let mut buffer = ReadBuf::new(&mut room);
            let read = ready!(Pin::new(&mut *self).poll_read(context, &mut buffer));
            if read.is_err() || buffer.filled().is_empty() {
                return Poll::Ready(false);
            }
            let mut bytes = BytesMut::from(buffer.filled());
            bytes.extend_from_slice(&self.ready);
            self.ready = bytes;
            Poll::Ready(true)
        })
        .await
    }
}

/// An idle connection should not keep the memory of its last busy moment.
fn give_back(buffer: &mut BytesMut) {
    if buffer.is_empty() {
        *buffer = BytesMut::new();
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for GateIo<S> {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        while buffer.remaining() > 0 {
            if !this.ready.is_empty() {
                let count = this.ready.len().min(buffer.remaining());
                buffer.put_slice(this.ready.get(..count).unwrap_or_default());
                this.ready.advance(count);
                give_back(&mut this.ready);
                break;
            }
            match this.gate.phase() {
                Phase::Failed => return this.read_failed(),
                Phase::Held if this.resume(context) => continue,
                Phase::Held => return Poll::Pending,
                Phase::Head | Phase::Body | Phase::Raw => {}
            }
            let before = buffer.filled().len();
            match Pin::new(&mut this.stream).poll_read(context, buffer)? {
                Poll::Pending => {
                    this.note_rest();
                    match ready!(this.overdue(context)) {
                        Overdue::Close => break,
                        Overdue::Fail => this.fail(RequestError::RequestTimeout),
                    }
                }
                Poll::Ready(()) if buffer.filled().len() == before && !this.end() => break,
                Poll::Ready(()) if buffer.filled().len() == before => {}
                Poll::Ready(()) => {
                    this.admit(buffer, before);
                    if buffer.filled().len() > before {
                        break;
                    }
                }
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for GateIo<S> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let result = Pin::new(&mut this.stream).poll_write(context, bytes);
        this.written(context, result)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let result = Pin::new(&mut this.stream).poll_write_vectored(context, slices);
        this.written(context, result)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let result = Pin::new(&mut this.stream).poll_flush(context);
        this.flushed(context, result)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.closing.is_none() {
            let result = Pin::new(&mut this.stream).poll_shutdown(context);
            ready!(this.flushed(context, result))?;
        }
        if this.closing.is_some() || this.is_client_sending() {
            ready!(this.linger(context));
        }
        Poll::Ready(Ok(()))
    }
}
