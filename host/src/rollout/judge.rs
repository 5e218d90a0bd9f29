//! What counts as worse.

use super::evidence::Count;
use crate::telemetry::metrics::{Durations, FilterFigures};
use std::fmt;
use std::time::Duration;

/// Failed calls that are no reason to take a version back, whatever the one before did.
const TOLERATED_FAILURES: f64 = 0.001;
/// Requests that may go wrong by what a version decides: a service that has no endpoint for a moment is no reason.
const TOLERATED_ERRORS: f64 = 0.01;
/// A share of calls that may take longer than nearly all of the version before.
const TOLERATED_SLOW: f64 = 0.05;
/// What no client notices: caches that are cold, a thread that is put aside. Calls within it are never slow, and a version
/// is not slower whose calls take less than this longer on average.
const UNNOTICED: Duration = Duration::from_millis(1);
/// Bad calls below which nothing is said: one odd request may be sent again and again.
const LEAST_BAD: u64 = 5;
/// Calls of the new version below which nothing is said of its speed: the first ones are slow by nature.
const LEAST_TIMED: u64 = 20;
/// Calls of the version before that say how long calls take.
const LEAST_KNOWN: u64 = 100;

/// Why a version is worse than the one before.
#[derive(Debug, Clone, PartialEq)]
pub enum Fault {
    /// Its calls fail more often.
    Failures {
        /// Its figures.
        new: FilterFigures,
        /// Those of the version before.
        old: Count,
    },
    /// More requests go wrong because of what it decides.
    Errors {
        /// Its requests.
        new: Count,
        /// Those of the version before.
        old: Count,
    },
    /// Its calls take longer.
    Latency {
        /// The hook.
        hook: &'static str,
        /// Calls that took longer than `bound`.
        new: Count,
        /// The same of the version before.
        old: Count,
        /// What nearly all calls of the version before kept to.
        bound: Duration,
        /// What a call takes on average, before and now.
        means: (Duration, Duration),
    },
}

/// What is wrong with a version, by what it has done and what the one before has done.
pub fn worse(new: &FilterFigures, old: &FilterFigures) -> Option<Fault> {
    failures(new, old).or_else(|| errors(new, old)).or_else(|| latency(new, old))
}

fn failures(new: &FilterFigures, old: &FilterFigures) -> Option<Fault> {
    let count = |figures: &FilterFigures| Count { bad: figures.failures(), all: figures.calls };
    let guilty = new.failures() >= LEAST_BAD && count(new).is_worse_than(count(old), TOLERATED_FAILURES);
    guilty.then(|| Fault::Failures { new: new.clone(), old: count(old) })
}

fn errors(new: &FilterFigures, old: &FilterFigures) -> Option<Fault> {
    let count = |figures: &FilterFigures| {
        let requests = figures.durations.iter().find(|(hook, _)| *hook == "request");
        Count { bad: figures.errors, all: requests.map_or(0, |(_, requests)| requests.calls()).max(figures.errors) }
    };
    let (new, old) = (count(new), count(old));
    let guilty = new.bad >= LEAST_BAD && new.is_worse_than(old, TOLERATED_ERRORS);
    guilty.then_some(Fault::Errors { new, old })
}

fn latency(new: &FilterFigures, old: &FilterFigures) -> Option<Fault> {
    let known = |hook: &str| old.durations.iter().find(|(known, _)| *known == hook).map(|(_, durations)| durations);
    new.durations.iter().find_map(|(hook, durations)| slower(hook, durations, known(hook)?))
}

fn slower(hook: &'static str, new: &Durations, old: &Durations) -> Option<Fault> {
    if new.calls() < LEAST_TIMED || old.calls() < LEAST_KNOWN {
        return None;
    }
    let bounds = Durations::bounds().iter().enumerate().filter(|(_, bound)| **bound >= UNNOTICED);
    let above = |durations: &Durations, index: usize| Count {
        bad: durations.counts.iter().skip(index + 1).sum(),
        all: durations.calls(),
    };
    let (index, bound) = bounds.into_iter().find(|(index, _)| above(old, *index).share() <= TOLERATED_SLOW)?;
    let (slow, known) = (above(new, index), above(old, index));
    let means = (mean(old), mean(new));
    let guilty = means.1.saturating_sub(means.0) >= UNNOTICED && slow.is_worse_than(known, TOLERATED_SLOW);
    guilty.then_some(Fault::Latency { hook, new: slow, old: known, bound: *bound, means })
}

