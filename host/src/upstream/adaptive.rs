//! A limit of concurrency for each service that follows its latency.
//!
//! # Why latency, and why for each service
//!
//! Nearly all of the time that a request spends in a proxy it waits for its service, and what has too much to do is
//! nearly always the service. The queue of a worker (CoDel on the delay of the event loop, as DAGOR measures it) says
//! nothing of that: it is empty while a service drowns, and when it is not, answering 503 costs the worker a good part of
//! what forwarding costs, so there is little to gain by it. Latency says it, but not the latency of all requests
//! together: a limit of the whole proxy moves with the mix of what is asked for, and one slow service would take the room
//! of all others. So each service has a limit of its own, and what it refuses is its own traffic, the least important
//! first.
//!
//! # How it moves
//!
//! As in Netflix's Gradient2 and Envoy's adaptive concurrency: when a window closes, the limit is multiplied by how the
//! latency of the window compares to what it is without a queue, and gets a little headroom to find out whether there is
//! more to be had:
//!
//! ```text
//! limit <- 0.8 limit + 0.2 (gradient * limit + sqrt(limit)),   gradient = 1.4 * baseline / latency, in 0.5 ..= 1
//! ```
//!
//! It grows only while it is used, so an idle service does not end up with a limit that means nothing. Latency is the time
//! to the head of a response, whose counterpart by Little's law is how many wait for one; bodies may stream for hours.
//!
//! The baseline follows faster latencies quickly and slower ones at leisure, and none while requests are refused, or were
//! a moment ago: then the latency is of our own making, and nothing is learnt from it. Envoy finds the baseline out again by
//! letting three requests through now and then. Here that happens by itself: a service that has become slower for good
//! brings the limit down to [`limits::ADAPTIVE_LEAST`], where no queue can be of our making, so what is measured there is
//! the new baseline. A service that has too much to do from its first request on
//! is brought there at once.

mod held;

use crate::config::limits;
use crate::priority::Priority;
use crate::shed::{Shed, ShedReason};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

pub(super) use held::Held;

/// Latency may be so many times the baseline before it counts as a queue: less would take the noise of a mix of requests
/// for one. Netflix has 1.5, Envoy 1.25.
const TOLERANCE: f64 = 1.4;
/// One window does not shrink the limit by more than this times [`SMOOTHING`].
const LEAST_GRADIENT: f64 = 0.5;
/// The weight of a window in the limit.
const SMOOTHING: f64 = 0.2;
/// The weight of a window that is faster than the baseline.
const FASTER: f64 = 0.1;
/// The weight of one that is slower.
const SLOWER: f64 = 0.02;
/// So many windows after the last refusal the latency is no longer of our making.
const AFTERMATH: u32 = 30;
/// The weight of one that was measured at the least limit.
const AT_LEAST: f64 = 0.5;
/// Latencies of a window are added up with their number in the upper bits: 4 million of them, 50 days together.
const COUNT: u32 = 42;

static START: LazyLock<Instant> = LazyLock::new(Instant::now);

/// What an adaptive limit keeps to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// It does not fall below.
    pub least: u32,
    /// It does not grow beyond.
    pub most: u32,
}

/// How a request is held against the limit of its service.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Load {
    /// None is not held against any.
    pub bounds: Option<Bounds>,
    /// How much it matters.
    pub priority: Priority,
    /// How much of the limit requests like it may fill, in percent.
    pub share: usize,
}

/// The limit of one service.
#[derive(Debug)]
pub struct Adaptive {
    in_flight: AtomicU32,
    /// The most that were in flight in this window.
    peak: AtomicU32,
    /// Whether requests were refused in this window.
    refused: AtomicBool,
    /// Windows since requests were refused.
    quiet: AtomicU32,
    /// Of this window: number and sum of latencies in microseconds.
    window: AtomicU64,
    /// When it may close, in microseconds.
    closes: AtomicU64,
    /// Bits of a float: the limit.
    limit: AtomicU64,
    /// Bits of a float: microseconds without a queue; zero as long as nothing is known.
    baseline: AtomicU64,
    /// Bits of a float: microseconds in the last window.
    latency: AtomicU64,
}

