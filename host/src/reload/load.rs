//! Builds a snapshot out of scanned files, or falls back on what is in force.
//!
//! [`attempt`] tries documents and components together; it makes the services of them ([`registry`]), a version of each
//! filter ([`version`]) of the documents that are its own ([`claims`]), and the [`channels`]. Between loads there is [`upkeep`].

mod attempt;
mod channels;
mod claims;
mod registry;
mod upkeep;
mod version;

use super::behind::Behind;
use super::configured::Configured;
use super::filters::{Component, REMOVAL_GRACE};
use super::offers::Offers;
use super::rollout::Rollouts;
use super::status::{Failure, Status};
use crate::config::Settings;
use crate::dns;
use crate::event::ChannelSpec;
use crate::gateway::{Files, Memory, Plan};
use crate::listener::{Change, Listeners};
use crate::manifest::{self, Diagnostics, Document, Severity};
use crate::snapshot::Snapshot;
use crate::telemetry::Telemetry;
use crate::telemetry::metrics::{ReloadResult, UpstreamFigures};
use crate::upstream::state::States;
use crate::wasm::Runtime;
use crate::watch::Tree;
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Instant, SystemTime};
use version::Novelties;

/// All files that a snapshot is made of.
#[derive(Debug, Clone)]
pub struct Sources {
    /// Manifests.
    pub manifests: Vec<Tree>,
    /// Components: the stock ones first, then the operator's.
    pub filters: Vec<Tree>,
}

/// A snapshot that is ready to serve, and what goes into force with it.
#[derive(Debug)]
pub struct Loaded {
    /// The snapshot.
    pub snapshot: Snapshot,
    /// The channels.
    pub channels: Vec<ChannelSpec>,
    /// The listeners.
    pub listeners: Change,
}

/// Remembers what is in force, to reuse it and to fall back on it.
pub struct Loader {
    pub(super) runtime: Arc<Runtime>,
    pub(super) telemetry: Telemetry,
    pub(super) settings: Arc<Settings>,
    /// What is known of endpoints, whatever snapshot has them.
    states: Arc<States>,
    /// The components in force.
    pub(super) components: Vec<Component>,
    /// The documents in force.
    documents: Option<Vec<Arc<Document>>>,
    /// What was parsed before.
    parsed: manifest::Parsed,
    /// What filters are given of documents.
    offers: Offers,
    /// The filters in force, by name.
    pub(super) configured: HashMap<String, Configured>,
    /// Large components that are compiled behind what is in force.
    pub(super) behind: Behind,
    /// Versions that are being tried, watched, or were taken back.
    pub(super) rollouts: Rollouts,
    /// When spare instances are to be made.
    spares_due: Option<Instant>,
    /// When the age of instances was looked at.
    recycled: Instant,
    /// What listens beside `--listen`; none where nothing is to be served.
    listeners: Option<Listeners>,
    /// The plan of it that is in force.
    plan: Plan,
    /// Files that documents and settings name.
    files: Files,
    /// Addresses of host names.
    names: dns::Names,
    /// Which of their changes are in force.
    names_seen: u64,
    /// TLS that was set up before.
    memory: Memory,
    pub(super) generation: u64,
    /// When to look again although no file changes.
    pub(super) recheck: Option<Instant>,
    /// For operators.
    pub status: Status,
}

impl Loader {
    /// Nothing loaded yet. Without `listeners` nothing is listened on.
    pub fn new(
        runtime: Arc<Runtime>,
        telemetry: Telemetry,
        settings: Arc<Settings>,
        names: dns::Names,
        listeners: Option<Listeners>,
    ) -> Self {
        let shown = Status::default();
        let rollouts = Rollouts::noting_in(Arc::clone(&shown.histories));
        let states = Arc::new(States::counted_in(telemetry.metrics.clone()));
        let figures = Arc::clone(&states) as Arc<dyn UpstreamFigures>;
        telemetry.metrics.show_upstreams(Arc::downgrade(&figures));
        telemetry.metrics.show_filter_memory(Arc::clone(runtime.memory()));
        Self {
            runtime,
            telemetry,
            settings,
            states,
            components: Vec::new(),
            documents: None,
            parsed: manifest::Parsed::default(),
            offers: Offers::default(),
            configured: HashMap::new(),
            behind: Behind::default(),
            rollouts,
            spares_due: None,
            recycled: Instant::now(),
            listeners,
            plan: Plan::default(),
            files: Files::default(),
            names,
            names_seen: 0,
            memory: Memory::default(),
            generation: 0,
            recheck: None,
            status: shown,
        }
    }

