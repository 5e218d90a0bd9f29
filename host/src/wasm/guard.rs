//! Keeps a filter that fails again and again from being called, and tries it again now and then.
//!
//! What counts is failing in a row: a filter that decides on most requests is never left out for those that it fails on,
//! or whoever finds one such request could switch it off for everybody. While all is well a call costs one relaxed load.

use super::failure::{Failure, FailureKind};
use super::report::{Report, Reports};
use super::resilience::Quarantine;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

/// A trial that has not ended by then is lost: the host panicked in it. Longer than any call may take.
const TRIAL: Duration = Duration::from_secs(5);
/// Of the calls between the first failure and the last, in tenths, so many have to have failed. A few that came to a
/// decision meanwhile, on another worker, change nothing.
const FAILED_TENTHS: u64 = 9;

/// Watches over one version of a filter.
#[derive(Debug)]
pub struct Guard {
    /// Whether it is left out.
    quarantined: AtomicBool,
    /// When it is; none never leaves it out.
    rule: Option<Quarantine>,
    state: Mutex<State>,
    /// How often it was put in quarantine.
    count: AtomicU64,
    /// The same of all versions that are counted together.
    count_of_all: OnceLock<Arc<AtomicU64>>,
    /// What is known of its failures, and the version that they are kept under.
    reports: Arc<Reports>,
    version: (String, String),
}

#[derive(Debug, Default)]
struct State {
    /// Failures of each hook, latest last.
    recent: VecDeque<Recent>,
    /// How long it is left out this time.
    pause: Duration,
    /// When it is tried again.
    until: Option<Instant>,
    /// When the trial began that is under way.
    trial: Option<Instant>,
    /// When it was called again without restriction.
    released: Option<Instant>,
}

#[derive(Debug, Clone, Copy)]
struct Recent {
    hook: &'static str,
    at: Instant,
    /// Calls of the hook up to then.
    calls: u64,
}

/// How a call is let through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Admitted {
    /// As always.
    Freely,
    /// To see whether the filter works again.
    OnTrial,
}

/// What has changed with a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing.
    GoesOn,
    /// It is left out from now on, for so long.
    Quarantined(Duration),
}

/// What a guard says of its filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Condition {
    /// Whether it is left out.
    pub quarantined: bool,
    /// In how long it is tried again.
    pub tried_in: Option<Duration>,
    /// How often it was put in quarantine.
    pub quarantines: u64,
}

impl Guard {
    /// Watches by this rule and keeps reports under this version and digest.
    pub fn new(rule: Option<Quarantine>, reports: Arc<Reports>, version: (String, String)) -> Self {
        Self {
            quarantined: AtomicBool::new(false),
            rule,
            state: Mutex::default(),
            count: AtomicU64::new(0),
            count_of_all: OnceLock::new(),
            reports,
            version,
        }
    }

    /// Counts in this, too, how often the filter is put in quarantine. Only the first one counts.
    pub fn count_in(&self, count: Arc<AtomicU64>) {
        // A version belongs to one series for its whole life.
        let _ = self.count_of_all.set(count);
    }

    /// Whether the filter is left out.
    pub fn is_quarantined(&self) -> bool {
        self.quarantined.load(Ordering::Relaxed)
    }

    /// What has become of the filter.
    pub fn condition(&self) -> Condition {
        let (quarantined, until) = (self.is_quarantined(), self.state().until);
        let tried_in = until.filter(|_| quarantined).map(|until| until.saturating_duration_since(Instant::now()));
        Condition { quarantined, tried_in, quarantines: self.count.load(Ordering::Relaxed) }
    }

    /// Lets calls through again without waiting for a trial, and says whether they were not.
    pub fn release(&self) -> bool {
        let mut state = self.state();
        *state = State::default();
        self.quarantined.swap(false, Ordering::Relaxed)
    }

    /// Whether a call may be made.
    pub(super) fn admit(&self) -> Result<Admitted, Failure> {
        if !self.quarantined.load(Ordering::Relaxed) {
            return Ok(Admitted::Freely);
        }
        self.admit_on_trial(Instant::now())
    }

