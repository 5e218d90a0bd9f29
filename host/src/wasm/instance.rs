//! One running copy of a component.

use super::bindings::exports::sluicegate::filter as exports;
use super::component::Code;
use super::configuration_hook::ConfigurationHook;
use super::failure::{Failure, FailureKind};
use super::filter::Filter;
use super::given::Given;
use super::host_api::State;
use super::request_hook::RequestHook;
use super::time::{CallTime, Deadline};
use crate::config::limits;
use wasmtime::Store;
use wasmtime::component::Instance as Component;

/// A store, the instance in it, and its hooks.
pub(super) struct Instance {
    pub(super) store: Store<State>,
    pub(super) configuration: Option<ConfigurationHook>,
    pub(super) request: Option<RequestHook>,
    pub(super) gather: Option<exports::gather_filter::Guest>,
    pub(super) response: Option<exports::response_filter::Guest>,
    pub(super) event: Option<exports::event_filter::Guest>,
    pub(super) connection: Option<exports::connection_filter::Guest>,
    pub(super) explain: Option<exports::explain_filter::Guest>,
    /// The documents that it is configured with.
    pub(super) given: Given,
    /// How many more calls it may serve.
    pub(super) calls_left: u32,
    /// With more memory than this it serves no other call, in bytes.
    pub(super) most_memory: usize,
}

impl Instance {
    /// Makes one for a filter, not configured yet, in so much time.
    pub(super) fn new(filter: &Filter, deadline: Deadline) -> Result<Self, Failure> {
        let code = &filter.code;
        let mut store = Store::new(&code.engine, State::new(filter));
        store.limiter(|state| &mut state.room);
        store.set_hostcall_fuel(filter.settings.bounds.decision);
        store.epoch_deadline_callback(|mut store| Ok(store.data_mut().time.tick()));
        store.set_epoch_deadline(deadline.ticks);
        store.data_mut().time = CallTime::new(deadline.time);
        let instance = match code.pre.instantiate(&mut store) {
            Ok(instance) => instance,
            Err(error) => {
                return Err(Failure::of_instance(&error, store.data().known(&store.data().last_words.text())));
            }
        };
        let built = Self::load(code, store, &instance).map(|built| Self { calls_left: filter.calls, ..built });
        built.map_err(|(error, ())| {
            let reason =
                format!("it was built with another SDK, whose contract is not this proxy's ({error:#}); build it anew");
            Failure::new(FailureKind::Instantiate, reason)
        })
    }

    fn load(code: &Code, mut store: Store<State>, instance: &Component) -> Result<Self, (wasmtime::Error, ())> {
        macro_rules! hook {
            ($name:ident) => {
                match &code.hooks.$name {
                    Some(indices) => Some(indices.load(&mut store, instance).map_err(|error| (error, ()))?),
                    None => None,
                }
            };
        }
        Ok(Self {
            configuration: hook!(configuration),
            request: hook!(request),
            gather: hook!(gather),
            response: hook!(response),
            event: hook!(event),
            connection: hook!(connection),
            explain: hook!(explain),
            given: Given::default(),
            calls_left: 0,
            most_memory: usize::MAX,
            store,
        })
    }

    /// Readies the store for one call that may take this long, and of which nothing comes that another call could see.
    pub(super) fn begin(&mut self, deadline: Deadline) {
        self.store.set_epoch_deadline(deadline.ticks);
        let state = self.store.data_mut();
        state.time = CallTime::new(deadline.time);
        state.log_budget = limits::FILTER_LOG;
        state.access.effective = false;
        state.room.forget();
    }

    /// What the engine's error means, with what the store knows of the call.
    pub(super) fn failure(&self, error: &wasmtime::Error) -> Failure {
        let state = self.store.data();
        Failure::of_call(error, state.known(&state.last_words.text()))
    }
}