fn mean(durations: &Durations) -> Duration {
    Duration::from_nanos(durations.nanoseconds / durations.calls().max(1))
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failures { new, old } => {
                let (failed, calls) = (new.failures(), new.calls);
                write!(formatter, "{failed} of {calls} calls failed (")?;
                let kinds = [
                    (new.traps, "trapped"),
                    (new.deadlines, "took too long"),
                    (new.memory, "wanted too much memory"),
                    (new.invalid, "decided what cannot be done"),
                ];
                let kinds = kinds.into_iter().filter(|(count, _)| *count > 0);
                let kinds: Vec<String> = kinds.map(|(count, kind)| format!("{count} {kind}")).collect();
                write!(formatter, "{}), against {} of {} of the version before", kinds.join(", "), old.bad, old.all)
            }
            Self::Errors { new, old } => write!(
                formatter,
                "{} of {} requests went wrong by its decisions, against {} of {} of the version before",
                new.bad, new.all, old.bad, old.all
            ),
            Self::Latency { hook, new, old, bound, means } => write!(
                formatter,
                "{} of {} calls of {hook} took longer than {bound:?}, against {} of {} of the version before; on average \
                 {:.1?}, against {:.1?}",
                new.bad, new.all, old.bad, old.all, means.1, means.0
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Calls of a hook, as many of each duration.
    fn figures(calls: &[(Duration, u64)]) -> FilterFigures {
        let mut durations = Durations { counts: vec![0; Durations::bounds().len() + 1], nanoseconds: 0 };
        for (took, count) in calls {
            let bound = Durations::bounds().iter().position(|bound| took <= bound);
            durations.counts[bound.unwrap_or(Durations::bounds().len())] += count;
            durations.nanoseconds += u64::try_from(took.as_nanos()).unwrap() * count;
        }
        FilterFigures { calls: durations.calls(), durations: vec![("request", durations)], ..FilterFigures::default() }
    }

    const QUICK: Duration = Duration::from_micros(3);

    #[test]
    fn twenty_milliseconds_more_are_found_after_the_first_few_calls() {
        let old = figures(&[(QUICK, 10_000)]);
        let slow = QUICK + Duration::from_millis(20);
        assert!(worse(&figures(&[(slow, 19)]), &old).is_none());
        let fault = worse(&figures(&[(slow, 20)]), &old).unwrap().to_string();
        let expected = "20 of 20 calls of request took longer than 1ms, against 0 of 10000 of the version before";
        assert!(fault.starts_with(expected), "{fault}");
        // Also where calls took long before.
        let old = figures(&[(Duration::from_millis(12), 10_000)]);
        assert!(worse(&figures(&[(Duration::from_millis(32), 20)]), &old).is_some());
    }

    #[test]
    fn twenty_milliseconds_on_every_tenth_call_are_found_too() {
        let old = figures(&[(QUICK, 10_000)]);
        let tenth = |calls: u64| figures(&[(QUICK, calls * 9 / 10), (QUICK + Duration::from_millis(20), calls / 10)]);
        assert!(worse(&tenth(100), &old).is_none(), "it could be chance");
        assert!(worse(&tenth(1_000), &old).is_some());
    }

    #[test]
    fn noise_is_no_latency() {
        let old = figures(&[(QUICK, 100_000)]);
        // Caches that are cold, and a thread that was put aside for 50 ms now and then.
        let noisy = figures(&[(Duration::from_micros(400), 500), (Duration::from_millis(50), 20), (QUICK, 1_000)]);
        assert!(worse(&noisy, &old).is_none());
        // Half as long again, but less than anybody notices.
        let old = figures(&[(Duration::from_micros(800), 10_000)]);
        assert!(worse(&figures(&[(Duration::from_micros(1_200), 10_000)]), &old).is_none());
    }

    #[test]
    fn a_version_before_that_was_hardly_called_says_nothing_of_speed() {
        let slow = figures(&[(Duration::from_millis(20), 1_000)]);
        assert!(worse(&slow, &figures(&[(QUICK, 50)])).is_none());
        assert!(worse(&slow, &FilterFigures::default()).is_none());
    }

    #[test]
    fn traps_deadlines_and_bad_decisions_count_together() {
        let old = figures(&[(QUICK, 10_000)]);
        let new = FilterFigures { traps: 3, deadlines: 1, invalid: 1, ..figures(&[(QUICK, 5)]) };
        let fault = worse(&new, &old).unwrap().to_string();
        let expected = "5 of 5 calls failed (3 trapped, 1 took too long, 1 decided what cannot be done), \
                        against 0 of 10000 of the version before";
        assert_eq!(fault, expected);
        assert!(
            worse(&FilterFigures { traps: 4, ..figures(&[(QUICK, 4)]) }, &old).is_none(),
            "one request, sent again"
        );
    }

    #[test]
    fn requests_that_go_wrong_by_decisions_are_found_unless_they_always_did() {
        let old = figures(&[(QUICK, 10_000)]);
        let new = FilterFigures { errors: 50, ..figures(&[(QUICK, 100)]) };
        let fault = worse(&new, &old).unwrap().to_string();
        assert!(fault.starts_with("50 of 100 requests went wrong by its decisions"), "{fault}");
        assert!(worse(&new, &FilterFigures { errors: 5_000, ..old }).is_none());
    }
}
