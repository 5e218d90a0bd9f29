//! The series of a filter's own metrics.
//!
//! A series is looked up once, under a lock, and counted in without one. None is ever taken out.

use super::name;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Upper bounds of a histogram that has none of its own: durations in seconds, as the host's own histograms of requests have.
const BOUNDS: [f64; 14] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// What a series counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// Goes up.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts values by upper bounds.
    Histogram,
}

/// What tells a series from others of the filter.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    kind: Kind,
    name: String,
    labels: Vec<(String, String)>,
}

/// One line of a filter's metrics, or those of one histogram.
#[derive(Debug)]
pub struct Series {
    pub(super) key: Arc<Key>,
    /// What was counted.
    pub value: Value,
}

/// What was counted.
#[derive(Debug)]
pub enum Value {
    /// A counter. Beyond 2^64 it begins at 0, as after a restart.
    Count(AtomicU64),
    /// The bits of a gauge.
    Level(AtomicU64),
    /// A histogram.
    Buckets(Buckets),
}

/// Values by upper bounds.
#[derive(Debug)]
pub struct Buckets {
    bounds: Box<[f64]>,
    /// One for each bound, and one for what is above all of them.
    counts: Box<[AtomicU64]>,
    /// The bits of the sum.
    sum: AtomicU64,
}

/// Why a series was not defined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Undefined {
    /// Names, labels or bounds are not such as it may have.
    Invalid,
    /// There are as many as there may be.
    Full,
}

/// All series of a filter.
#[derive(Debug, Default)]
pub struct Catalog(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    by_key: HashMap<Arc<Key>, Arc<Series>>,
    /// In the order in which they came.
    all: Vec<Arc<Series>>,
}

impl Catalog {
    /// The series that is there of this one's kind, name and labels; else this one, which is there from now on.
    ///
    /// # Errors
    /// When `most` are there.
    pub fn define(&self, series: &Arc<Series>, most: usize) -> Result<Arc<Series>, Undefined> {
        let mut known = self.lock();
        if let Some(there) = known.by_key.get(&series.key) {
            return Ok(Arc::clone(there));
        }
        if known.all.len() >= most {
            return Err(Undefined::Full);
        }
        known.by_key.insert(Arc::clone(&series.key), Arc::clone(series));
        known.all.push(Arc::clone(series));
        Ok(Arc::clone(series))
    }

    /// The same where nothing may come of it: this one stays beside those that are there, as `apart` others do.
    pub(super) fn would_define(
        &self,
        series: &Arc<Series>,
        apart: usize,
        most: usize,
    ) -> Result<Arc<Series>, Undefined> {
        let known = self.lock();
        match known.by_key.get(&series.key) {
            Some(there) => Ok(Arc::clone(there)),
            None if known.all.len().saturating_add(apart) >= most => Err(Undefined::Full),
            None => Ok(Arc::clone(series)),
        }
    }

