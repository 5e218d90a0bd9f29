//! What the loader does between loads: spare instances for the next change, and new ones for those that are too old.

use super::Loader;
use crate::config::limits;
use std::time::Instant;

impl Loader {
    /// Readies a spare instance for the next change where that is due, and says whether there was something to do. It takes
    /// as long as configuring one instance.
    pub fn prepare_spare(&mut self) -> bool {
        let Some(due) = self.spares_due else { return false };
        if due <= Instant::now() {
            self.configured.keys().for_each(|name| self.rollouts.release(name));
        }
        let mut filters = self.configured.values().map(|known| &known.filter);
        let other_versions = filters.clone().any(|filter| filter.has_other_versions());
        if other_versions && due > Instant::now() {
            return false;
        }
        if !filters.any(|filter| filter.prepare_spare()) {
            self.spares_due = None;
        }
        true
    }

    /// Replaces instances that are older than the operator wants, and gives back what expired in stores, where that is due.
    pub fn recycle(&mut self) {
        if self.recycled.elapsed() >= limits::RECYCLE_LOOK {
            self.configured.values().for_each(|known| known.filter.recycle_old());
            self.telemetry.metrics.holdings().sweep();
            self.recycled = Instant::now();
        }
    }
}
