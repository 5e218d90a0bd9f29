//! Calls of a filter: on the worker's own instance, within their time, their decisions held to what the filter may decide.

use super::super::bindings::exports::sluicegate::filter::{connection_filter, explain_filter};
use super::super::check::Allowed;
use super::super::failure::Failure;
use super::super::guard::Admitted;
use super::super::host_api::CURRENT;
use super::super::instance::Instance;
use super::super::making;
use super::super::types;
use super::Filter;
use crate::request::RequestHead;
use crate::worker;
use http::response;
use std::sync::PoisonError;
use wasmtime::component::Resource;

impl Filter {
    /// Asks the filter about a request.
    pub fn on_request(&self, head: &mut Box<RequestHead>) -> Result<types::RequestDecision, Failure> {
        let decided = self.with_request(head, |instance| match &mut instance.request {
            Some(hook) => hook.call(&mut instance.store),
            None => Ok(proceed()),
        });
        self.held(decided, Allowed::request)
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
        let decided = self.with(|instance| {
            // Only now: without a call, it goes on as it is.
            instance.store.data_mut().response = Some(std::mem::replace(response, empty_response()));
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

    /// Asks for the reasons behind a decision; none when the filter does not explain itself. Whether it does says nothing of
    /// whether it works, so this is no trial of a filter in quarantine.
    pub fn explain(&self, head: &mut Box<RequestHead>) -> Result<Option<explain_filter::Explanation>, Failure> {
        if self.guard.is_quarantined() {
            return Err(Failure::quarantined());
        }
        let explained = self.call(|instance| {
            swap_request(instance, head, |instance| match &instance.explain {
                Some(hook) => hook.call_explain(&mut instance.store, Resource::new_borrow(CURRENT)).map(Some),
                None => Ok(None),
            })
        });
        self.held(explained, |_, _| Ok(()))
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

    fn with_request<T>(
        &self,
        head: &mut Box<RequestHead>,
        call: impl FnOnce(&mut Instance) -> wasmtime::Result<T>,
    ) -> Result<T, Failure> {
        // What is only rehearsed is no trial.
        if head.rehearsed && self.guard.is_quarantined() {
            return Err(Failure::quarantined());
        }
        self.with(|instance| swap_request(instance, head, call))
    }

    /// Runs a call, if the filter is not left out.
    fn with<T>(&self, call: impl FnOnce(&mut Instance) -> wasmtime::Result<T>) -> Result<T, Failure> {
        let admitted = self.guard.admit()?;
        let result = self.call(call);
        // Whether a call on trial went well is known once its decision is settled.
        if admitted == Admitted::OnTrial
            && let Err(failure) = &result
        {
            self.guard.trial_failed(failure.kind);
        }
        result
    }

    /// Runs a call on the worker's own instance, or on a new one. An instance whose call failed is dropped.
    fn call<T>(&self, call: impl FnOnce(&mut Instance) -> wasmtime::Result<T>) -> Result<T, Failure> {
        // What was made for other filters is not this one's time.
        making::take();
        let slot = self.slots.get(worker::index()).or(self.slots.last());
        match slot {
            Some(slot) => self.with_warm(&mut slot.lock().unwrap_or_else(PoisonError::into_inner), call),
            None => self.configured().and_then(|mut instance| self.run(&mut instance, call)),
        }
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
