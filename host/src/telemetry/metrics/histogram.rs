//! Counters and histograms without locks.
//!
//! The library's histogram takes a lock for each observation, which two workers would wait for; this one costs three
//! additions in the thread's own cache lines.

use super::super::shard::Sharded;
use prometheus_client::encoding::{EncodeMetric, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use std::fmt;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

/// How long things take, in `N` buckets and one for all above.
#[derive(Debug)]
pub(super) struct Histogram<const N: usize>(Sharded<Buckets<N>>);

#[derive(Debug)]
pub(super) struct Buckets<const N: usize> {
    counts: [AtomicU64; N],
    above: AtomicU64,
    nanoseconds: AtomicU64,
}

impl<const N: usize> Default for Buckets<N> {
    fn default() -> Self {
        Self {
            counts: std::array::from_fn(|_| AtomicU64::new(0)),
            above: AtomicU64::new(0),
            nanoseconds: AtomicU64::new(0),
        }
    }
}

impl<const N: usize> Default for Histogram<N> {
    fn default() -> Self {
        Self(Sharded::default())
    }
}

impl<const N: usize> Buckets<N> {
    /// Counts one, by upper bounds in ascending order.
    pub(super) fn observe(&self, bounds: &[Duration; N], duration: Duration) {
        let index = bounds.iter().position(|bound| duration <= *bound);
        let count = index.and_then(|index| self.counts.get(index)).unwrap_or(&self.above);
        count.fetch_add(1, Ordering::Relaxed);
        let nanoseconds = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        self.nanoseconds.fetch_add(nanoseconds, Ordering::Relaxed);
    }

    /// How many were counted.
    pub(super) fn count(&self) -> u64 {
        self.counts.iter().chain([&self.above]).map(|count| count.load(Ordering::Relaxed)).sum()
    }

    /// Adds what was counted: by bound, with those above last, and all of their time.
    pub(super) fn add_to(&self, counts: &mut [u64], nanoseconds: &mut u64) {
        for (sum, count) in counts.iter_mut().zip(self.counts.iter().chain([&self.above])) {
            *sum += count.load(Ordering::Relaxed);
        }
        *nanoseconds += self.nanoseconds.load(Ordering::Relaxed);
    }

    /// Counts all that others have counted, too.
    pub(super) fn add(&self, other: &Self) {
        let others = other.counts.iter().chain([&other.above]);
        for (mine, theirs) in self.counts.iter().chain([&self.above]).zip(others) {
            mine.fetch_add(theirs.load(Ordering::Relaxed), Ordering::Relaxed);
        }
        self.nanoseconds.fetch_add(other.nanoseconds.load(Ordering::Relaxed), Ordering::Relaxed);
    }
}

impl<const N: usize> Histogram<N> {
    /// Counts one.
    pub(super) fn observe(&self, bounds: &[Duration; N], duration: Duration) {
        if let Some(mine) = self.0.mine() {
            mine.observe(bounds, duration);
        }
    }

    /// What has been counted.
    pub(super) fn total(&self, bounds: &'static [Duration; N]) -> Total {
        Total::of(self.0.all(), bounds)
    }
}

/// The sum of all threads' buckets, to be written.
#[derive(Debug)]
pub(super) struct Total {
    buckets: Vec<(f64, u64)>,
    count: u64,
    sum: f64,
}

impl Total {
    /// Adds up.
    pub(super) fn of<'a, const N: usize>(
        shards: impl Iterator<Item = &'a Buckets<N>>,
        bounds: &'static [Duration; N],
    ) -> Self {
        let bounds = bounds.iter().map(Duration::as_secs_f64).chain([f64::INFINITY]);
        let mut total = Self { buckets: bounds.map(|bound| (bound, 0)).collect(), count: 0, sum: 0.0 };
        for shard in shards {
            for (bucket, count) in total.buckets.iter_mut().zip(shard.counts.iter().chain([&shard.above])) {
                let count = count.load(Ordering::Relaxed);
                bucket.1 += count;
                total.count += count;
            }
            total.sum += Duration::from_nanos(shard.nanoseconds.load(Ordering::Relaxed)).as_secs_f64();
        }
        total
    }

    /// Whether nothing has been counted.
    pub(super) fn is_empty(&self) -> bool {
        self.count == 0
    }
}

impl EncodeMetric for Total {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> Result<(), fmt::Error> {
        encoder.encode_histogram::<NoLabelSet>(self.sum, self.count, &self.buckets, None)
    }

    fn metric_type(&self) -> MetricType {
        MetricType::Histogram
    }
}

/// Something that is counted, by each thread apart.
#[derive(Debug, Default)]
pub(super) struct Counter(Sharded<AtomicU64>);

impl Counter {
    /// One more.
    pub(super) fn add(&self) {
        if let Some(mine) = self.0.mine() {
            mine.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// How many.
    pub(super) fn total(&self) -> Count {
        Count(self.0.all().map(|one| one.load(Ordering::Relaxed)).sum())
    }
}

/// Something that goes up and down, by each thread apart.
#[derive(Debug, Default)]
pub(super) struct Level(Sharded<AtomicI64>);

impl Level {
    /// Up or down by so many. A thread may take down what another put up.
    pub(super) fn change(&self, by: i64) {
        if let Some(mine) = self.0.mine() {
            mine.fetch_add(by, Ordering::Relaxed);
        }
    }

    /// How many there are.
    pub(super) fn total(&self) -> Amount {
        Amount(self.0.all().map(|one| one.load(Ordering::Relaxed)).sum())
    }
}

/// A count, to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Count(pub(super) u64);

impl EncodeMetric for Count {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> Result<(), fmt::Error> {
        encoder.encode_counter::<NoLabelSet, _, u64>(&self.0, None)
    }

    fn metric_type(&self) -> MetricType {
        MetricType::Counter
    }
}

/// A level, to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Amount(pub(super) i64);

impl EncodeMetric for Amount {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> Result<(), fmt::Error> {
        encoder.encode_gauge(&self.0)
    }

    fn metric_type(&self) -> MetricType {
        MetricType::Gauge
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: [Duration; 2] = [Duration::from_millis(1), Duration::from_millis(10)];

    #[test]
    fn a_bound_belongs_to_its_bucket() {
        let histogram = Histogram::<2>::default();
        for milliseconds in [0, 1, 2, 10, 11] {
            histogram.observe(&BOUNDS, Duration::from_millis(milliseconds));
        }
        let total = histogram.total(&BOUNDS);
        assert_eq!(total.buckets, [(0.001, 2), (0.01, 2), (f64::INFINITY, 1)]);
        assert_eq!(total.count, 5);
        assert!((total.sum - 0.024).abs() < 1e-9);
    }

    #[test]
    fn what_one_thread_puts_up_another_takes_down() {
        let level = Level::default();
        level.change(1);
        std::thread::scope(|scope| scope.spawn(|| level.change(-1)).join().unwrap());
        assert_eq!(level.total(), Amount(0));
    }
}
