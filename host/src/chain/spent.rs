//! How long filters have taken for one request.
//!
//! Only calls that take longer than the engine's clock ticks count: all others together cannot come near a bound, as a filter is
//! called a dozen times at most. So an ordinary request keeps no books.

use super::Link;
use crate::config::limits;
use crate::wasm::{Failure, making};
use std::time::Duration;

/// The time of each filter that took long, by its place in the chain.
#[derive(Debug, Default)]
pub(super) struct Spent(Vec<(usize, Duration)>);

impl Spent {
    /// Adds a call. The time beyond the call's own deadline was given to other threads, as the engine ends a call by the
    /// processor's time; but for an instance that had to be made for it, which counts in full.
    pub(super) fn add(&mut self, place: usize, link: &Link, took: Duration) {
        if took < limits::FILTER_TICK {
            return;
        }
        let took = took.min(link.filter.settings.deadline.saturating_add(making::take()));
        match self.0.iter_mut().find(|(known, _)| *known == place) {
            Some((_, spent)) => *spent += took,
            None => self.0.push((place, took)),
        }
    }

    /// Whether the filter at this place may be called once more.
    ///
    /// # Errors
    /// When its calls for the request have taken all their time.
    pub(super) fn check(&self, place: usize, link: &Link) -> Result<(), Failure> {
        let Some((_, spent)) = self.0.iter().find(|(known, _)| *known == place) else { return Ok(()) };
        let failure =
            if *spent < link.filter.settings.bounds.request_time { return Ok(()) } else { Failure::out_of_time() };
        link.filter.count(&failure);
        Err(failure)
    }
}