    /// All series.
    pub fn all(&self) -> Vec<Arc<Series>> {
        self.lock().all.clone()
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Series {
    /// One that nothing has been counted in. `bounds` are those of a histogram.
    ///
    /// # Errors
    /// When names, labels or bounds are not such as it may have.
    pub fn new(
        (kind, bounds): (Kind, Vec<f64>),
        name: String,
        mut labels: Vec<(String, String)>,
    ) -> Result<Self, Undefined> {
        labels.sort_unstable();
        if !name::is_metric(&name) || !name::are_labels(&labels) || !name::are_bounds(&bounds) {
            return Err(Undefined::Invalid);
        }
        Ok(Self { key: Arc::new(Key { kind, name, labels }), value: Value::new(kind, bounds) })
    }

    /// What it counts.
    pub fn kind(&self) -> Kind {
        self.key.kind
    }

    /// The metric's name, without the host's prefix.
    pub fn name(&self) -> &str {
        &self.key.name
    }

    /// In the order of their names.
    pub fn labels(&self) -> &[(String, String)] {
        &self.key.labels
    }

    /// Adds to a counter; false where it is none.
    pub(super) fn add(&self, by: u64) -> bool {
        let Value::Count(count) = &self.value else { return false };
        count.fetch_add(by, Ordering::Relaxed);
        true
    }

    /// Sets a gauge; false where it is none, or the value is no number.
    pub(super) fn set(&self, value: f64) -> bool {
        let Value::Level(level) = &self.value else { return false };
        if value.is_finite() {
            level.store(value.to_bits(), Ordering::Relaxed);
        }
        value.is_finite()
    }

    /// Adds to a gauge; false where it is none, or what would come of it is no number.
    pub(super) fn change(&self, by: f64) -> bool {
        let Value::Level(level) = &self.value else { return false };
        change(level, by)
    }

    /// Counts a value in a histogram; false where it is none, or the value is no number.
    pub(super) fn observe(&self, value: f64) -> bool {
        let Value::Buckets(buckets) = &self.value else { return false };
        buckets.observe(value)
    }
}

impl Value {
    fn new(kind: Kind, bounds: Vec<f64>) -> Self {
        match kind {
            Kind::Counter => Self::Count(AtomicU64::new(0)),
            Kind::Gauge => Self::Level(AtomicU64::new(0)),
            Kind::Histogram => {
                let bounds = if bounds.is_empty() { BOUNDS.to_vec() } else { bounds };
                let counts = (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect();
                Self::Buckets(Buckets { bounds: bounds.into(), counts, sum: AtomicU64::new(0) })
            }
        }
    }
}

impl Buckets {
    fn observe(&self, value: f64) -> bool {
        if !change(&self.sum, value) {
            return false;
        }
        let place = self.bounds.partition_point(|bound| *bound < value);
        if let Some(count) = self.counts.get(place) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        true
    }

    /// How many values are at or below each bound and above the one before, and above all of them (`+Inf`).
    pub fn counts(&self) -> Vec<(f64, u64)> {
        let bounds = self.bounds.iter().copied().chain([f64::INFINITY]);
        bounds.zip(self.counts.iter().map(|count| count.load(Ordering::Relaxed))).collect()
    }

    /// All values together.
    pub fn sum(&self) -> f64 {
        f64::from_bits(self.sum.load(Ordering::Relaxed))
    }
}

/// Adds to a number that is held as its bits, unless what would come of it is none.
fn change(bits: &AtomicU64, by: f64) -> bool {
    let after = |before| Some(f64::from_bits(before) + by).filter(|sum| sum.is_finite()).map(f64::to_bits);
    bits.fetch_update(Ordering::Relaxed, Ordering::Relaxed, after).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(kind: Kind, labels: &[(&str, &str)]) -> Arc<Series> {
        let labels = labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Arc::new(Series::new((kind, Vec::new()), "x".into(), labels).unwrap())
    }

    fn define(catalog: &Catalog, kind: Kind, label: &str) -> Result<Arc<Series>, Undefined> {
        catalog.define(&series(kind, &[("z", label), ("a", "1")]), 2)
    }

    #[test]
    fn a_series_is_the_same_however_often_it_is_defined_and_no_more_are_made_than_may_be() {
        let catalog = Catalog::default();
        let one = define(&catalog, Kind::Counter, "one").unwrap();
        let other_order = catalog.define(&series(Kind::Counter, &[("a", "1"), ("z", "one")]), 2).unwrap();
        let gauge = define(&catalog, Kind::Gauge, "one").unwrap();
        assert!(Arc::ptr_eq(&one, &other_order) && !Arc::ptr_eq(&one, &gauge), "another kind is another series");
        assert_eq!(define(&catalog, Kind::Counter, "two").err(), Some(Undefined::Full));
        assert!(Arc::ptr_eq(&one, &define(&catalog, Kind::Counter, "one").unwrap()), "what is there stays");
        assert_eq!(Series::new((Kind::Gauge, Vec::new()), "a-b".into(), Vec::new()).err(), Some(Undefined::Invalid));
        assert_eq!(catalog.all().len(), 2);
    }

    #[test]
    fn what_is_no_number_or_of_another_kind_counts_nothing() {
        let gauge = series(Kind::Gauge, &[]);
        assert!(gauge.set(2.0) && gauge.change(-0.5));
        assert!(!gauge.set(f64::NAN) && !gauge.change(f64::INFINITY) && !gauge.add(1) && !gauge.observe(1.0));
        assert!(gauge.set(f64::MAX) && !gauge.change(f64::MAX), "a sum that is none");
        let Value::Level(level) = &gauge.value else { panic!("{gauge:?}") };
        assert_eq!(level.load(Ordering::Relaxed), f64::MAX.to_bits());
    }

    #[test]
    fn a_value_counts_in_the_bucket_of_the_bound_that_it_is_at_or_below() {
        let series = Series::new((Kind::Histogram, vec![1.0, 2.0]), "x".into(), Vec::new()).unwrap();
        assert!([0.5, 1.0, 1.5, 9.0].iter().all(|value| series.observe(*value)) && !series.observe(f64::NAN));
        let Value::Buckets(buckets) = &series.value else { panic!("{series:?}") };
        assert_eq!(buckets.counts(), [(1.0, 2), (2.0, 1), (f64::INFINITY, 1)]);
        assert!((buckets.sum() - 12.0).abs() < 1e-9);
    }

    #[test]
    fn threads_that_change_a_gauge_at_once_lose_nothing() {
        let gauge = series(Kind::Gauge, &[]);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..1_000).for_each(|_| assert!(gauge.change(1.0))));
            }
        });
        let Value::Level(level) = &gauge.value else { panic!("{gauge:?}") };
        assert_eq!(level.load(Ordering::Relaxed), 4_000_f64.to_bits());
    }
}
