//! Brings new versions into force in stages, and takes those back that are worse than the one before.
//!
//! What is in force for a filter changes in three places only: when files have changed ([`Loader::place`]), when a stage is
//! over ([`Loader::advance`]), and when an operator says so ([`Loader::obey`]).

mod orders;
mod running;
mod versions;

pub use orders::{Effect, Order, Orders};
pub use running::Shown;
pub(super) use versions::Rollouts;

use super::configured::Configured;
use super::load::Loader;
use super::status::Failure;
use crate::chain::{Chain, Link, Shadowing};
use crate::manifest::{Diagnostics, Location};
use crate::rollout::Event;
use crate::snapshot::Snapshot;
use running::{Outcome, Running, Stage};
use std::sync::Arc;
use std::time::{Instant, SystemTime};
use versions::rolled_back;

/// How often versions that are being tried or watched are looked at.
pub(super) const LOOK: std::time::Duration = std::time::Duration::from_millis(100);

impl Loader {
    /// Puts versions in force, or begins with the first stage of those that are new.
    pub(super) fn place(&mut self, made: Vec<Configured>) {
        let mut before = std::mem::take(&mut self.configured);
        for new in made {
            let name = new.component.name.clone();
            let stable = match before.remove(&name) {
                None => {
                    self.rollouts.note(Event::InForce, &new, None, "there was none before");
                    new
                }
                Some(old) if old.is(&new) => {
                    self.supersede(&name, "the files are again as they were before it");
                    new
                }
                Some(old) => self.replace(&name, old, new),
            };
            self.configured.insert(name, stable);
        }
        let configured = &self.configured;
        self.rollouts.running.retain(|name, _| configured.contains_key(name));
        self.rollouts.previous.retain(|name, _| configured.contains_key(name));
        self.telemetry.metrics.holdings().retain(|name| configured.contains_key(name));
        self.show_stages();
    }

    /// The version that is in force with a new one that is not the same.
    fn replace(&mut self, name: &str, old: Configured, new: Configured) -> Configured {
        if let Some(running) = self.rollouts.running.get_mut(name).filter(|running| running.is_trial())
            && running.new.is(&new)
        {
            running.new = new;
            return old;
        }
        self.supersede(name, "a newer version came");
        let plan = new.policy.rollout;
        let staged = !self.rollouts.unstaged.remove(name) && new.policy.enabled && old.policy.enabled;
        match (staged, plan.shadow, plan.canary) {
            (true, Some(shadow), _) => {
                match Shadowing::begin(Arc::clone(&new.filter), shadow.share) {
                    Ok(shadowing) => {
                        self.rollouts.note(Event::Shadow, &new, Some(&old), "its decisions are compared");
                        self.run(name, Stage::Shadow(Arc::new(shadowing), shadow), new, old.clone());
                        return old;
                    }
                    Err(error) => tracing::warn!(filter = name, %error, "there is no thread for a shadow"),
                }
                self.canary_or_full(name, old, new)
            }
            (true, None, _) => self.canary_or_full(name, old, new),
            (false, ..) => self.put_in_force(name, old, new, false),
        }
    }

    fn canary_or_full(&mut self, name: &str, old: Configured, new: Configured) -> Configured {
        let Some(canary) = new.policy.rollout.canary else { return self.put_in_force(name, old, new, true) };
        self.rollouts.note(Event::Canary, &new, Some(&old), "it decides on a share of requests");
        self.run(name, Stage::Canary(canary), new, old.clone());
        old
    }

    fn put_in_force(&mut self, name: &str, old: Configured, new: Configured, watched: bool) -> Configured {
        let old = self.measure(name, old);
        let watch = new.policy.rollout.watch.filter(|_| watched);
        let reason = if watch.is_some() { "it is watched" } else { "it is not watched" };
        self.rollouts.note(Event::InForce, &new, Some(&old), reason);
        self.status.since.insert(new.component.path.clone(), SystemTime::now());
        self.rollouts.previous.insert(name.to_owned(), old.clone());
        if let Some(watch) = watch {
            self.run(name, Stage::Watch(watch), new.clone(), old);
        } else {
            old.filter.release();
        }
        self.status.refused.remove(&new.component.path);
        new
    }

    /// What the next version is measured by, and goes back to: the one in force, or, where that is still watched itself, the
    /// one before it. A bad version is no measure for another.
    fn measure(&mut self, name: &str, in_force: Configured) -> Configured {
        match self.rollouts.running.remove(name) {
            Some(running) if !running.is_trial() && running.new.is(&in_force) => running.old,
            _ => in_force,
        }
    }

    fn run(&mut self, name: &str, stage: Stage, new: Configured, old: Configured) {
        tracing::info!(filter = name, stage = stage.name(), digest = %new.component.code.hash, "a new version");
        self.rollouts.running.insert(name.to_owned(), Running::begin(stage, new, old));
    }

