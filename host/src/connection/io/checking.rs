//! What was read is checked: it goes on, is held until there is more of it, or is refused.

use super::super::gate::Phase;
use super::super::handle::Upgrade;
use super::{GateIo, give_back};
use crate::error::RequestError;
use bytes::Buf;
use std::io::{self, ErrorKind};
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

/// Stands in for a request that is refused.
const SUBSTITUTE: &[u8] = b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";

impl<S: AsyncRead + AsyncWrite + Unpin> GateIo<S> {
    /// Checks what was read into `buffer` behind `before`, and leaves there what may go on.
    pub(super) fn admit(&mut self, buffer: &mut ReadBuf<'_>, before: usize) {
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

    /// Checks what is held anew.
    pub(super) fn scan_held(&mut self) {
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

    /// Refuses what comes, whatever it is.
    pub(super) fn fail(&mut self, error: RequestError) {
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

    /// What a read gives once a rule is broken.
    pub(super) fn read_failed(&self) -> Poll<io::Result<()>> {
        match self.gate.violation() {
            Some(violation) if violation.in_body => {
                Poll::Ready(Err(io::Error::new(ErrorKind::InvalidData, violation.error.clone())))
            }
            // The refusal is on its way, and it closes the connection.
            _ => Poll::Pending,
        }
    }

    /// Goes on after the answer to a request to upgrade. Whether there is one.
    pub(super) fn resume(&mut self, context: &mut Context<'_>) -> bool {
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
    pub(super) fn end(&mut self) -> bool {
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
}
