//! A version in one of its stages, and when that is over.

use super::super::configured::Configured;
use crate::chain::{Shadowing, Trial};
use crate::rollout::evidence::Count;
use crate::rollout::{Canary, Difference, Shadow, worse};
use crate::telemetry::metrics::FilterFigures;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

/// Calls of the version in force during a canary that say how it does now; with fewer its whole life counts.
const LEAST_BESIDE: u64 = 200;
/// Decisions that have to differ before a shadow ends early: one odd request may be sent again and again.
const LEAST_DIFFERENT: u64 = 5;

/// Where a version is.
#[derive(Debug)]
pub(super) enum Stage {
    Shadow(Arc<Shadowing>, Shadow),
    Canary(Canary),
    /// In full force.
    Watch(Duration),
}

/// A version on its way.
#[derive(Debug)]
pub(in crate::reload) struct Running {
    pub(super) stage: Stage,
    since: Instant,
    began: SystemTime,
    pub(super) new: Configured,
    pub(super) old: Configured,
    /// What both had done when the stage began.
    before: (FilterFigures, FilterFigures),
}

/// What is to be done.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Take it back, for this reason.
    Worse(String),
    /// The stage is over.
    Over,
}

/// A stage as operators see it.
#[derive(Debug, Clone)]
pub struct Shown {
    /// `shadow`, `canary` or `watch`.
    pub stage: &'static str,
    /// As the new version's manifest says.
    pub version: String,
    /// SHA-256 of its component.
    pub digest: String,
    /// Since when.
    pub since: SystemTime,
    /// For the comparison so far.
    pub shadowing: Option<Arc<Shadowing>>,
}

impl Stage {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Shadow(..) => "shadow",
            Self::Canary(_) => "canary",
            Self::Watch(_) => "watch",
        }
    }
}

impl Running {
    pub(super) fn begin(stage: Stage, new: Configured, old: Configured) -> Self {
        let before = (new.metrics.figures(), old.metrics.figures());
        Self { stage, since: Instant::now(), began: SystemTime::now(), new, old, before }
    }

    /// Whether it began before that.
    pub(super) fn began_before(&self, at: Instant) -> bool {
        self.since <= at
    }

    /// Whether the version is not in full force yet.
    pub(super) fn is_trial(&self) -> bool {
        !matches!(self.stage, Stage::Watch(_))
    }

    pub(super) fn trial(&self) -> Option<Trial> {
        match &self.stage {
            Stage::Shadow(shadowing, _) => Some(Trial::Shadow(Arc::clone(shadowing))),
            Stage::Canary(canary) => {
                // Its place is that of the version in force, whatever it wishes, until it is in force itself.
                let link = self.new.links(None).into_iter().last()?;
                Some(Trial::Canary(Arc::new(link), canary.share))
            }
            Stage::Watch(_) => None,
        }
    }

    pub(super) fn shown(&self) -> Shown {
        let code = &self.new.component.code;
        let shadowing = match &self.stage {
            Stage::Shadow(shadowing, _) => Some(Arc::clone(shadowing)),
            _ => None,
        };
        Shown {
            stage: self.stage.name(),
            version: code.manifest.version.clone(),
            digest: code.hash.to_string(),
            since: self.began,
            shadowing,
        }
    }

    /// Some of the decisions that differed.
    pub(super) fn differences(&self) -> Vec<Difference> {
        match &self.stage {
            Stage::Shadow(shadowing, _) => shadowing.samples(),
            _ => Vec::new(),
        }
    }

    /// What was seen, in a sentence.
    pub(super) fn summary(&self) -> String {
        if let Stage::Shadow(shadowing, _) = &self.stage {
            let figures = shadowing.figures();
            return format!("{} of {} decisions differed", figures.different, figures.decisions);
        }
        let figures = self.of_new();
        format!("{} of {} calls failed", figures.failures(), figures.calls)
    }

    /// What is to be done now; none: nothing yet.
    pub(super) fn outcome(&self, now: Instant) -> Option<Outcome> {
        let passed = now.saturating_duration_since(self.since);
        let (worse, over) = match &self.stage {
            Stage::Shadow(shadowing, shadow) => self.of_shadow(shadowing, shadow, passed),
            Stage::Canary(canary) => {
                let figures = self.of_new();
                let over = figures.calls >= canary.requests || passed >= canary.duration;
                (self.compared(&figures, &self.of_old()), over)
            }
            Stage::Watch(duration) => (self.compared(&self.of_new(), &self.old.metrics.figures()), passed >= *duration),
        };
        worse.map(Outcome::Worse).or_else(|| over.then_some(Outcome::Over))
    }

    fn compared(&self, new: &FilterFigures, old: &FilterFigures) -> Option<String> {
        if self.new.filter.guard.is_quarantined() && !self.old.filter.guard.is_quarantined() {
            return Some("it failed again and again, and is in quarantine".to_owned());
        }
        worse(new, old).map(|fault| fault.to_string())
    }

    /// What the new version has done in this stage.
    fn of_new(&self) -> FilterFigures {
        self.new.metrics.figures().since(&self.before.0)
    }

    /// What the version in force has done beside it.
    fn of_old(&self) -> FilterFigures {
        let all = self.old.metrics.figures();
        let beside = all.since(&self.before.1);
        if beside.calls >= LEAST_BESIDE { beside } else { all }
    }

    /// Speed is not judged in the shadow, where the thread that is asked matters less than workers.
    fn of_shadow(&self, shadowing: &Shadowing, shadow: &Shadow, passed: Duration) -> (Option<String>, bool) {
        if self.new.filter.guard.is_quarantined() {
            return (Some("in the shadow it failed again and again, and is in quarantine".to_owned()), false);
        }
        let figures = shadowing.figures();
        let failing = FilterFigures { durations: Vec::new(), ..figures.calls.clone() };
        if let Some(fault) = worse(&failing, &self.old.metrics.figures()) {
            return (Some(format!("in the shadow {fault}")), false);
        }
        let over = figures.decisions + figures.calls.failures() >= shadow.requests || passed >= shadow.duration;
        let different = Count { bad: figures.different, all: figures.decisions };
        let tolerated = shadow.differences.fraction();
        let clearly = different.bad >= LEAST_DIFFERENT && different.exceeds(tolerated);
        let worse = clearly || (over && different.share() > tolerated);
        let reason = || format!("{} of {} decisions in the shadow differed", different.bad, different.all);
        (worse.then(reason), over)
    }
}
