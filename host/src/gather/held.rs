//! Bodies of responses that stay with the host until an answer is put together of them.
//!
//! A body that is not in turn yet is read ahead by a bounded amount, which lets small ones give their connection back;
//! what is more waits in the connection, so its service is slowed down to the pace of the client.

use super::outcome::of_body;
use crate::body::{BodyError, ProxyBody};
use crate::config::limits;
use crate::json::Validator;
use crate::wasm::types::CallError;
use bytes::Bytes;
use http_body::Body;
use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// How long to wait for the end of a body that does not say how long it is, and may be short: what is complete is usually
/// on its way already.
const SHORT_WAIT: Duration = Duration::from_millis(20);

/// The body of one response.
#[derive(Debug)]
pub struct Held {
    /// Read and not sent yet.
    ahead: VecDeque<Bytes>,
    /// The bytes in `ahead`.
    size: usize,
    /// Where the rest comes from; none at the end.
    rest: Option<ProxyBody>,
    /// Where the body has to be JSON.
    validator: Option<Validator>,
    /// Why there is no more after what is here.
    fault: Option<BodyError>,
}

/// The bodies that a request holds, by the names of their calls.
#[derive(Debug, Default)]
pub struct Bodies(Vec<(String, Box<Held>)>);

impl Bodies {
    /// Keeps a body.
    pub fn keep(&mut self, name: String, body: Box<Held>) {
        self.0.push((name, body));
    }

    /// Whether there is a body of this name.
    pub fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(known, _)| known == name)
    }

    /// Takes a body out.
    pub fn take(&mut self, name: &str) -> Option<Box<Held>> {
        let place = self.0.iter().position(|(known, _)| known == name)?;
        Some(self.0.swap_remove(place).1)
    }
}

impl Held {
    /// Holds a body. One that is short is read to its end, so that its faults are the call's.
    pub(super) async fn begin(
        body: ProxyBody,
        json: bool,
        most: Option<u64>,
        deadline: Instant,
    ) -> Result<Box<Self>, CallError> {
        if most.is_some_and(|most| body.size_hint().lower() > most) {
            return Err(CallError::TooLarge);
        }
        let (validator, announced) = (json.then(Validator::default), body.size_hint().exact());
        let rest = Some(body.limited(most));
        let mut held = Box::new(Self { ahead: VecDeque::new(), size: 0, rest, validator, fault: None });
        let short = announced.map(|length| length <= limits::SPLICE_AHEAD as u64);
        if short == Some(false) {
            return Ok(held);
        }
        let until = if short.is_some() { deadline } else { deadline.min(Instant::now() + SHORT_WAIT) };
        let filled = timeout_at(until, std::future::poll_fn(|context| held.poll_fill(context))).await;
        match &held.fault {
            Some(fault) => Err(of_body(fault)),
            None if filled.is_err() && Instant::now() >= deadline => Err(CallError::Deadline),
            None => Ok(held),
        }
    }

    /// Holds a body that is here.
    pub(super) fn whole(body: Bytes, json: bool) -> Result<Box<Self>, CallError> {
        let mut held = Box::new(Self {
            ahead: VecDeque::new(),
            size: 0,
            rest: None,
            validator: json.then(Validator::default),
            fault: None,
        });
        held.take_in(body);
        held.finish();
        if held.fault.is_some() { Err(CallError::NotJson) } else { Ok(held) }
    }

    /// Reads ahead. Ready when there is enough or no more.
    pub(super) fn poll_fill(&mut self, context: &mut Context<'_>) -> Poll<()> {
        while self.size < limits::SPLICE_AHEAD
            && let Some(rest) = &mut self.rest
        {
            match ready!(Pin::new(rest).poll_frame(context)) {
                Some(Ok(frame)) => {
                    let Ok(data) = frame.into_data() else { continue };
                    self.take_in(data);
                }
                Some(Err(error)) => self.fail(error),
                None => self.finish(),
            }
        }
        Poll::Ready(())
    }

    /// The next bytes; none at the end.
    pub(super) fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, BodyError>>> {
        loop {
            if let Some(data) = self.ahead.pop_front() {
                self.size = self.size.saturating_sub(data.len());
                return Poll::Ready(Some(Ok(data)));
            }
            if let Some(fault) = self.fault.take() {
                return Poll::Ready(Some(Err(fault)));
            }
            if self.rest.is_none() {
                return Poll::Ready(None);
            }
            // Reads at least one frame, or finds out that there is none.
            ready!(self.poll_fill_some(context));
        }
    }

    /// How many bytes are to come, where that is known and can be relied on: a fault shortens a body.
    pub(super) fn length(&self) -> Option<u64> {
        let rest = self.rest.as_ref().map_or(Some(0), |rest| rest.size_hint().exact())?;
        rest.checked_add(u64::try_from(self.size).ok()?)
    }

    /// Its size in bytes, where all of it is here and nothing is wrong with it.
    pub(super) fn whole_size(&self) -> Option<usize> {
        (self.rest.is_none() && self.fault.is_none()).then_some(self.size)
    }

    /// What is here and not sent yet.
    pub(super) fn ahead(&self) -> impl Iterator<Item = &Bytes> {
        self.ahead.iter()
    }

    fn poll_fill_some(&mut self, context: &mut Context<'_>) -> Poll<()> {
        match self.poll_fill(context) {
            Poll::Pending if self.ahead.is_empty() && self.fault.is_none() => Poll::Pending,
            _ => Poll::Ready(()),
        }
    }

    fn take_in(&mut self, data: Bytes) {
        if data.is_empty() {
            return;
        }
        if let Some(Err(fault)) = self.validator.as_mut().map(|validator| validator.read(&data)) {
            return self.fail(fault.into());
        }
        self.size = self.size.saturating_add(data.len());
        self.ahead.push_back(data);
    }

    fn finish(&mut self) {
        self.rest = None;
        if let Some(Err(fault)) = self.validator.as_ref().map(Validator::finish) {
            self.fail(fault.into());
        }
    }

    fn fail(&mut self, fault: BodyError) {
        (self.rest, self.fault) = (None, Some(fault));
    }
}
