//! A configured filter and its warm instances.

use super::bindings::exports::sluicegate::filter::{connection_filter, explain_filter};
use super::bound::{Bound, Bounds};
use super::check::Allowed;
use super::component::Code;
use super::failure::Failure;
use super::given::Documents;
use super::grant::Grants;
use super::guard::{Admitted, Guard};
use super::holding::Holding;
use super::host_api::CURRENT;
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
use crate::worker;
use http::response;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use wasmtime::component::Resource;

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
    /// Warm instances by worker; the lock is never contended.
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
        let slots = (0..=workers).map(|_| Mutex::new(None)).collect();
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
        self.meter.log(bytes, &self.settings.bounds).is_ok()
    }

    /// Asks the filter about a request.
    pub fn on_request(&self, head: &mut Box<RequestHead>) -> Result<types::RequestDecision, Failure> {
        let decided = self.with_request(head, |instance| match &mut instance.request {
            Some(hook) => hook.call(&mut instance.store),
            None => Ok(proceed()),
        });
        self.held(decided, Allowed::request)
    }

    /// Whether it need not be asked about a request: it has no documents, and says that it lives of them.
    pub fn is_idle_for(&self, head: &RequestHead) -> bool {
        let manifest = &self.code.manifest;
        let lives_of_documents = !manifest.kinds.is_empty() && self.configuration.documents.is_empty();
        let idle = manifest.idle_unless.as_ref().filter(|_| lives_of_documents);
        idle.is_some_and(|attributes| !attributes.iter().any(|name| head.attribute(name).is_some()))
    }

    /// Hands the outcomes of a plan to the filter.
    pub fn on_gathered(
        &self,
        head: &mut Box<RequestHead>,
        state: &[u8],
        outcomes: &[types::Outcome],
    ) -> Result<types::RequestDecision, Failure> {
        let decided = self.with_request(head, |instance| match &instance.gather {
            Some(hook) => hook.call_on_gathered(&mut instance.store, Resource::new_borrow(CURRENT), state, outcomes),
            None => Err(wasmtime::Error::msg("it gathers but has no hook for what was gathered")),
        });
        self.held(decided, Allowed::request)
    }

    /// Asks the filter about a response.
    pub fn on_response(
        &self,
        head: &mut Box<RequestHead>,
        response: &mut response::Parts,
    ) -> Result<types::ResponseDecision, Failure> {
        let given = std::mem::replace(response, empty_response());
        let decided = self.with(|instance| {
            instance.store.data_mut().response = Some(given);
            let decided = swap_request(instance, head, |instance| match &instance.response {
                Some(hook) => {
                    let (request, answer) = (Resource::new_borrow(CURRENT), Resource::new_borrow(CURRENT));
                    hook.call_on_response(&mut instance.store, request, answer)
                }
                None => Ok(types::ResponseDecision::Next(Vec::new())),
            });
            if let Some(given) = instance.store.data_mut().response.take() {
                *response = given;
            }
            decided
        });
        self.held(decided, Allowed::response)
    }

    /// Asks how to deliver an event.
    pub fn on_event(&self, event: &types::Event, delivery: &types::Delivery) -> Result<types::EventDecision, Failure> {
        let decided = self.with(|instance| match &instance.event {
            Some(hook) => hook.call_on_event(&mut instance.store, event, delivery),
            None => Err(wasmtime::Error::msg("it has no hook for events")),
        });
        self.settled(decided, Allowed::event)
    }

    /// Asks what the outcome of a delivery means.
    pub fn on_delivered(
        &self,
        event: &types::Event,
        delivery: &types::Delivery,
        outcome: Result<&types::CallResponse, &types::CallError>,
    ) -> Result<types::DeliveryDecision, Failure> {
        let decided = self.with(|instance| match &instance.event {
            Some(hook) => hook.call_on_delivered(&mut instance.store, event, delivery, outcome),
            None => Err(wasmtime::Error::msg("it has no hook for events")),
        });
        self.settled(decided, Allowed::delivered)
    }

    /// Asks where a connection goes.
    pub fn on_connection(
        &self,
        connection: &connection_filter::Connection,
    ) -> Result<connection_filter::ConnectionDecision, Failure> {
        let decided = self.with(|instance| match &instance.connection {
            Some(hook) => hook.call_on_connection(&mut instance.store, connection),
            None => Ok(connection_filter::ConnectionDecision::Next),
        });
        self.settled(decided, Allowed::connection)
    }

    /// Asks for the reasons behind a decision; none when the filter does not explain itself.
    pub fn explain(&self, head: &mut Box<RequestHead>) -> Result<Option<explain_filter::Explanation>, Failure> {
        let explained = self.with_request(head, |instance| match &instance.explain {
            Some(hook) => hook.call_explain(&mut instance.store, Resource::new_borrow(CURRENT)).map(Some),
            None => Ok(None),
        });
        self.settled(explained, |_, _| Ok(()))
    }

    /// Holds a decision to what the filter may decide, and counts what it ran against.
    fn held<'a, T>(
        &'a self,
        decided: Result<T, Failure>,
        check: impl FnOnce(Allowed<'a>, &T) -> Result<(), Failure>,
    ) -> Result<T, Failure> {
        let allowed = Allowed { grants: &self.settings.grants, bounds: &self.settings.bounds };
        let held = decided.and_then(|decision| check(allowed, &decision).map(|()| decision));
        if let Err(failure) = &held {
            self.count(failure);
        }
        held
    }

    /// The same of a decision that nobody checks any further.
    fn settled<'a, T>(
        &'a self,
        decided: Result<T, Failure>,
        check: impl FnOnce(Allowed<'a>, &T) -> Result<(), Failure>,
    ) -> Result<T, Failure> {
        let held = self.held(decided, check);
        if held.is_ok() {
            self.guard.settled();
        }
        held
    }

    /// Counts what a failure ran against. Memory and tables are counted where they are asked for.
    pub fn count(&self, failure: &Failure) {
        if let Some(bound) = failure.bound.filter(|bound| !bound.is_of_room()) {
            self.refused(bound);
        }
    }

    fn with_request<T>(
        &self,
        head: &mut Box<RequestHead>,
        call: impl FnOnce(&mut Instance) -> wasmtime::Result<T>,
    ) -> Result<T, Failure> {
        self.with(|instance| swap_request(instance, head, call))
    }

    /// Runs a call on the worker's own instance, or on a new one. An instance whose call failed is dropped.
    fn with<T>(&self, call: impl FnOnce(&mut Instance) -> wasmtime::Result<T>) -> Result<T, Failure> {
        let admitted = self.guard.admit()?;
        let slot = self.slots.get(worker::index()).or(self.slots.last());
        let result = match slot.filter(|_| !self.settings.isolated) {
            Some(slot) => self.with_warm(&mut slot.lock().unwrap_or_else(PoisonError::into_inner), call),
            None => self.configured().and_then(|mut instance| self.run(&mut instance, call)),
        };
        // Whether a call on trial went well is known once its decision is settled.
        if admitted == Admitted::OnTrial
            && let Err(failure) = &result
        {
            self.guard.trial_failed(failure.kind);
        }
        result
    }

    /// The instance is used where it stands: moving it out and back would cost more than a host call.
    fn with_warm<T>(
        &self,
        slot: &mut Option<Instance>,
        call: impl FnOnce(&mut Instance) -> wasmtime::Result<T>,
    ) -> Result<T, Failure> {
        // Nothing is left of an instance in whose call the host panicked.
        if slot.as_ref().is_some_and(|instance| instance.calls_left == 0) {
            *slot = None;
        }
        let instance = match &mut *slot {
            Some(instance) => instance,
            empty => empty.insert(self.configured()?),
        };
        let calls_left = std::mem::take(&mut instance.calls_left);
        let result = self.run(instance, call);
        if result.is_ok() {
            instance.calls_left = calls_left.saturating_sub(1);
            if instance.store.data().room.memory() > instance.most_memory {
                instance.calls_left = 0;
            }
        } else {
            *slot = None;
        }
        result
    }

    fn run<T>(
        &self,
        instance: &mut Instance,
        call: impl FnOnce(&mut Instance) -> wasmtime::Result<T>,
    ) -> Result<T, Failure> {
        instance.begin(self.deadline);
        instance.store.data_mut().access.effective = true;
        call(instance).map_err(|error| instance.failure(&error))
    }
}

/// Lends the request to the store for one call. It is given back whatever the guest does, so that a request whose
/// filter failed can go on untouched.
fn swap_request<T>(
    instance: &mut Instance,
    head: &mut Box<RequestHead>,
    call: impl FnOnce(&mut Instance) -> wasmtime::Result<T>,
) -> wasmtime::Result<T> {
    let mut lend = |instance: &mut Instance, given| {
        let state = instance.store.data_mut();
        std::mem::swap(&mut state.request, head);
        state.has_request = given;
        state.access.effective = given && !state.request.rehearsed;
    };
    lend(instance, true);
    let result = call(instance);
    lend(instance, false);
    result
}

fn proceed() -> types::RequestDecision {
    types::RequestDecision::Next(types::Continuation { edits: Vec::new(), response_edits: Vec::new() })
}

fn empty_response() -> response::Parts {
    http::Response::new(()).into_parts().0
}
