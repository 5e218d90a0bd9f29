//! What all instances of a filter's version count together: refusals, what they have logged, what is under way for them.

use super::bound::{Bound, Bounds, Refusals};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// The counts of one version. They outlive its instances, and changes of its documents.
#[derive(Debug, Default)]
pub struct Meter {
    /// By what was refused.
    pub refusals: Refusals,
    log: LogWindow,
    calls: AtomicUsize,
    publications: AtomicUsize,
    instances: AtomicUsize,
}

/// What may be under way for a filter only so many times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flight {
    /// Calls of plans.
    Calls,
    /// Events that are being published.
    Publications,
}

/// Counted as under way until it is dropped.
#[derive(Debug)]
pub struct InFlight {
    meter: Arc<Meter>,
    flight: Flight,
    count: usize,
}

/// An instance, which counts as alive until it is dropped.
#[derive(Debug)]
pub(super) struct Alive(Arc<Meter>);

/// What was logged in the second that runs. Who comes at its end may be counted in either: a limit on a flood, not a book.
#[derive(Debug, Default)]
struct LogWindow {
    second: AtomicU64,
    lines: AtomicUsize,
    bytes: AtomicUsize,
    /// Lines that were left out since the last one that was written.
    dropped: AtomicUsize,
}

impl Meter {
    /// Whether a line of so many bytes by or about this filter may be logged now. Where lines before it were left out, the
    /// log says first how many.
    pub(super) fn may_log(&self, filter: &str, bytes: usize, bounds: &Bounds) -> bool {
        let logged = self.log(bytes, bounds);
        if let Ok(dropped @ 1..) = logged {
            tracing::warn!(target: "sluicegate::filter", filter, dropped, "lines of the filter were left out");
        }
        logged.is_ok()
    }

    /// Whether a line of so many bytes may be logged now, and how many lines before it were not. Nothing that is refused
    /// counts.
    ///
    /// # Errors
    /// With the bound that it runs against; it has been counted.
    fn log(&self, bytes: usize, bounds: &Bounds) -> Result<usize, Bound> {
        self.log_at(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs(), bytes, bounds)
    }

    fn log_at(&self, second: u64, bytes: usize, bounds: &Bounds) -> Result<usize, Bound> {
        let LogWindow { second: current, lines, bytes: written, dropped } = &self.log;
        if current.swap(second, Ordering::Relaxed) != second {
            lines.store(0, Ordering::Relaxed);
            written.store(0, Ordering::Relaxed);
        }
        let over = if lines.load(Ordering::Relaxed) >= bounds.log_lines {
            Some(Bound::LogLines)
        } else {
            let after = written.load(Ordering::Relaxed).saturating_add(bytes);
            (after > bounds.log_bytes).then_some(Bound::LogBytes)
        };
        if let Some(bound) = over {
            dropped.fetch_add(1, Ordering::Relaxed);
            self.refusals.count(bound);
            return Err(bound);
        }
        lines.fetch_add(1, Ordering::Relaxed);
        written.fetch_add(bytes, Ordering::Relaxed);
        Ok(dropped.swap(0, Ordering::Relaxed))
    }

    /// Counts so many as under way.
    ///
    /// # Errors
    /// With the bound, when there would be more than it allows; it has been counted.
    pub fn enter(self: &Arc<Self>, flight: Flight, count: usize, bounds: &Bounds) -> Result<InFlight, Bound> {
        let (most, bound) = match flight {
            Flight::Calls => (bounds.calls_in_flight, Bound::CallsInFlight),
            Flight::Publications => (bounds.publications_in_flight, Bound::PublicationsInFlight),
        };
        let before = self.counter(flight).fetch_add(count, Ordering::Relaxed);
        let entered = InFlight { meter: Arc::clone(self), flight, count };
        if before.saturating_add(count) > most {
            self.refusals.count(bound);
            return Err(bound);
        }
        Ok(entered)
    }

    /// Counts an instance.
    pub(super) fn alive(self: &Arc<Self>) -> Alive {
        self.instances.fetch_add(1, Ordering::Relaxed);
        Alive(Arc::clone(self))
    }

    /// How many instances there are, warm ones, spares and those of a single call.
    pub fn instances(&self) -> usize {
        self.instances.load(Ordering::Relaxed)
    }

    fn counter(&self, flight: Flight) -> &AtomicUsize {
        match flight {
            Flight::Calls => &self.calls,
            Flight::Publications => &self.publications,
        }
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.meter.counter(self.flight).fetch_sub(self.count, Ordering::Relaxed);
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.instances.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_beyond_those_of_a_second_are_left_out_and_the_next_second_says_how_many() {
        let (meter, bounds) = (Meter::default(), Bounds { log_lines: 2, ..Bounds::default() });
        let said: Vec<_> = [1, 1, 1, 1, 2, 2].map(|second| meter.log_at(second, 10, &bounds)).into();
        let over = Err(Bound::LogLines);
        assert_eq!(said, [Ok(0), Ok(0), over, over, Ok(2), Ok(0)]);
        assert_eq!(meter.refusals.of(Bound::LogLines), 2);
    }

    #[test]
    fn bytes_beyond_those_of_a_second_are_left_out_while_smaller_lines_pass() {
        let (meter, bounds) = (Meter::default(), Bounds { log_bytes: 100, ..Bounds::default() });
        let said: Vec<_> = [80, 30, 20, 1].map(|bytes| meter.log_at(7, bytes, &bounds)).into();
        assert_eq!(said, [Ok(0), Err(Bound::LogBytes), Ok(1), Err(Bound::LogBytes)]);
        assert_eq!(meter.refusals.of(Bound::LogBytes), 2);
    }

    #[test]
    fn what_is_under_way_counts_until_it_is_over() {
        let (meter, bounds) = (Arc::<Meter>::default(), Bounds { calls_in_flight: 3, ..Bounds::default() });
        let two = meter.enter(Flight::Calls, 2, &bounds).unwrap();
        assert_eq!(meter.enter(Flight::Calls, 2, &bounds).unwrap_err(), Bound::CallsInFlight);
        let third = meter.enter(Flight::Calls, 1, &bounds).unwrap();
        assert!(meter.enter(Flight::Publications, 2, &bounds).is_ok(), "they are counted apart");
        drop(two);
        assert!(meter.enter(Flight::Calls, 2, &bounds).is_ok());
        drop(third);
        assert_eq!((meter.calls.load(Ordering::Relaxed), meter.refusals.of(Bound::CallsInFlight)), (0, 1));
    }
}