/// What operators see of a limit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdaptiveFigures {
    /// How many may wait for a response at a time.
    pub limit: u32,
    /// How many do.
    pub in_flight: u32,
    /// The latency without a queue.
    pub baseline: Duration,
    /// The latency now.
    pub latency: Duration,
}

/// A request that waits for its response.
#[derive(Debug)]
pub struct Waiting {
    adaptive: Arc<Adaptive>,
    bounds: Bounds,
    began: Instant,
}

impl Default for Adaptive {
    fn default() -> Self {
        Self {
            in_flight: AtomicU32::new(0),
            peak: AtomicU32::new(0),
            refused: AtomicBool::new(false),
            quiet: AtomicU32::new(AFTERMATH),
            window: AtomicU64::new(0),
            closes: AtomicU64::new(0),
            limit: AtomicU64::new(f64::from(limits::ADAPTIVE_FIRST).to_bits()),
            baseline: AtomicU64::new(0),
            latency: AtomicU64::new(0),
        }
    }
}

impl Adaptive {
    /// Takes a request, unless as many wait as may. None when it is not held against the limit.
    fn enter(self: &Arc<Self>, load: Load) -> Result<Option<Waiting>, Shed> {
        let Some(bounds) = load.bounds else { return Ok(None) };
        // Counted before it is compared, so that two at the same time cannot both be the last one.
        let (waiting, before) = self.wait(bounds);
        self.admit(before, load, bounds)?;
        self.rises_from(before);
        Ok(Some(waiting))
    }

    /// Whether there is room for one that is going to wait.
    fn look(&self, load: Load, bounds: Bounds) -> Result<(), Shed> {
        self.admit(self.in_flight.load(Ordering::Relaxed), load, bounds)
    }

    /// One that there was room for waits from now on.
    fn uploaded(self: &Arc<Self>, bounds: Bounds) -> Waiting {
        let (waiting, before) = self.wait(bounds);
        self.rises_from(before);
        waiting
    }

    fn wait(self: &Arc<Self>, bounds: Bounds) -> (Waiting, u32) {
        let waiting = Waiting { adaptive: Arc::clone(self), bounds, began: Instant::now() };
        (waiting, self.in_flight.fetch_add(1, Ordering::Relaxed))
    }

    fn admit(&self, before: u32, load: Load, bounds: Bounds) -> Result<(), Shed> {
        if before < self.room(load, bounds) || load.priority == Priority::Critical {
            return Ok(());
        }
        if !self.refused.load(Ordering::Relaxed) {
            self.refused.store(true, Ordering::Relaxed);
        }
        Err(Shed::new(ShedReason::Service, load.priority))
    }

    fn rises_from(&self, before: u32) {
        if before >= self.peak.load(Ordering::Relaxed) {
            self.peak.fetch_max(before.saturating_add(1), Ordering::Relaxed);
        }
    }

    /// What operators see; none as long as no window has closed.
    pub fn figures(&self) -> Option<AdaptiveFigures> {
        let of = |bits: &AtomicU64| f64::from_bits(bits.load(Ordering::Relaxed));
        let time = |bits: &AtomicU64| Duration::try_from_secs_f64(of(bits) / 1e6).unwrap_or_default();
        let figures = AdaptiveFigures {
            limit: whole(of(&self.limit)),
            in_flight: self.in_flight.load(Ordering::Relaxed),
            baseline: time(&self.baseline),
            latency: time(&self.latency),
        };
        (!figures.latency.is_zero()).then_some(figures)
    }

    fn room(&self, load: Load, bounds: Bounds) -> u32 {
        let limit = whole(f64::from_bits(self.limit.load(Ordering::Relaxed))).clamp(bounds.least, bounds.most);
        let share = u32::try_from(load.share.min(100)).unwrap_or(100);
        limit.saturating_mul(share).div_ceil(100).max(1)
    }

