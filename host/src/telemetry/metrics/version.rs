//! What one loaded version of a filter does, for those who compare it with another; and the series that all versions of
//! one name and number add up to.

use super::super::call::CallEnd;
use super::super::shard::Sharded;
use super::call::NamedCalls;
use super::filter::{CallResult, Phase};
use super::histogram::{Buckets, Total};
use crate::wasm::{Bound, Guard, Meter};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

/// A warm call takes a microsecond; 10 ms is the default deadline, a second is the longest.
pub(super) const BOUNDS: [Duration; 14] = [
    Duration::from_micros(1),
    Duration::from_nanos(2_500),
    Duration::from_micros(5),
    Duration::from_micros(10),
    Duration::from_micros(25),
    Duration::from_micros(50),
    Duration::from_micros(100),
    Duration::from_micros(250),
    Duration::from_millis(1),
    Duration::from_micros(2_500),
    Duration::from_millis(10),
    Duration::from_millis(25),
    Duration::from_millis(100),
    Duration::from_secs(1),
];

/// The counters of one loaded version of a filter: one component, one configuration.
#[derive(Debug, Default)]
pub struct FilterMetrics {
    calls: Arc<Sharded<Calls>>,
    /// Requests that could not be carried out because of what it decided, and those that it answered with 5xx itself.
    errors: AtomicU64,
    series: Arc<FilterSeries>,
}

/// What all loaded versions of one name and number have counted.
#[derive(Debug, Default)]
pub(super) struct FilterSeries {
    /// The calls of plans that it has made for it.
    pub(super) gathered: NamedCalls,
    counts: Mutex<Counts>,
    /// How often one of them was put in quarantine.
    quarantines: Arc<AtomicU64>,
    /// What they were refused, and what is under way for them.
    meter: Arc<Meter>,
}

#[derive(Debug, Default)]
struct Counts {
    /// Of the component that was loaded last.
    digest: String,
    /// Of versions that can still count.
    live: Vec<Arc<Sharded<Calls>>>,
    /// Of all others.
    past: Calls,
    guards: Vec<Weak<Guard>>,
}

/// One thread's counters, by phase.
#[derive(Debug, Default)]
struct Calls([PhaseCalls; Phase::ALL.len()]);

#[derive(Debug, Default)]
struct PhaseCalls {
    results: [AtomicU64; CallResult::ALL.len()],
    durations: Buckets<{ BOUNDS.len() }>,
}

/// What a version has done so far.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FilterFigures {
    /// Calls of hooks that serve requests and events, failed ones included.
    pub calls: u64,
    /// Those that trapped.
    pub traps: u64,
    /// Those that took too long.
    pub deadlines: u64,
    /// Those that wanted too much memory.
    pub memory: u64,
    /// Those whose decision breaks a rule, is too large or reaches too far.
    pub invalid: u64,
    /// Requests that could not be carried out because of what it decided, and those that it answered with 5xx itself.
    pub errors: u64,
    /// How long calls took, by phase; phases without a call are left out.
    pub durations: Vec<(&'static str, Durations)>,
}

/// How long calls took: how many within each of [`Durations::bounds`], and above all of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Durations {
    /// One for each bound, and one for what took longer than the last.
    pub counts: Vec<u64>,
    /// All together, in nanoseconds.
    pub nanoseconds: u64,
}

impl Durations {
    /// The upper bounds, ascending.
    pub fn bounds() -> &'static [Duration] {
        &BOUNDS
    }

    /// How many calls.
    pub fn calls(&self) -> u64 {
        self.counts.iter().sum()
    }

    fn since(&self, before: &Self) -> Self {
        let earlier = before.counts.iter().copied().chain(std::iter::repeat(0));
        let counts = self.counts.iter().zip(earlier).map(|(now, then)| now.saturating_sub(then)).collect();
        Self { counts, nanoseconds: self.nanoseconds.saturating_sub(before.nanoseconds) }
    }
}

impl FilterFigures {
    /// Calls that came to no decision.
    pub fn failures(&self) -> u64 {
        self.traps + self.deadlines + self.memory + self.invalid
    }

