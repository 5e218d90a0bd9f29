//! A configured filter and its warm instances.

mod hooks;

use super::bound::{Bound, Bounds};
use super::component::Code;
use super::failure::Failure;
use super::given::Documents;
use super::grant::Grants;
use super::guard::Guard;
use super::holding::Holding;
use super::instance::Instance;
use super::making::Made;
use super::meter::{Flight, InFlight, Meter};
use super::report::Reports;
use super::resilience::Resilience;
use super::spares::Spares;
use super::time::Deadline;
use super::types;
use crate::config::limits;
use crate::request::RequestHead;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What happens to a request whose filter fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum OnFailure {
    /// It is answered 503.
    #[default]
    Closed,
    /// It goes on as if the filter was not there.
    Open,
}

/// How the operator runs a filter.
#[derive(Debug, Clone, PartialEq)]
pub struct FilterSettings {
    /// What happens to a request whose filter fails.
    pub failure: OnFailure,
    /// For one call.
    pub deadline: Duration,
    /// Of an instance, in bytes.
    pub memory: usize,
    /// For buffered bodies, in bytes.
    pub inspected_body: u64,
    /// A fresh instance for every call, rather than a warm one.
    pub isolated: bool,
    /// The rest of what bounds it.
    pub bounds: Arc<Bounds>,
    /// Where its decisions may reach.
    pub grants: Grants,
    /// What becomes of it when it fails, and how long its instances live.
    pub resilience: Resilience,
    /// The filter's own settings as JSON.
    pub settings: serde_json::Value,
}

impl Default for FilterSettings {
    fn default() -> Self {
        Self {
            failure: OnFailure::Closed,
            deadline: limits::FILTER_DEADLINE,
            memory: limits::FILTER_MEMORY,
            inspected_body: limits::INSPECTED_BODY,
            isolated: false,
            bounds: Arc::default(),
            grants: Grants::default(),
            resilience: Resilience::default(),
            settings: serde_json::Value::Null,
        }
    }
}

/// What every instance is configured with.
#[derive(Debug, Clone)]
pub struct Configuration {
    /// Names that stand in for what a document leaves out.
    pub environment: types::Environment,
    /// The documents of the kinds that the filter claims.
    pub documents: Documents,
}

impl Configuration {
    /// Whether it takes so long to configure an instance that it is worth keeping instances for the next change.
    pub(super) fn is_large(&self) -> bool {
        let mut sizes = self.documents.iter().map(|document| document.json.len());
        sizes.try_fold(0_usize, |sum, size| Some(sum + size).filter(|sum| *sum < limits::SPARES_FROM)).is_none()
    }
}

/// A filter as one snapshot has it: code, settings, documents, and an instance for each worker.
pub struct Filter {
    /// Its name in logs, metrics and documents.
    pub name: Arc<str>,
    /// The component.
    pub code: Arc<Code>,
    /// How it is run.
    pub settings: FilterSettings,
    /// Keeps it from being called when it fails again and again.
    pub guard: Arc<Guard>,
    pub(super) configuration: Configuration,
    /// For one call.
    deadline: Deadline,
    /// Its settings as the guest gets them.
    pub(super) settings_text: String,
    /// Warm instances by worker, none where each call gets a fresh one; the lock is never contended.
    pub(super) slots: Box<[Mutex<Option<Instance>>]>,
    /// Of all versions that differ in documents alone.
    pub(super) spares: Arc<Spares>,
    /// How long its instances take to make.
    pub(super) made: Arc<Made>,
    /// Of all instances of this version.
    pub(super) meter: Arc<Meter>,
    /// What it has with the host, with all its versions.
    pub(super) holding: Arc<Holding>,
    /// Whether its instances become spares.
    pub(super) keeps_spares: bool,
    /// How many calls an instance serves.
    pub(super) calls: u32,
}

impl std::fmt::Debug for Filter {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Filter").field("name", &self.name).field("code", &self.code).finish_non_exhaustive()
    }
}

