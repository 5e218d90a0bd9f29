//! Versions that decide no more give their instances back, however long a request holds them.
//!
//! A stream or a WebSocket keeps the snapshot that it began with, and all versions in it, for as long as it lasts. Their
//! instances are of no use to it, except for the few calls that are still to come, for which they are made anew.

use super::super::load::Loader;
use super::versions::Rollouts;
use crate::wasm::Filter;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

/// How long a version keeps its instances after its last request has begun: most requests are over by then, and nobody has to
/// wait for an instance.
const GRACE: Duration = Duration::from_secs(1);

/// A version that is in no snapshot any more, or will not be in the next one.
#[derive(Debug)]
pub(super) struct Leaving {
    filter: Weak<Filter>,
    since: Instant,
}

impl Rollouts {
    /// Has a version give its instances back in a moment.
    pub(super) fn leaves(&mut self, filter: &Arc<Filter>) {
        self.leaving.push(Leaving { filter: Arc::downgrade(filter), since: Instant::now() });
    }

    /// Those whose time is up.
    fn left(&mut self, now: Instant) -> Vec<Arc<Filter>> {
        let due = |leaving: &mut Leaving| now.saturating_duration_since(leaving.since) >= GRACE;
        self.leaving.extract_if(.., due).filter_map(|leaving| leaving.filter.upgrade()).collect()
    }

    /// Whether a version is tried, or is what a newer one goes back to.
    fn counts_on(&self, filter: &Arc<Filter>) -> bool {
        let tried = self.trials.values().map(|trial| &trial.new);
        let mut known = tried.chain(self.watches.values().map(|watch| &watch.old));
        known.any(|known| Arc::ptr_eq(&known.filter, filter))
    }
}

impl Loader {
    /// Takes back the instances of versions that decide no more, unless they have come into force again.
    pub(in crate::reload) fn take_instances(&mut self) {
        for filter in self.rollouts.left(Instant::now()) {
            let in_force = self.configured.get(&*filter.name).is_some_and(|known| Arc::ptr_eq(&known.filter, &filter));
            if !in_force && !self.rollouts.counts_on(&filter) {
                filter.release();
            }
        }
    }
}
