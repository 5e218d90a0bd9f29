//! What is known of versions: which are under way, which came before, and which may not come into force.

use super::super::configured::Configured;
use super::super::filters::Component;
use super::super::policy::FilterPolicy;
use super::leaving::Leaving;
use super::running::{Outcome, Running};
use crate::chain::Trial;
use crate::manifest::{Diagnostic, codes};
use crate::rollout::{Difference, Entry, Event, Histories};
use crate::wasm::engine::ContentHash;
use crate::wasm::types::ResourceDocument;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Instant, SystemTime};

/// Versions of one filter that are remembered as bad: more than anybody tries one after the other.
const REJECTED: usize = 32;

/// What is under way, by the filter's name.
#[derive(Debug, Default)]
pub(in crate::reload) struct Rollouts {
    /// Versions that are tried beside the one in force.
    pub(super) trials: HashMap<String, Running>,
    /// Versions in force that are watched, also while another is tried beside them.
    pub(super) watches: HashMap<String, Running>,
    /// The version before the one in force.
    pub(super) previous: HashMap<String, Configured>,
    pub(super) rejected: HashMap<String, Vec<Rejected>>,
    pub(super) pinned: HashMap<String, ContentHash>,
    /// Whose next version comes into force without stages.
    pub(in crate::reload) unstaged: HashSet<String>,
    /// Versions that decide no more, and still have their instances.
    pub(super) leaving: Vec<Leaving>,
    pub(super) histories: Arc<Histories>,
}

/// A version that was taken back.
#[derive(Debug)]
pub(super) struct Rejected {
    /// The component, unless the version before had the same.
    code: Option<ContentHash>,
    /// Settings and documents, unless the version before had the same.
    configuration: Option<Configured>,
    reason: String,
    at: Instant,
}

impl Rollouts {
    /// None under way, and what becomes of those to come noted here.
    pub(in crate::reload) fn noting_in(histories: Arc<Histories>) -> Self {
        Self { histories, ..Self::default() }
    }

    /// Forgets all of filters that are gone: one that comes under such a name is another.
    pub(super) fn retain(&mut self, known: impl Fn(&str) -> bool) {
        let gone = |(_, running): (String, Running)| [running.new, running.old];
        let trials = self.trials.extract_if(|name, _| !known(name)).flat_map(gone);
        let watches = self.watches.extract_if(|name, _| !known(name)).flat_map(gone);
        let previous = self.previous.extract_if(|name, _| !known(name)).map(|(_, previous)| previous);
        let gone: Vec<Configured> = trials.chain(watches).chain(previous).collect();
        for gone in gone {
            self.leaves(&gone.filter);
        }
        self.rejected.retain(|name, _| known(name));
        self.pinned.retain(|name, _| known(name));
        self.unstaged.retain(|name| known(name));
    }

    /// Whether a version was taken back since this stage began.
    pub(super) fn has_rejected_since(&self, name: &str, stage: &Running) -> bool {
        let newest = self.rejected.get(name).and_then(|rejected| rejected.last());
        newest.is_some_and(|newest| stage.began_before(newest.at))
    }

    /// Whether a component that was taken back is kept out by a pin, too.
    pub(super) fn is_pinned_to_another(&self, name: &str) -> bool {
        let newest = self.rejected.get(name).and_then(|rejected| rejected.last()?.code);
        newest.zip(self.pinned.get(name)).is_some_and(|(rejected, pinned)| rejected != *pinned)
    }

    /// Whether a component may come into force.
    pub(in crate::reload) fn admit(&self, name: &str, hash: ContentHash) -> Result<(), Box<Diagnostic>> {
        if let Some(pinned) = self.pinned.get(name).filter(|pinned| **pinned != hash) {
            let message = format!("the filter is pinned to the version with digest {pinned}, and the file has another");
            let help = format!("`sluice filter unpin {name}` lets it in");
            return Err(Box::new(Diagnostic::warning(codes::FILTER_PINNED, message).help(help)));
        }
        let mut rejected = self.rejected.get(name).into_iter().flatten();
        match rejected.find(|rejected| rejected.code == Some(hash)) {
            Some(rejected) => Err(Box::new(rolled_back(name, &rejected.reason))),
            None => Ok(()),
        }
    }