    fn admit_on_trial(&self, now: Instant) -> Result<Admitted, Failure> {
        let mut state = self.state();
        let waits = state.until.is_some_and(|until| now < until);
        let tried = state.trial.is_some_and(|began| now.saturating_duration_since(began) < TRIAL);
        if waits || tried {
            return Err(Failure::quarantined());
        }
        state.trial = Some(now);
        Ok(Admitted::OnTrial)
    }

    /// The call on trial failed. That others have the memory says nothing of the filter: another call tries it.
    pub(super) fn trial_failed(&self, kind: FailureKind) {
        let mut state = self.state();
        state.trial = None;
        if let Some(rule) = self.rule.filter(|_| kind != FailureKind::Crowded) {
            self.leave_out(&mut state, rule, Instant::now());
        }
    }

    /// A decision was carried out, or can be: if it was that of the call on trial, the filter works again.
    pub fn settled(&self) {
        if !self.is_quarantined() {
            return;
        }
        let mut state = self.state();
        if state.trial.take().is_some() {
            state.recent.clear();
            state.released = Some(Instant::now());
            self.quarantined.store(false, Ordering::Relaxed);
        }
    }

    /// Notes a failure that was no quarantine. `calls` is how often the hook was called until now. That others have the memory
    /// is not held against a filter.
    pub fn failed(&self, report: Report, calls: u64) -> Verdict {
        let (hook, kind) = (report.hook, report.kind);
        self.reports.keep(&self.version, report);
        let Some(rule) = self.rule.filter(|_| kind != FailureKind::Crowded) else { return Verdict::GoesOn };
        self.judge(rule, Recent { hook, at: Instant::now(), calls })
    }

    fn judge(&self, rule: Quarantine, failure: Recent) -> Verdict {
        let mut state = self.state();
        if self.quarantined.load(Ordering::Relaxed) {
            // What the call on trial decided was refused.
            if state.trial.take().is_some() {
                self.leave_out(&mut state, rule, failure.at);
            }
            return Verdict::GoesOn;
        }
        state.recent.retain(|earlier| failure.at - earlier.at <= rule.within);
        state.recent.push_back(failure);
        let failures = rule.failures.max(1);
        let of_hook = |earlier: &Recent| earlier.hook == failure.hook;
        if state.recent.iter().filter(|earlier| of_hook(earlier)).count() > failures
            && let Some(first) = state.recent.iter().position(of_hook)
        {
            state.recent.remove(first);
        }
        let mut mine = state.recent.iter().filter(|earlier| of_hook(earlier));
        let (first, count) = (mine.next().copied(), 1 + mine.count());
        let Some(first) = first.filter(|_| count == failures) else { return Verdict::GoesOn };
        let calls = failure.calls.saturating_sub(first.calls).saturating_add(1);
        let failed = u64::try_from(failures).unwrap_or(u64::MAX);
        if failed.saturating_mul(10) < calls.saturating_mul(FAILED_TENTHS) {
            return Verdict::GoesOn;
        }
        Verdict::Quarantined(self.leave_out(&mut state, rule, failure.at))
    }

    /// Leaves it out: for longer each time it fails again soon after it was let in.
    fn leave_out(&self, state: &mut State, rule: Quarantine, now: Instant) -> Duration {
        let soon = |released: Instant| now.saturating_duration_since(released) <= rule.longest;
        let again = state.until.is_some() && state.released.is_none_or(soon);
        state.pause = if again { state.pause.saturating_mul(2).min(rule.longest) } else { rule.pause };
        state.until = now.checked_add(state.pause);
        state.recent.clear();
        self.quarantined.store(true, Ordering::Relaxed);
        self.count.fetch_add(1, Ordering::Relaxed);
        if let Some(all) = self.count_of_all.get() {
            all.fetch_add(1, Ordering::Relaxed);
        }
        state.pause
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
