//! A stream that only lets checked requests through, and waits for nobody for ever.
//!
//! It stands between the socket and the HTTP library. A read goes straight into the library's buffer and is checked
//! there; only the head that a read cut off is kept back until the rest has come. When a rule is broken, the library
//! gets a plain request in place of the bad one, so that the requests before it are answered in order; the service
//! recognises it by its number and answers with the error.

use super::Timeouts;
use super::gate::{Gate, Phase};
use super::handle::{GateHandle, Upgrade};
use super::opening::FIRST_READ;
use crate::config::limits::LINGER_SIZE;
use crate::error::RequestError;
use crate::timer::Timer;
use bytes::{Buf, BytesMut};
use std::future::poll_fn;
use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

/// Stands in for a request that is refused.
const SUBSTITUTE: &[u8] = b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";

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
    write_stalled_since: Option<Instant>,
    closing: Option<Closing>,
    /// The client is known to send on, whatever it is told.
    goes_on: bool,
}

#[derive(Debug)]
struct Closing {
    since: Instant,
    discarded: usize,
}

/// What to do about a client that is too slow.
enum Overdue {
    /// End the connection; it asked for nothing.
    Close,
    /// Answer the request that never came, or fail its body.
    Fail,
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
            write_stalled_since: None,
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

    /// Says whether the reader waits for a request with nothing else to do, now that there is nothing to read.
    fn note_rest(&self) {
        let idle = matches!(self.gate.phase(), Phase::Head) && self.held.is_empty() && self.gate.messages() > 0;
        let done = self.write_stalled_since.is_none() && self.handle.finished() >= self.gate.messages();
        self.handle.set_resting(idle && done);
    }

    /// Checks what was read into `buffer` behind `before`, and leaves there what may go on.
    fn admit(&mut self, buffer: &mut ReadBuf<'_>, before: usize) {
        self.handle.set_resting(false);
        self.body_silent_since = None;
        let read = buffer.filled().get(before..).unwrap_or_default();
        if !self.held.is_empty() {
            self.held.extend_from_slice(read);
            buffer.set_filled(before);
            return self.scan_held();
        }
        let passed = self.gate.scan(read);
        if passed < read.len() {
            self.held.extend_from_slice(read.get(passed..).unwrap_or_default());
            buffer.set_filled(before + passed);
            self.head_since = Some(Instant::now());
        }
        self.after_scan();
    }

    fn scan_held(&mut self) {
        let passed = self.gate.scan(&self.held);
        if passed > 0 {
            self.ready.extend_from_slice(self.held.get(..passed).unwrap_or_default());
            self.held.advance(passed);
            give_back(&mut self.held);
            self.head_since = Some(Instant::now());
        }
        self.after_scan();
    }

    fn after_scan(&mut self) {
        match self.gate.phase() {
            Phase::Held => self.handle.hold(self.gate.messages()),
            Phase::Failed => self.refuse(),
            _ => {}
        }
    }

    fn fail(&mut self, error: RequestError) {
        self.gate.fail(error);
        self.refuse();
    }

    fn refuse(&mut self) {
        let Some(violation) = self.gate.violation() else { return };
        self.handle.fail(violation.clone());
        self.held.clear();
        if !violation.in_body {
            self.ready.extend_from_slice(SUBSTITUTE);
        }
    }

    fn read_failed(&self) -> Poll<io::Result<()>> {
        match self.gate.violation() {
            Some(violation) if violation.in_body => {
                Poll::Ready(Err(io::Error::new(ErrorKind::InvalidData, violation.error.clone())))
            }
            // The refusal is on its way, and it closes the connection.
            _ => Poll::Pending,
        }
    }

    /// Goes on after the answer to a request to upgrade. Whether there is one.
    fn resume(&mut self, context: &mut Context<'_>) -> bool {
        match self.handle.answer(context.waker()) {
            Upgrade::Pending => return false,
            Upgrade::Upgraded => self.gate.upgraded(),
            Upgrade::Declined | Upgrade::None => self.gate.declined(),
        }
        self.activity = Instant::now();
        self.head_since = Some(self.activity);
        self.scan_held();
        true
    }

    /// The client sends no more. Whether there is something to say about it.
    fn end(&mut self) -> bool {
        match self.gate.phase() {
            Phase::Head if !self.held.is_empty() => {
                self.fail(RequestError::BadRequest("the connection ended within the request head"));
                true
            }
            Phase::Body => {
                self.fail(RequestError::ClientGone);
                true
            }
            _ => false,
        }
    }

    fn overdue(&mut self, context: &mut Context<'_>) -> Poll<Overdue> {
        match self.gate.phase() {
            Phase::Head if !self.held.is_empty() => {
                let since = *self.head_since.get_or_insert_with(Instant::now);
                self.expect(context, since + self.timeouts.head_read, Overdue::Fail)
            }
            Phase::Head if self.gate.messages() == 0 => {
                self.expect(context, self.activity + self.timeouts.head_read, Overdue::Close)
            }
            Phase::Head => loop {
                ready!(self.expect(context, self.activity + self.timeouts.keep_alive_idle, Overdue::Close));
                if self.handle.finished() >= self.gate.messages() {
                    return Poll::Ready(Overdue::Close);
                }
                // A request is being handled, which may take its time.
                self.activity = Instant::now();
            },
            Phase::Body => {
                let silent_since = *self.body_silent_since.get_or_insert_with(Instant::now);
                let message = self.gate.messages();
                let since = match self.body_since {
                    Some((of, since)) if of == message => since,
                    _ => self.body_since.insert((message, silent_since)).1,
                };
                let deadline = (silent_since + self.timeouts.body_idle).min(since + self.timeouts.body_total);
                self.expect(context, deadline, Overdue::Fail)
            }
            Phase::Held | Phase::Raw | Phase::Failed => Poll::Pending,
        }
    }

    fn expect(&mut self, context: &mut Context<'_>, deadline: Instant, otherwise: Overdue) -> Poll<Overdue> {
        if self.timer.passed(context, deadline) { Poll::Ready(otherwise) } else { Poll::Pending }
    }

    fn written<T>(&mut self, context: &mut Context<'_>, result: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if result.is_ready() {
            self.write_stalled_since = None;
            self.activity = Instant::now();
            return result;
        }
        let since = *self.write_stalled_since.get_or_insert_with(Instant::now);
        if self.timer.passed(context, since + self.timeouts.write_stalled) {
            return Poll::Ready(Err(ErrorKind::TimedOut.into()));
        }
        Poll::Pending
    }

    /// Reads on for a while where the client is likely to be sending still: closing at once would reset the
    /// connection, and the client might never see its answer (RFC 9112, section 9.6).
    fn linger(&mut self, context: &mut Context<'_>) -> Poll<()> {
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

    fn is_client_sending(&self) -> bool {
        self.goes_on
            || matches!(self.gate.phase(), Phase::Failed | Phase::Body)
            || !self.held.is_empty()
            || !self.ready.is_empty()
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
        Pin::new(&mut self.get_mut().stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.closing.is_none() {
            ready!(Pin::new(&mut this.stream).poll_shutdown(context))?;
        }
        if this.closing.is_some() || this.is_client_sending() {
            ready!(this.linger(context));
        }
        Poll::Ready(Ok(()))
    }
}