impl Drop for Filter {
    /// Nobody uses this version any more.
    fn drop(&mut self) {
        if self.keeps_spares {
            self.retire();
        }
    }
}

impl Filter {
    /// A filter that has not been tried yet: call [`Filter::warm`] before it serves.
    pub fn new(
        name: Arc<str>,
        code: Arc<Code>,
        settings: FilterSettings,
        configuration: Configuration,
        workers: usize,
        reports: Arc<Reports>,
    ) -> Self {
        // One more than workers, for the threads that are none: delivery, the admin listener, reload.
        let warm = if settings.isolated { 0 } else { workers + 1 };
        let slots = (0..warm).map(|_| Mutex::new(None)).collect();
        let settings_text = settings.settings.to_string();
        let deadline = Deadline::new(settings.deadline);
        let keeps_spares = code.hooks.has_update() && !settings.isolated && configuration.is_large();
        let (spares, made, meter, holding) = Default::default();
        // What takes long to configure is not replaced now and then, in the middle of a request, for nothing.
        let without_end = if keeps_spares { u32::MAX } else { limits::INSTANCE_CALLS };
        let calls = settings.resilience.recycle.calls.unwrap_or(without_end);
        let version = (code.manifest.version.clone(), code.hash.to_string());
        let guard = Arc::new(Guard::new(settings.resilience.quarantine, reports, version));
        Self {
            name,
            code,
            settings,
            guard,
            configuration,
            deadline,
            settings_text,
            slots,
            spares,
            made,
            meter,
            holding,
            keeps_spares,
            calls,
        }
    }

    /// Counts in this meter, which others of the same version may share.
    #[must_use]
    pub fn metered(mut self, meter: Arc<Meter>) -> Self {
        self.meter = meter;
        self
    }

    /// Shares metrics of its own and its store with other versions.
    #[must_use]
    pub fn holding(mut self, holding: Arc<Holding>) -> Self {
        self.holding = holding;
        self
    }

    /// Says that this is the next version of a filter that differs in documents alone, so its spares are of use.
    #[must_use]
    pub fn succeeding(mut self, before: &Self) -> Self {
        // A version that keeps none must not hold on to them, either.
        let same = self.keeps_spares
            && self.code.hash == before.code.hash
            && self.settings == before.settings
            && self.name == before.name
            && self.configuration.environment == before.configuration.environment;
        if same {
            self.spares = Arc::clone(&before.spares);
            self.made = Arc::clone(&before.made);
        }
        self
    }

    /// How many instances are warm.
    pub fn instances(&self) -> usize {
        self.slots.iter().filter(|slot| slot.try_lock().is_ok_and(|instance| instance.is_some())).count()
    }

    /// Counts what was refused.
    pub fn refused(&self, bound: Bound) {
        self.meter.refusals.count(bound);
    }

    /// Counts calls or publications as under way for it.
    ///
    /// # Errors
    /// When there would be more than it may have.
    pub fn enter(&self, flight: Flight, count: usize) -> Result<InFlight, Bound> {
        self.meter.enter(flight, count, &self.settings.bounds)
    }

    /// Whether a line of so many bytes about the filter may be logged now.
    pub fn may_log(&self, bytes: usize) -> bool {
        self.meter.may_log(&self.name, bytes, &self.settings.bounds)
    }

    /// Whether it need not be asked about a request: it has no documents, and says that it lives of them.
    pub fn is_idle_for(&self, head: &RequestHead) -> bool {
        let manifest = &self.code.manifest;
        let lives_of_documents = !manifest.kinds.is_empty() && self.configuration.documents.is_empty();
        let idle = manifest.idle_unless.as_ref().filter(|_| lives_of_documents);
        idle.is_some_and(|attributes| !attributes.iter().any(|name| head.attribute(name).is_some()))
    }

    /// Counts what a failure ran against. Memory and tables are counted where they are asked for.
    pub fn count(&self, failure: &Failure) {
        if let Some(bound) = failure.bound.filter(|bound| !bound.is_of_room()) {
            self.refused(bound);
        }
    }
}