    /// Remembers what a version has that the one in force has not; says whether that is the component.
    pub(in crate::reload) fn reject(&mut self, new: &Configured, old: &Configured, reason: &str) -> bool {
        let code = (new.component.code.hash != old.component.code.hash).then_some(new.component.code.hash);
        let configuration = (!old.is_configured_with(&new.policy, &new.given)).then(|| new.clone());
        let rejected = self.rejected.entry(new.component.name.clone()).or_default();
        if rejected.len() == REJECTED {
            rejected.remove(0);
        }
        rejected.push(Rejected { code, configuration, reason: reason.to_owned(), at: Instant::now() });
        code.is_some()
    }

    /// Why settings and documents may not come into force.
    pub(in crate::reload) fn rejects(
        &self,
        name: &str,
        policy: &FilterPolicy,
        given: &[Arc<ResourceDocument>],
    ) -> Option<Diagnostic> {
        let mut rejected = self.rejected.get(name).into_iter().flatten();
        let same = |rejected: &&Rejected| {
            rejected.configuration.as_ref().is_some_and(|configured| configured.is_configured_with(policy, given))
        };
        rejected.find(same).map(|rejected| rolled_back(name, &rejected.reason))
    }

    /// The version that is tried beside the one in force.
    pub(in crate::reload) fn candidate(&self, name: &str) -> Option<&Configured> {
        self.trials.get(name).map(|trial| &trial.new)
    }

    /// Gives the instances of the version before back, so that the next one is made of them.
    pub(in crate::reload) fn release(&self, name: &str) {
        if let Some(previous) = self.previous.get(name) {
            previous.filter.release_spares();
        }
    }

    pub(super) fn trial(&self, name: &str) -> Option<Trial> {
        self.trials.get(name).and_then(Running::trial)
    }

    /// Takes out what is over. A trial beside a version whose watch is over is looked at the next time: it may have been
    /// measured by a bad one.
    pub(super) fn ended(&mut self, now: Instant) -> Vec<(String, Running, Outcome)> {
        let due = |stages: &HashMap<String, Running>| -> Vec<(String, Outcome)> {
            stages.iter().filter_map(|(name, running)| Some((name.clone(), running.outcome(now)?))).collect()
        };
        let (watches, mut trials) = (due(&self.watches), due(&self.trials));
        trials.retain(|(name, _)| watches.iter().all(|(watched, _)| watched != name));
        let mut take = |(name, outcome): (String, Outcome), watched: bool| {
            let stages = if watched { &mut self.watches } else { &mut self.trials };
            let running = stages.remove(&name)?;
            Some((name, running, outcome))
        };
        let watches: Vec<_> = watches.into_iter().filter_map(|due| take(due, true)).collect();
        watches.into_iter().chain(trials.into_iter().filter_map(|due| take(due, false))).collect()
    }

    /// Whether a version may not come into force in the place of this one, as what it has was taken back.
    pub(super) fn bars(&self, new: &Configured, in_force: &Configured) -> bool {
        let Component { name, code, .. } = &new.component;
        let same_code = code.hash == in_force.component.code.hash;
        self.admit(name, code.hash).is_err() || (same_code && self.rejects(name, &new.policy, &new.given).is_some())
    }

    /// Notes what became of a version.
    pub(super) fn note(&self, event: Event, new: &Configured, old: Option<&Configured>, reason: impl Into<String>) {
        self.note_with(event, new, old, reason, Vec::new());
    }

    /// The same with decisions in which it differed.
    pub(super) fn note_with(
        &self,
        event: Event,
        new: &Configured,
        old: Option<&Configured>,
        reason: impl Into<String>,
        differences: Vec<Difference>,
    ) {
        let entry = Entry {
            at: SystemTime::now(),
            event,
            version: new.component.code.manifest.version.clone(),
            digest: new.component.code.hash.to_string(),
            configuration_only: old.is_some_and(|old| old.component.code.hash == new.component.code.hash),
            reason: reason.into(),
            differences,
        };
        self.histories.add(&new.component.name, entry);
    }
}

pub(super) fn rolled_back(name: &str, reason: &str) -> Diagnostic {
    let message = format!("the version was taken back: {reason}");
    let help = format!("change it, or try it again with `sluice filter promote {name}`; the version before serves");
    Diagnostic::error(codes::FILTER_ROLLED_BACK, message).help(help)
}