    /// What was done since earlier figures of the same version.
    #[must_use]
    pub fn since(&self, before: &Self) -> Self {
        let earlier = |phase| before.durations.iter().find(|(known, _)| *known == phase).map(|(_, then)| then);
        let durations = self.durations.iter().map(|(phase, now)| {
            let since = earlier(*phase).map_or_else(|| now.clone(), |then| now.since(then));
            (*phase, since)
        });
        Self {
            calls: self.calls.saturating_sub(before.calls),
            traps: self.traps.saturating_sub(before.traps),
            deadlines: self.deadlines.saturating_sub(before.deadlines),
            memory: self.memory.saturating_sub(before.memory),
            invalid: self.invalid.saturating_sub(before.invalid),
            errors: self.errors.saturating_sub(before.errors),
            durations: durations.collect(),
        }
    }
}

impl FilterMetrics {
    /// Counters that add to a series.
    pub(super) fn joining(series: Arc<FilterSeries>, digest: &str) -> Self {
        let metrics = Self { calls: Arc::default(), errors: AtomicU64::new(0), series };
        let mut counts = metrics.series.counts();
        digest.clone_into(&mut counts.digest);
        counts.live.push(Arc::clone(&metrics.calls));
        drop(counts);
        metrics
    }

    /// Shows whether the version is in quarantine, too.
    pub fn show(&self, guard: &Arc<Guard>) {
        guard.count_in(Arc::clone(&self.series.quarantines));
        let mut counts = self.series.counts();
        counts.guards.retain(|guard| guard.strong_count() > 0);
        counts.guards.push(Arc::downgrade(guard));
    }

    /// Counts a call. Lock-free.
    pub fn observe(&self, phase: Phase, result: CallResult, duration: Duration) {
        let Some(calls) = self.calls.mine().and_then(|calls| calls.0.get(phase as usize)) else { return };
        if let Some(count) = calls.results.get(result as usize) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        calls.durations.observe(&BOUNDS, duration);
    }

