//! One trait for each hook. The host calls just the hooks that a filter exports.

use crate::bindings::connection::exports::sluicegate::filter::connection_filter as connection;
use crate::bindings::explain::exports::sluicegate::filter::explain_filter as explain;
use crate::decision::{RequestDecision, ResponseDecision};
use crate::event::{Delivery, DeliveryDecision, Event, EventDecision};
use crate::gather::{CallError, CallResponse, Outcomes};
use crate::request::Request;
use crate::response::Response;
use serde::Serialize;
use serde::de::DeserializeOwned;

pub use connection::{Connection, ConnectionDecision};
pub use explain::{Candidate, Explanation};

/// Decides on a request (hook `request`).
pub trait RequestFilter {
    /// Called for every request, and once more with the body after [`inspect_body`](crate::inspect_body).
    fn on_request(&self, request: &Request<'_>) -> RequestDecision;
}

/// Decides on what the calls of a plan gave (hook `gather`).
pub trait GatherFilter {
    /// What a plan hands over to [`on_gathered`](Self::on_gathered) by [`Plan::then`](crate::Plan::then); `()` where that
    /// is nothing. It travels as JSON, within the host.
    type State: Serialize + DeserializeOwned;

    /// Called once every call of the plan has an outcome. The outcomes stand in the order of the calls.
    fn on_gathered(&self, request: &Request<'_>, state: Self::State, outcomes: Outcomes) -> RequestDecision;
}

/// Decides on a response head (hook `response`).
pub trait ResponseFilter {
    /// Called for every response on its way back, in the reverse order of the chain.
    fn on_response(&self, request: &Request<'_>, response: &Response<'_>) -> ResponseDecision;
}

/// Decides on the delivery of events (hook `event`).
pub trait EventFilter {
    /// How to deliver an event.
    fn on_event(&self, event: Event, delivery: Delivery) -> EventDecision;
    /// What the outcome of a delivery means.
    fn on_delivered(
        &self,
        event: Event,
        delivery: Delivery,
        outcome: Result<CallResponse, CallError>,
    ) -> DeliveryDecision;
}

/// Decides on connections whose TLS goes on undecrypted (hook `connection`).
pub trait ConnectionFilter {
    /// Where it goes.
    fn on_connection(&self, connection: &Connection) -> ConnectionDecision;
}

/// Explains a decision without taking it (hook `explain`).
pub trait Explain {
    /// Which candidates the request had, which one won, and why each other lost.
    fn explain(&self, request: &Request<'_>) -> Explanation;
}
