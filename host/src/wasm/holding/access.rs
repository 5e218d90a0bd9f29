//! How an instance reaches what its filter has with the host.

use super::{Holding, Series};
use std::sync::Arc;

/// One instance's way.
#[derive(Debug)]
pub(in crate::wasm) struct Access {
    pub(super) holding: Arc<Holding>,
    /// The series that the instance has counted in, by their numbers, so that it takes no lock for the next time.
    series: Vec<Arc<Series>>,
    /// Whether something may come of the call that runs.
    pub(in crate::wasm) effective: bool,
}

impl Access {
    /// To this, with no call running.
    pub(in crate::wasm) fn to(holding: Arc<Holding>) -> Self {
        Self { holding, series: Vec::new(), effective: false }
    }

    /// The series of a number, if there is one.
    pub(super) fn series(&mut self, number: u32) -> Option<&Series> {
        let place = usize::try_from(number).ok()?;
        if place >= self.series.len() {
            self.series.extend(self.holding.catalog.from(self.series.len()));
        }
        self.series.get(place).map(|series| &**series)
    }
}
