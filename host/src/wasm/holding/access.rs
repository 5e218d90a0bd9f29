//! How an instance reaches what its filter has with the host.

use super::series::Key;
use super::{Holding, Series, Undefined};
use std::collections::HashMap;
use std::sync::Arc;

/// One instance's way.
#[derive(Debug)]
pub(in crate::wasm) struct Access {
    pub(super) holding: Arc<Holding>,
    /// The series that the instance has defined, by the numbers that it knows them by, so that it takes no lock to count.
    defined: Vec<Defined>,
    numbers: HashMap<Arc<Key>, u32>,
    /// How many of them are the instance's own.
    apart: usize,
    /// Whether something may come of the call that runs.
    pub(in crate::wasm) effective: bool,
}

/// A series as one instance knows it.
#[derive(Debug)]
struct Defined {
    series: Arc<Series>,
    /// Whether it is the filter's. What was defined while nothing could come of it is the instance's own until something
    /// counts in it: no version that is only tried takes a place that one in force needs.
    shared: bool,
}

impl Access {
    /// To this, with no call running.
    pub(in crate::wasm) fn to(holding: Arc<Holding>) -> Self {
        Self { holding, defined: Vec::new(), numbers: HashMap::new(), apart: 0, effective: false }
    }

    /// The number of a series, of which there may be so many.
    ///
    /// # Errors
    /// When there are.
    pub(super) fn define(&mut self, series: Series, most: usize) -> Result<u32, Undefined> {
        if let Some(number) = self.numbers.get(&series.key).copied() {
            let defined = !self.effective || self.series(number, most).is_some();
            return defined.then_some(number).ok_or(Undefined::Full);
        }
        let number = u32::try_from(self.defined.len()).map_err(|_| Undefined::Full)?;
        let (own, catalog) = (Arc::new(series), &self.holding.catalog);
        let series =
            if self.effective { catalog.define(&own, most)? } else { catalog.would_define(&own, self.apart, most)? };
        let shared = self.effective || !Arc::ptr_eq(&own, &series);
        self.apart += usize::from(!shared);
        self.numbers.insert(Arc::clone(&series.key), number);
        self.defined.push(Defined { series, shared });
        Ok(number)
    }

    /// The series of a number, which is the filter's from now on. None where there is none, or as many as there may be.
    pub(super) fn series(&mut self, number: u32, most: usize) -> Option<&Series> {
        let defined = self.defined.get_mut(usize::try_from(number).ok()?)?;
        if !defined.shared {
            defined.series = self.holding.catalog.define(&defined.series, most).ok()?;
            defined.shared = true;
            self.apart = self.apart.saturating_sub(1);
        }
        Some(&defined.series)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Kind, Value};
    use super::*;
    use std::sync::atomic::Ordering;

    const MOST: usize = 2;

    fn access(holding: &Arc<Holding>, effective: bool) -> Access {
        Access { effective, ..Access::to(Arc::clone(holding)) }
    }

    fn define(access: &mut Access, name: &str) -> Result<u32, Undefined> {
        access.define(Series::new((Kind::Counter, Vec::new()), name.into(), Vec::new())?, MOST)
    }

    fn names(holding: &Holding) -> Vec<String> {
        holding.catalog.all().iter().map(|series| series.name().to_owned()).collect()
    }

    #[test]
    fn what_is_defined_where_nothing_may_come_of_it_takes_no_place_and_has_the_same_bounds() {
        let holding = Arc::<Holding>::default();
        let (mut tried, mut in_force) = (access(&holding, false), access(&holding, true));
        let told = ["a", "b", "c", "a"].map(|name| define(&mut tried, name));
        assert_eq!(told, [Ok(0), Ok(1), Err(Undefined::Full), Ok(0)]);
        assert!(names(&holding).is_empty());
        assert_eq!(["d", "b"].map(|name| define(&mut in_force, name)), [Ok(0), Ok(1)]);
        tried.effective = true;
        assert!(tried.series(0, MOST).is_none(), "there is no place any more");
        assert_eq!((define(&mut tried, "a"), define(&mut tried, "d")), (Err(Undefined::Full), Ok(2)));
        assert!(tried.series(1, MOST).is_some_and(|series| series.add(1)));
        let Value::Count(count) = &in_force.series(1, MOST).unwrap().value else { panic!("a counter") };
        assert_eq!(count.load(Ordering::Relaxed), 1, "both count together");
    }

    #[test]
    fn what_was_defined_before_it_counted_is_the_filters_once_it_does() {
        let holding = Arc::<Holding>::default();
        let mut instance = access(&holding, false);
        assert_eq!((define(&mut instance, "a"), define(&mut instance, "b")), (Ok(0), Ok(1)));
        instance.effective = true;
        assert!(instance.series(1, MOST).is_some());
        assert_eq!(names(&holding), ["b"]);
        assert_eq!(define(&mut instance, "a"), Ok(0));
        assert_eq!(names(&holding), ["b", "a"]);
        assert_eq!(instance.apart, 0);
        assert!(instance.series(2, MOST).is_none());
    }
}
