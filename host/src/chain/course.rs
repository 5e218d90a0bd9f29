//! How far a request has come along the chain, and what waits for its end.

use super::explained::TraceStep;
use super::failure::left_out;
use super::link::Link;
use super::spent::Spent;
use crate::decision::HeaderEdit;
use crate::telemetry::trace::Parent;
use crate::wasm::Failure;
use http::HeaderMap;
use std::net::SocketAddr;
use std::time::Duration;

/// How far a request has come along the chain.
#[derive(Debug, Default)]
pub struct Course {
    /// The next filter to ask.
    pub(super) next: usize,
    /// Applied to the response, whoever makes it.
    pub(super) response_edits: Vec<HeaderEdit>,
    /// How many there were before the filter that settled the request.
    undecided: usize,
    /// From which of them on those with values that are put together are of which filter.
    formatting: Vec<(usize, usize)>,
    /// The filter that settled the request.
    pub(super) decided_by: Option<usize>,
    /// How long to wait before what it decided is done.
    pub(super) delay: Option<Duration>,
    /// Who answered, once somebody has.
    pub upstream: Option<SocketAddr>,
    /// Filled only when someone wants to know why.
    pub(super) trace: Option<Vec<TraceStep>>,
    /// Why filters failed; filled as the trace is.
    pub(super) failures: Vec<String>,
    /// What spans of filters begin from.
    pub(super) parent: Parent,
    /// How long filters took that took long.
    pub(super) spent: Spent,
}

impl Course {
    /// A course whose filters are spans below this one.
    pub fn below(parent: Parent) -> Self {
        Self { parent, ..Self::default() }
    }

    /// A course that records why.
    pub fn traced() -> Self {
        Self { trace: Some(Vec::new()), ..Self::default() }
    }

    /// The place of the filter that was asked last.
    pub fn place(&self) -> usize {
        self.next
    }

    /// Takes back what the filter that was asked last has decided.
    pub(super) fn undecide(&mut self) {
        self.response_edits.truncate(self.undecided);
        self.formatting.retain(|(first, _)| *first < self.undecided);
        self.decided_by = None;
    }

    /// Keeps that the filter that is asked has decided, with the edits of the response from this one on.
    pub(super) fn decide(&mut self, first: usize) {
        if self.decided_by.replace(self.next) != Some(self.next) {
            self.undecided = first;
        }
    }

    /// Keeps who decided on the edits of the response from this one on, where values are put together.
    pub(super) fn decided_from(&mut self, first: usize) {
        if self.response_edits.iter().skip(first).any(HeaderEdit::is_formatted) {
            self.formatting.push((first, self.next));
        }
    }

    /// Applies the edits that waited for the response. `link` gives a filter by its place; each has room of its own for values that
    /// are put together.
    pub(super) fn finish<'a>(&mut self, headers: &mut HeaderMap, link: impl Fn(usize) -> Option<&'a Link>) {
        let mut formatting = std::mem::take(&mut self.formatting).into_iter().peekable();
        let (mut owner, mut room) = (None, 0);
        for (number, edit) in self.response_edits.drain(..).enumerate() {
            if let Some((_, place)) = formatting.next_if(|(first, _)| *first <= number) {
                owner = link(place);
                room = owner.map_or(0, |link| link.filter.settings.bounds.edit_bytes);
            }
            if edit.apply(headers, self.upstream, &mut room).is_err()
                && let Some(link) = owner
            {
                left_out(link);
            }
        }
    }

    /// What was recorded so far.
    pub fn trace(&self) -> &[TraceStep] {
        self.trace.as_deref().unwrap_or_default()
    }

    /// Notes a failure for whoever wants to know why.
    pub(super) fn note(&mut self, failure: &Failure) {
        if self.trace.is_some() {
            self.failures.push(format!("{}: {}", failure.kind, failure.message));
        }
    }

    /// Why filters failed, whether the request went on or not.
    pub fn failures(&self) -> &[String] {
        &self.failures
    }

    /// How long to wait before the step is carried out. Waiting is done once.
    pub fn take_delay(&mut self) -> Option<Duration> {
        self.delay.take()
    }

    /// What was recorded.
    pub fn into_trace(self) -> Vec<TraceStep> {
        self.trace.unwrap_or_default()
    }
}