    /// When to load again although no file changes.
    pub fn recheck(&self) -> Option<Instant> {
        self.recheck
    }

    /// Whether a file that documents or settings name has changed since the last load.
    pub fn files_changed(&mut self) -> bool {
        self.files.changed()
    }

    /// Reads the directories that the settings name.
    pub fn scan(settings: &Settings) -> Sources {
        let scan = |path: &PathBuf, extensions: &[&str]| Tree::scan(path, extensions);
        let filters = settings.stock_filters.iter().chain(&settings.filters);
        Sources {
            manifests: settings.manifests.iter().map(|path| scan(path, manifest::EXTENSIONS)).collect(),
            filters: filters.map(|path| scan(path, super::FILTER_FILES)).collect(),
        }
    }

    /// Builds a snapshot. Bad manifests leave the documents in force, and bad components the components in force; there
    /// is no snapshot when even so nothing fits together. The diagnostics say all of it.
    pub fn load(&mut self, sources: &Sources) -> (Option<Loaded>, Diagnostics) {
        // Unless this gets as far as the files, what is due stays due.
        let now = Instant::now();
        self.recheck = self.recheck.map(|due| if due <= now { now + REMOVAL_GRACE } else { due });
        self.names.begin();
        self.files.begin();
        self.memory.begin();
        let names_seen = self.names.changes();
        let (documents, mut diagnostics) =
            manifest::load_changed(&sources.manifests, &self.settings.namespace, &mut self.parsed);
        let readable = !diagnostics.has_errors();
        let loaded =
            readable.then(|| self.attempt((sources, Novelties::Needed), documents.clone(), None, &mut diagnostics));
        let loaded = loaded.flatten();
        let loaded = loaded.or_else(|| self.fall_back(sources, readable, &mut diagnostics));
        if loaded.is_some() {
            self.names_seen = names_seen;
        }
        self.names.settle();
        let in_force = self.documents.iter().flatten();
        let hashes = self.components.iter().map(|component| component.code.hash).collect();
        self.offers.keep(in_force.chain(&documents), &hashes);
        let failed = diagnostics.has_errors();
        if !failed {
            self.behind.forget();
        }
        self.status.last_failure = failed.then(|| Failure { at: SystemTime::now(), diagnostics: diagnostics.clone() });
        self.telemetry.metrics.config_reloaded(if failed { ReloadResult::Failure } else { ReloadResult::Success });
        if loaded.is_some() && !failed {
            self.status.last_success = Some(SystemTime::now());
        }
        diagnostics.sort();
        (loaded, diagnostics)
    }

    /// The documents in force with what their files hold now, such as a renewed certificate, and without filters that are new
    /// and do not take them; where that does not fit together, with the listeners as they are. Where the new documents could not be read, and so nobody has `tried` the
    /// files yet, what is wrong with these is said.
    fn fall_back(&mut self, sources: &Sources, tried: bool, diagnostics: &mut Diagnostics) -> Option<Loaded> {
        let documents = self.documents.clone()?;
        let mut found = Diagnostics::new();
        let sources = (sources, Novelties::LeftOut);
        let loaded = self.attempt(sources, documents.clone(), None, &mut found);
        if !tried {
            diagnostics.extend(found.iter().filter(|found| found.severity == Severity::Error).cloned());
        }
        loaded.or_else(|| {
            let plan = Some(self.plan.clone());
            self.attempt(sources, documents, plan, &mut Diagnostics::new())
        })
    }
}

#[cfg(test)]
mod tests;
