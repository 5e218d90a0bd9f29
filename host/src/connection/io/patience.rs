//! How long the client is waited for, and what becomes of one that is too slow.

use super::super::gate::Phase;
use super::GateIo;
use std::io::{self, ErrorKind};
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;

/// What to do about a client that is too slow.
pub(super) enum Overdue {
    /// End the connection; it asked for nothing.
    Close,
    /// Answer the request that never came, or fail its body.
    Fail,
}

/// The client takes nothing of what it is sent.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stall {
    since: Instant,
    /// Found by a flush: over TLS there may be room for more to write all the same, which says nothing of the client.
    in_flush: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin> GateIo<S> {
    /// Says whether the reader waits for a request with nothing else to do, now that there is nothing to read.
    pub(super) fn note_rest(&self) {
        let read = self.held.is_empty() && self.ready.is_empty();
        let idle = matches!(self.gate.phase(), Phase::Head) && read && self.gate.messages() > 0;
        let done = self.stall.is_none() && self.handle.finished() >= self.gate.messages();
        self.handle.set_resting(idle && done);
    }

    /// Ready when the client has taken longer than it may for what is awaited.
    pub(super) fn overdue(&mut self, context: &mut Context<'_>) -> Poll<Overdue> {
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

    /// The result of a write, or an error when the client takes nothing for too long.
    pub(super) fn written<T>(&mut self, context: &mut Context<'_>, result: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if result.is_pending() {
            return self.stalled(context, false);
        }
        if !self.is_stalled_in_flush() {
            self.stall = None;
            self.activity = Instant::now();
        }
        result
    }

    /// The same of a flush or of the last bytes. The library flushes whenever it looks, so one that is done at once is no
    /// sign of life.
    pub(super) fn flushed(&mut self, context: &mut Context<'_>, result: Poll<io::Result<()>>) -> Poll<io::Result<()>> {
        if result.is_pending() {
            return self.stalled(context, true);
        }
        if self.is_stalled_in_flush() {
            self.stall = None;
            self.activity = Instant::now();
            // The reader may have looked for the last time while there was something left to send.
            self.note_rest();
        }
        result
    }

    fn is_stalled_in_flush(&self) -> bool {
        self.stall.is_some_and(|stall| stall.in_flush)
    }

    fn stalled<T>(&mut self, context: &mut Context<'_>, in_flush: bool) -> Poll<io::Result<T>> {
        let since = self.stall.map_or_else(Instant::now, |stall| stall.since);
        self.stall = Some(Stall { since, in_flush });
        if self.timer.passed(context, since + self.timeouts.write_stalled) {
            return Poll::Ready(Err(ErrorKind::TimedOut.into()));
        }
        Poll::Pending
    }
}
