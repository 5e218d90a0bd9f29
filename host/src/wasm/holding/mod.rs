//! What a filter has with the host beside its instances: metrics of its own, and a store.
//!
//! It is the filter's by name: all instances and versions share it, a new version finds what the one before left, and it goes
//! with the filter. A filter without the capabilities has an empty one, which costs an allocation and no more.

mod access;
mod entries;
mod metrics_api;
mod name;
mod series;
mod store_api;

pub use entries::{Entries, Entry, Full, Space, Swap};
pub use series::{Buckets, Catalog, Kind, Series, Undefined, Value};

pub(super) use access::Access;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// Of one filter.
#[derive(Debug, Default)]
pub struct Holding {
    /// Metrics of its own.
    pub catalog: Catalog,
    /// Its store.
    pub entries: Entries,
}

/// Of all filters, by their names.
#[derive(Debug, Default)]
pub struct Holdings(Mutex<BTreeMap<Arc<str>, Arc<Holding>>>);

impl Holdings {
    /// What the filter of this name has; nothing yet for one that is new.
    pub fn of(&self, filter: &Arc<str>) -> Arc<Holding> {
        Arc::clone(self.lock().entry(Arc::clone(filter)).or_default())
    }

    /// Lets go of what filters had that are no more. Their stores are empty for requests that they still serve.
    pub fn retain(&self, there: impl Fn(&str) -> bool) {
        let mut holdings = self.lock();
        let gone: Vec<_> = holdings.extract_if(.., |filter, _| !there(filter)).collect();
        drop(holdings);
        for (_, holding) in gone {
            holding.entries.clear();
        }
    }

    /// All of them, in the order of the names.
    pub fn all(&self) -> Vec<(Arc<str>, Arc<Holding>)> {
        self.lock().iter().map(|(filter, holding)| (Arc::clone(filter), Arc::clone(holding))).collect()
    }

    /// Gives room back that expired entries have. A bounded number of them, so that nobody waits.
    pub fn sweep(&self) {
        let now = Instant::now();
        self.all().iter().for_each(|(_, holding)| holding.entries.sweep(now));
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Arc<str>, Arc<Holding>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_of_the_same_name_has_what_was_left_and_one_that_came_back_has_nothing() {
        let (holdings, quota) = (Holdings::default(), Arc::<str>::from("quota"));
        let before = holdings.of(&quota);
        assert!(Arc::ptr_eq(&before, &holdings.of(&quota)));
        holdings.retain(|name| name == "quota");
        assert!(Arc::ptr_eq(&before, &holdings.of(&quota)));
        holdings.retain(|_| false);
        assert!(holdings.all().is_empty());
        assert!(!Arc::ptr_eq(&before, &holdings.of(&quota)));
    }
}
