//! Brings new versions into force in stages, and takes those back that are worse than the one before.
//!
//! What is in force for a filter changes in three places only: when files have changed ([`Loader::place`]), when a stage is
//! over ([`Loader::advance`]), and when an operator says so ([`Loader::obey`]).

mod leaving;
mod orders;
mod running;
mod versions;

pub use orders::{Effect, Order, Orders};
pub use running::Shown;
pub(super) use versions::Rollouts;

use super::configured::Configured;
use super::filters::Component;
use super::load::Loader;
use super::status::Failure;
use crate::chain::{Chain, Link, Shadowing};
use crate::manifest::{Diagnostics, Location};
use crate::rollout::{Difference, Event};
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
                    // What is still being compiled is yet to come.
                    if !self.behind.is_busy() {
                        self.rollouts.unstaged.remove(&name);
                    }
                    new
                }
                Some(old) => self.replace(&name, old, new),
            };
            self.configured.insert(name, stable);
        }
        // What is left of those before has no file any more.
        for gone in before.into_values() {
            self.rollouts.leaves(&gone.filter);
        }
        let configured = &self.configured;
        self.rollouts.retain(|name| configured.contains_key(name));
        self.telemetry.metrics.holdings().retain(|name| configured.contains_key(name));
        self.show_stages();
    }

    /// The version that is in force with a new one that is not the same.
    fn replace(&mut self, name: &str, old: Configured, new: Configured) -> Configured {
        if let Some(trial) = self.rollouts.trials.get_mut(name).filter(|trial| trial.new.is(&new)) {
            // Whether the filter is on, and its place, are no matter of a trial.
            let old = old.placed_as(&new.policy);
            trial.old = old.clone();
            trial.new = new;
            return old;
        }
        self.supersede(name, "a newer version came");
        let plan = new.policy.rollout;
        let staged = !self.rollouts.unstaged.remove(name) && new.policy.enabled && old.policy.enabled;
        let old = old.placed_as(&new.policy);
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
            self.rollouts.leaves(&old.filter);
        }
        self.status.refused.remove(&new.component.path);
        new
    }

    /// What the next version is measured by, and goes back to: the one in force, or, where that is still watched itself, the
    /// one before it. A bad version is no measure for another.
    fn measure(&mut self, name: &str, in_force: Configured) -> Configured {
        match self.rollouts.watches.remove(name) {
            Some(watch) if watch.new.is(&in_force) => {
                self.rollouts.leaves(&in_force.filter);
                watch.old
            }
            _ => in_force,
        }
    }

    fn run(&mut self, name: &str, stage: Stage, new: Configured, old: Configured) {
        tracing::info!(filter = name, stage = stage.name(), digest = %new.component.code.hash, "a new version");
        let watched = matches!(stage, Stage::Watch(_));
        let stages = if watched { &mut self.rollouts.watches } else { &mut self.rollouts.trials };
        stages.insert(name.to_owned(), Running::begin(stage, new, old));
    }

    fn supersede(&mut self, name: &str, reason: &str) {
        if let Some(trial) = self.rollouts.trials.remove(name) {
            self.rollouts.note(Event::Superseded, &trial.new, Some(&trial.old), reason);
            self.rollouts.leaves(&trial.new.filter);
        }
    }

    /// Whether versions are being tried or watched.
    pub fn is_rolling_out(&self) -> bool {
        !self.rollouts.trials.is_empty() || !self.rollouts.watches.is_empty()
    }

    /// Ends stages that are over, and takes back what is worse: what is different then, if anything is.
    pub fn advance(&mut self, current: &Snapshot) -> Option<Snapshot> {
        let mut changed = false;
        for (name, running, outcome) in self.rollouts.ended(Instant::now()) {
            match outcome {
                Outcome::Worse(reason) => {
                    self.take_back(&name, running, &reason);
                    changed = true;
                }
                Outcome::Over => changed |= self.go_on(&name, running),
            }
            self.show_stages();
        }
        changed.then(|| self.rebuilt(current))
    }

    /// The next stage; whether that changes who decides.
    fn go_on(&mut self, name: &str, running: Running) -> bool {
        let reason = running.summary();
        let stable = match running.stage {
            Stage::Shadow(..) => {
                tracing::info!(filter = name, "the shadow is over: {reason}");
                self.canary_or_full(name, running.old, running.new)
            }
            Stage::Canary(_) => {
                tracing::info!(filter = name, "the canary is over: {reason}");
                self.put_in_force(name, running.old, running.new, true)
            }
            Stage::Watch(_) => {
                self.prove(&running, reason);
                return false;
            }
        };
        self.configured.insert(name.to_owned(), stable);
        true
    }

    /// Ends a watch well. The version before is kept for an operator who wants it back, but its memory is not.
    fn prove(&self, watch: &Running, reason: impl Into<String>) {
        self.rollouts.note(Event::Proven, &watch.new, Some(&watch.old), reason);
        watch.old.filter.release();
    }

    /// Takes a version back that was tried or watched.
    fn take_back(&mut self, name: &str, running: Running, reason: &str) {
        if !running.is_trial() {
            self.rollouts.previous.remove(name);
        }
        let differences = running.differences();
        self.go_back(name, &running.new, running.old, reason, differences);
    }

    /// Goes from a version back to the one before. Another that was tried beside it is tried beside that one, anew.
    fn go_back(&mut self, name: &str, new: &Configured, old: Configured, reason: &str, differences: Vec<Difference>) {
        let tried = self.rollouts.trials.remove(name);
        // What its document says of it now holds for any version.
        let newest = self.configured.get(name).map_or(&new.policy, |in_force| &in_force.policy);
        let old = old.placed_as(newest);
        tracing::error!(
            filter = name,
            version = new.component.code.manifest.version,
            digest = %new.component.code.hash,
            "the new version is taken back: {reason}"
        );
        self.telemetry.metrics.filter_rolled_back(name);
        self.rollouts.note_with(Event::RolledBack, new, Some(&old), reason, differences);
        if old.filter.instances() == 0
            && let Err(failure) = old.filter.warm()
        {
            tracing::warn!(filter = name, %failure, "instances of the version before are made when they are needed");
        }
        self.status.since.insert(old.component.path.clone(), SystemTime::now());
        self.configured.insert(name.to_owned(), old.clone());
        let other_code = self.rollouts.reject(new, &old, reason);
        if other_code && self.rollouts.pinned.get(name) == Some(&new.component.code.hash) {
            self.rollouts.pinned.insert(name.to_owned(), old.component.code.hash);
            self.rollouts.note(Event::Pinned, &old, None, "it is the version before the one that was pinned");
        }
        match tried {
            Some(trial) if !self.rollouts.bars(&trial.new, &old) => {
                let stable = self.replace(name, old, trial.new);
                self.configured.insert(name.to_owned(), stable);
            }
            tried => {
                if let Some(trial) = tried {
                    let reason = "what it has in common with the version in force was taken back";
                    self.rollouts.note(Event::Superseded, &trial.new, Some(&trial.old), reason);
                    self.rollouts.leaves(&trial.new.filter);
                }
                if other_code {
                    self.refuse_taken_back(name, new, old.component, reason);
                }
            }
        }
        // Its own instances are of no more use, whoever remembers it.
        self.rollouts.leaves(&new.filter);
    }

    /// Shows why the component of a file does not count any more.
    fn refuse_taken_back(&mut self, name: &str, new: &Configured, before: Component, reason: &str) {
        self.components.retain(|component| component.name != name);
        self.components.push(before.there());
        let diagnostic = rolled_back(name, reason).at(Location::file(&new.component.path));
        let failure = Failure { at: SystemTime::now(), diagnostics: Diagnostics::from_iter([diagnostic]) };
        self.status.refused.insert(new.component.path.clone(), failure);
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
        let stages = self.rollouts.watches.iter().chain(&self.rollouts.trials);
        self.status.stages = stages.map(shown).collect();
    }
}