    fn supersede(&mut self, name: &str, reason: &str) {
        if self.rollouts.candidate(name).is_some()
            && let Some(running) = self.rollouts.running.remove(name)
        {
            self.rollouts.note(Event::Superseded, &running.new, Some(&running.old), reason);
        }
    }

    /// Whether versions are being tried or watched.
    pub fn is_rolling_out(&self) -> bool {
        !self.rollouts.running.is_empty()
    }

    /// Ends stages that are over, and takes back what is worse: what is different then, if anything is.
    pub fn advance(&mut self, current: &Snapshot) -> Option<Snapshot> {
        let now = Instant::now();
        let judged = |(name, running): (&String, &Running)| Some((name.clone(), running.outcome(now)?));
        let due: Vec<(String, Outcome)> = self.rollouts.running.iter().filter_map(judged).collect();
        let mut changed = false;
        for (name, outcome) in due {
            changed |= match outcome {
                Outcome::Worse(reason) => self.take_back(&name, &reason),
                Outcome::Over => self.go_on(&name),
            };
            self.show_stages();
        }
        changed.then(|| self.rebuilt(current))
    }

    /// The next stage; whether that changes who decides.
    fn go_on(&mut self, name: &str) -> bool {
        let Some(running) = self.rollouts.running.remove(name) else { return false };
        let reason = running.summary();
        let Running { stage, new, old, .. } = running;
        let stable = match stage {
            Stage::Shadow(..) => {
                tracing::info!(filter = name, "the shadow is over: {reason}");
                self.canary_or_full(name, old, new)
            }
            Stage::Canary(_) => {
                tracing::info!(filter = name, "the canary is over: {reason}");
                self.put_in_force(name, old, new, true)
            }
            Stage::Watch(_) => {
                self.rollouts.note(Event::Proven, &new, Some(&old), reason);
                // Kept for an operator who wants it back, but its memory is not.
                old.filter.release();
                return false;
            }
        };
        self.configured.insert(name.to_owned(), stable);
        true
    }

    /// Takes a version back that is tried or watched, or the one in force.
    fn take_back(&mut self, name: &str, reason: &str) -> bool {
        let (new, old, differences) = if let Some(running) = self.rollouts.running.remove(name) {
            let differences = running.differences();
            if !running.is_trial() {
                self.rollouts.previous.remove(name);
            }
            (running.new, running.old, differences)
        } else {
            let (in_force, previous) = (self.configured.get(name).cloned(), self.rollouts.previous.remove(name));
            let Some((new, old)) = in_force.zip(previous) else { return false };
            (new, old, Vec::new())
        };
        tracing::error!(
            filter = name,
            version = new.component.code.manifest.version,
            digest = %new.component.code.hash,
            "the new version is taken back: {reason}"
        );
        self.telemetry.metrics.filter_rolled_back(name);
        self.rollouts.note_with(Event::RolledBack, &new, Some(&old), reason, differences);
        if old.filter.instances() == 0
            && let Err(failure) = old.filter.warm()
        {
            tracing::warn!(filter = name, %failure, "instances of the version before are made when they are needed");
        }
        self.reject(name, &new, &old, reason);
        self.status.since.insert(old.component.path.clone(), SystemTime::now());
        self.configured.insert(name.to_owned(), old);
        true
    }

    /// Remembers a version that was taken back, and shows why.
    fn reject(&mut self, name: &str, new: &Configured, old: &Configured, reason: &str) {
        if self.rollouts.reject(new, old, reason) {
            self.components.retain(|component| component.name != name);
            self.components.push(old.component.clone());
            let mut diagnostics = Diagnostics::new();
            diagnostics.push(rolled_back(name, reason).at(Location::file(&new.component.path)));
            let failure = Failure { at: SystemTime::now(), diagnostics };
            self.status.refused.insert(new.component.path.clone(), failure);
        }
        // Its own instances are of no more use, whoever remembers it.
        new.filter.release();
    }

    /// The filters that are in force, and those that are tried.
    pub(super) fn chain(&self) -> Chain {
        let configured = self.configured.iter();
        let links = configured.flat_map(|(name, configured)| configured.links(self.rollouts.trial(name).as_ref()));
        let mut links: Vec<Link> = links.collect();
        links.sort_by(|one, other| {
            other.priority.cmp(&one.priority).then_with(|| one.filter.name.cmp(&other.filter.name))
        });
        Chain::new(links)
    }

    /// What is in force, with the versions that decide now.
    pub fn rebuilt(&mut self, current: &Snapshot) -> Snapshot {
        self.generation += 1;
        Snapshot {
            generation: self.generation,
            chain: Arc::new(self.chain()),
            registry: Arc::clone(&current.registry),
            overload: Arc::clone(&current.overload),
            gateway_ports: current.gateway_ports.clone(),
            documents: current.documents.clone(),
            built: current.built,
        }
    }

    fn show_stages(&mut self) {
        let shown = |(name, running): (&String, &Running)| (name.clone(), running.shown());
        self.status.stages = self.rollouts.running.iter().map(shown).collect();
    }
}
