//! The gate: a strict reading of the bytes of an HTTP/1 connection, without any I/O.
//!
//! The HTTP library behind it forgives much, which is right for a server and wrong for a proxy: what two parsers read
//! in two ways lets one request hide in another. The gate sees every byte first, knows where each message ends and
//! lets only what it has checked go on. It changes nothing and it does not parse for anyone else.

use super::chunked::Chunked;
use super::head::{Framing, Head};
use crate::error::RequestError;

/// A broken rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Which request of the connection, from 0.
    pub message: u64,
    /// The rule.
    pub error: RequestError,
    /// Whether the head has gone on already, so that the request is being handled.
    pub in_body: bool,
}

/// What the gate expects next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// A request's head.
    Head,
    /// More of a request's body.
    Body,
    /// The answer to a request to upgrade; no byte goes on until then.
    Held,
    /// Bytes that are none of its business: the upgrade was granted.
    Raw,
    /// Nothing: a rule was broken.
    Failed,
}

/// The state of one connection.
#[derive(Debug, Default)]
pub struct Gate {
    state: State,
    messages: u64,
}

#[derive(Debug)]
enum State {
    Head(Head),
    Length(u64),
    Chunked(Chunked),
    Held,
    Raw,
    Failed(Violation),
}

impl Default for State {
    fn default() -> Self {
        Self::Head(Head::default())
    }
}

impl Gate {
    /// A gate that lets everything pass.
    pub fn raw() -> Self {
        Self { state: State::Raw, messages: 0 }
    }

    /// Checks `bytes` and gives how many of them, from the first, may go on. The rest is to be presented again, with
    /// more behind it, unless [`Gate::phase`] is now [`Phase::Failed`].
    ///
    /// A message whose head and mistake are both in `bytes` does not go on at all.
    pub fn scan(&mut self, bytes: &[u8]) -> usize {
        let mut passed = 0;
        let mut message_start = None;
        loop {
            let rest = bytes.get(passed..).unwrap_or_default();
            match &mut self.state {
                State::Head(head) => match head.advance(rest) {
                    Ok(None) => return passed,
                    Ok(Some((length, framing))) => {
                        message_start = Some(passed);
                        passed += length;
                        self.messages += 1;
                        self.state = State::after(framing);
                    }
                    Err(error) => {
                        self.fail(error);
                        return passed;
                    }
                },
                State::Length(left) => {
                    let here = u64::try_from(rest.len()).unwrap_or(u64::MAX).min(*left);
                    *left -= here;
                    passed += usize::try_from(here).unwrap_or(usize::MAX);
                    if *left > 0 {
                        return passed;
                    }
                    self.state = State::default();
                }
                State::Chunked(chunked) => match chunked.advance(rest) {
                    Ok((length, false)) => return passed + length,
                    Ok((length, true)) => {
                        passed += length;
                        self.state = State::default();
                    }
                    Err(error) => return self.fail_body(error, message_start, passed),
                },
                State::Raw => return bytes.len(),
                State::Held | State::Failed(_) => return passed,
            }
        }
    }

    /// Ends the connection for a reason found elsewhere, such as a time-out.
    pub fn fail(&mut self, error: RequestError) {
        let in_body = self.phase() == Phase::Body;
        let message = if in_body { self.messages.saturating_sub(1) } else { self.messages };
        self.state = State::Failed(Violation { message, error, in_body });
    }

    /// The upgrade was granted: everything passes from now on.
    pub fn upgraded(&mut self) {
        self.state = State::Raw;
    }

    /// The upgrade was not granted: the next request may come.
    pub fn declined(&mut self) {
        self.state = State::default();
    }

    /// What is expected next.
    pub fn phase(&self) -> Phase {
        match self.state {
            State::Head(_) => Phase::Head,
            State::Length(_) | State::Chunked(_) => Phase::Body,
            State::Held => Phase::Held,
            State::Raw => Phase::Raw,
            State::Failed(_) => Phase::Failed,
        }
    }

    /// The broken rule, if there is one.
    pub fn violation(&self) -> Option<&Violation> {
        match &self.state {
            State::Failed(violation) => Some(violation),
            _ => None,
        }
    }

    /// How many heads have gone on.
    pub fn messages(&self) -> u64 {
        self.messages
    }

    fn fail_body(&mut self, error: RequestError, message_start: Option<usize>, passed: usize) -> usize {
        let Some(start) = message_start else {
            self.fail(error);
            return passed;
        };
        self.messages -= 1;
        self.state = State::Failed(Violation { message: self.messages, error, in_body: false });
        start
    }
}

impl State {
    fn after(framing: Framing) -> Self {
        match framing {
            Framing::Length(0) => Self::default(),
            Framing::Length(length) => Self::Length(length),
            Framing::Chunked => Self::Chunked(Chunked::default()),
            Framing::Upgrade => Self::Held,
        }
    }
}

#[cfg(test)]
#[path = "gate_tests.rs"]
pub(super) mod tests;