    /// Takes a latency in, and closes the window when it is time.
    fn observe(&self, latency: Duration, bounds: Bounds, now: u64) {
        let microseconds = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX).min((1 << COUNT) / 1_000);
        let window = self.window.fetch_add((1 << COUNT) | microseconds, Ordering::Relaxed);
        let closes = self.closes.load(Ordering::Relaxed);
        if now < closes || (window >> COUNT) + 1 < limits::ADAPTIVE_SAMPLES {
            return;
        }
        let next = now + u64::try_from(limits::ADAPTIVE_WINDOW.as_micros()).unwrap_or(u64::MAX);
        // Whoever moves the end closes the window; nobody else does until it is over again.
        if self.closes.compare_exchange(closes, next, Ordering::AcqRel, Ordering::Relaxed).is_ok() {
            self.close(bounds);
        }
    }

    #[allow(clippy::cast_precision_loss, reason = "sums of latencies are far below 2^52")]
    fn close(&self, bounds: Bounds) {
        let window = self.window.swap(0, Ordering::AcqRel);
        let (count, sum) = (window >> COUNT, window & ((1 << COUNT) - 1));
        let latency = (sum as f64 / count.max(1) as f64).max(1.0);
        let peak = self.peak.swap(self.in_flight.load(Ordering::Relaxed), Ordering::Relaxed);
        let refused = self.refused.swap(false, Ordering::Relaxed);
        let quiet = if refused { 0 } else { self.quiet.load(Ordering::Relaxed).saturating_add(1) };
        self.quiet.store(quiet, Ordering::Relaxed);
        let refused = quiet < AFTERMATH;
        let limit = f64::from_bits(self.limit.load(Ordering::Relaxed));
        let known = f64::from_bits(self.baseline.load(Ordering::Relaxed));
        let next = Step { limit, baseline: known, latency, peak, refused }.next(bounds);
        self.limit.store(next.0.to_bits(), Ordering::Relaxed);
        self.baseline.store(next.1.to_bits(), Ordering::Relaxed);
        self.latency.store(latency.to_bits(), Ordering::Relaxed);
    }
}

/// What is known when a window closes.
#[derive(Debug, Clone, Copy)]
struct Step {
    limit: f64,
    baseline: f64,
    latency: f64,
    peak: u32,
    /// Now or a moment ago.
    refused: bool,
}

impl Step {
    /// The limit and the baseline from now on.
    fn next(self, bounds: Bounds) -> (f64, f64) {
        let (least, most) = (f64::from(bounds.least), f64::from(bounds.most.max(bounds.least)));
        let is_least = self.limit <= least + 1.0;
        if self.baseline == 0.0 && self.refused && !is_least {
            // Step by step, so that what is measured there was not sent before.
            return ((self.limit / 2.0).max(least), 0.0);
        }
        let weight = match self.baseline {
            0.0 => 1.0,
            _ if is_least => AT_LEAST,
            _ if self.refused => 0.0,
            baseline if self.latency < baseline => FASTER,
            _ => SLOWER,
        };
        let baseline = self.baseline + weight * (self.latency - self.baseline);
        let gradient = (TOLERANCE * baseline / self.latency).clamp(LEAST_GRADIENT, 1.0);
        let used = self.refused || f64::from(self.peak) * 2.0 >= self.limit;
        let wanted = if used { gradient * self.limit + self.limit.sqrt() } else { self.limit };
        let limit = (1.0 - SMOOTHING) * self.limit + SMOOTHING * wanted;
        (limit.clamp(least, most), baseline)
    }
}

impl Waiting {
    /// The response has come; its latency counts.
    fn answered(self) {
        let now = u64::try_from(START.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.adaptive.observe(self.began.elapsed(), self.bounds, now);
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.adaptive.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "limits are small and positive")]
fn whole(limit: f64) -> u32 {
    limit as u32
}

#[cfg(test)]
mod tests;