    /// Counts a call that was not made, for one of the reasons for that.
    pub fn skipped(&self, phase: Phase, result: CallResult) {
        let calls = self.calls.mine().and_then(|calls| calls.0.get(phase as usize));
        if let Some(count) = calls.and_then(|calls| calls.results.get(result as usize)) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Counts a request that could not be carried out because of what the filter decided, or that it answered with 5xx.
    pub fn erred(&self) {
        self.errors.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a call of a plan, by its name.
    pub fn gathered(&self, name: &str, end: CallEnd, duration: Duration) {
        self.series.gathered.observe(name, end, duration);
    }

    /// What its instances count together.
    pub fn meter(&self) -> &Arc<Meter> {
        &self.series.meter
    }

    /// How many calls were made in a phase, failed ones included.
    pub fn calls(&self, phase: Phase) -> u64 {
        let made = |calls: &Calls| calls.0.get(phase as usize).map(|calls| calls.durations.count());
        self.calls.all().filter_map(made).sum()
    }

    /// What this version has done so far.
    pub fn figures(&self) -> FilterFigures {
        let mut figures = FilterFigures { errors: self.errors.load(Ordering::Relaxed), ..FilterFigures::default() };
        let served = Phase::ALL.iter().filter(|(phase, _)| !matches!(phase, Phase::Explain | Phase::Configure));
        for (phase, name) in served {
            let count = |result| self.calls.all().map(|calls| calls.count(*phase, result)).sum::<u64>();
            figures.traps += count(CallResult::Trap);
            figures.deadlines += count(CallResult::Deadline);
            figures.memory += count(CallResult::Memory);
            figures.invalid += count(CallResult::Invalid) + count(CallResult::Denied) + count(CallResult::Limit);
            let mut durations = Durations { counts: vec![0; BOUNDS.len() + 1], nanoseconds: 0 };
            for calls in self.calls.all().filter_map(|calls| calls.0.get(*phase as usize)) {
                calls.durations.add_to(&mut durations.counts, &mut durations.nanoseconds);
            }
            if durations.calls() > 0 {
                figures.calls += durations.calls();
                figures.durations.push((name, durations));
            }
        }
        figures
    }
}

impl Drop for FilterMetrics {
    /// What was counted stays counted for as long as there is another version of the same number.
    fn drop(&mut self) {
        let mut counts = self.series.counts();
        let Counts { live, past, .. } = &mut *counts;
        live.retain(|calls| !Arc::ptr_eq(calls, &self.calls));
        self.calls.all().for_each(|calls| past.add(calls));
    }
}

impl Calls {
    fn count(&self, phase: Phase, result: CallResult) -> u64 {
        let calls = self.0.get(phase as usize).and_then(|calls| calls.results.get(result as usize));
        calls.map_or(0, |count| count.load(Ordering::Relaxed))
    }

    fn add(&self, other: &Self) {
        for (mine, theirs) in self.0.iter().zip(&other.0) {
            for (mine, theirs) in mine.results.iter().zip(&theirs.results) {
                mine.fetch_add(theirs.load(Ordering::Relaxed), Ordering::Relaxed);
            }
            mine.durations.add(&theirs.durations);
        }
    }
}

impl FilterSeries {
    pub(super) fn digest(&self) -> String {
        self.counts().digest.clone()
    }

    pub(super) fn instances(&self) -> usize {
        self.meter.instances()
    }

    pub(super) fn count(&self, phase: Phase, result: CallResult) -> u64 {
        let counts = self.counts();
        let live = counts.live.iter().flat_map(|calls| calls.all());
        live.chain([&counts.past]).map(|calls| calls.count(phase, result)).sum()
    }

    pub(super) fn durations(&self, phase: Phase) -> Total {
        let counts = self.counts();
        let live = counts.live.iter().flat_map(|calls| calls.all());
        let shards = live.chain([&counts.past]).filter_map(|calls| calls.0.get(phase as usize));
        Total::of(shards.map(|calls| &calls.durations), &BOUNDS)
    }

    pub(super) fn is_quarantined(&self) -> bool {
        self.counts().guards.iter().filter_map(Weak::upgrade).any(|guard| guard.is_quarantined())
    }

    pub(super) fn refusals(&self, bound: Bound) -> u64 {
        self.meter.refusals.of(bound)
    }

    pub(super) fn quarantines(&self) -> u64 {
        self.quarantines.load(Ordering::Relaxed)
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn called(metrics: &FilterMetrics, result: CallResult) {
        metrics.observe(Phase::Request, result, Duration::from_millis(2));
    }

    #[test]
    fn each_version_has_its_own_figures_and_the_series_has_all() {
        let series = Arc::<FilterSeries>::default();
        let old = FilterMetrics::joining(Arc::clone(&series), "a");
        let new = FilterMetrics::joining(Arc::clone(&series), "b");
        called(&old, CallResult::Next);
        called(&new, CallResult::Next);
        called(&new, CallResult::Trap);
        new.erred();
        assert_eq!((old.figures().calls, old.figures().failures()), (1, 0));
        let figures = new.figures();
        assert_eq!((figures.calls, figures.traps, figures.errors), (2, 1, 1));
        assert_eq!(figures.durations[0].1.nanoseconds, 4_000_000);
        drop(old);
        assert_eq!(series.count(Phase::Request, CallResult::Next), 2, "nothing that was counted is lost");
        assert_eq!(series.digest(), "b");
    }

    #[test]
    fn figures_since_a_moment_leave_out_what_was_before() {
        let metrics = FilterMetrics::default();
        called(&metrics, CallResult::Trap);
        let before = metrics.figures();
        called(&metrics, CallResult::Next);
        metrics.skipped(Phase::Request, CallResult::Quarantined);
        let since = metrics.figures().since(&before);
        assert_eq!((since.calls, since.failures()), (1, 0));
        assert_eq!(since.durations[0].1.calls(), 1);
        assert_eq!(since.durations[0].1.nanoseconds, 2_000_000);
    }
}
