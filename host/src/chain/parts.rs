//! What the calls of a plan gave, and the answer that is put together of it.

use super::step::Step;
use crate::body::{BodyError, ProxyBody};
use crate::gather::{self, Bodies, Expected};
use crate::telemetry::metrics::GatherMetrics;
use crate::wasm::{Failure, types};
use http::Response;

/// What the calls of a plan gave, for the filter that asked for them.
#[derive(Debug)]
pub struct Parts<'a> {
    /// Handed back to the filter.
    pub state: &'a [u8],
    /// In the order of the calls.
    pub outcomes: &'a [types::Outcome],
    /// The bodies that the filter may put into its answer.
    pub bodies: &'a mut Bodies,
    /// Where an answer is counted that breaks on its way.
    pub metrics: &'a GatherMetrics,
}

/// What a filter decided.
pub(super) enum Decided {
    Plain(types::RequestDecision),
    /// An answer with bodies that stream.
    Assembled(Response<ProxyBody>),
}

impl Parts<'_> {
    /// The answer that the filter expected.
    ///
    /// # Errors
    /// When a body is not there.
    pub fn answer(self, expected: Expected) -> Result<Step, Failure> {
        let on_broken = self.on_broken();
        gather::put_together(expected.head, expected.body, self.bodies, on_broken).map(Step::Respond)
    }

    /// What the filter decided, with the answer put together if it wants that.
    pub(super) fn assembled(self, decision: types::RequestDecision) -> Result<Decided, Failure> {
        let types::RequestDecision::Assemble(assembly) = decision else { return Ok(Decided::Plain(decision)) };
        let on_broken = self.on_broken();
        gather::assemble(assembly, self.bodies, on_broken).map(Decided::Assembled)
    }

    fn on_broken(&self) -> impl FnOnce(&BodyError) + Send + 'static {
        let metrics = self.metrics.clone();
        move |fault| metrics.broken(gather::outcome::of_fault(fault))
    }
}
