//! Write [Sluicegate](https://docs.rs/sluicegate) filters.
//!
//! A filter decides and the host acts: every hook is a synchronous function that reads the request and returns
//! its decision as data. Implement the trait of each hook you need, then [`export!`] the type.
//!
//! ```
//! use sluicegate_sdk::prelude::*;
//!
//! #[derive(Default)]
//! struct RequireToken;
//!
//! impl RequestFilter for RequireToken {
//!     fn on_request(&self, request: &Request<'_>) -> RequestDecision {
//!         match request.header("authorization") {
//!             Some(_) => next().into(),
//!             None => respond(401).text("a token, please").into(),
//!         }
//!     }
//! }
//!
//! sluicegate_sdk::export!(RequireToken, hooks: [request]);
//! # fn main() {
//! # use sluicegate_sdk::testing::TestRequest;
//! # let refused = RequireToken.on_request(&TestRequest::get("/").request());
//! # assert!(matches!(refused, RequestDecision::Respond(answer) if answer.status == 401));
//! # }
//! ```
//!
//! The traits run natively too: [`testing`] has requests, responses and outcomes for unit tests without WebAssembly.

// The export macro names this crate by its absolute path, also when it is expanded here.
extern crate self as sluicegate_sdk;

#[doc(hidden)]
pub mod bindings;
mod configuration;
mod decision;
mod declared;
mod event;
#[doc(hidden)]
pub mod export;
mod field_lines;
mod gather;
mod hooks;
mod instance;
pub mod json;
mod naming;
mod place;
mod request;
mod resource;
mod response;
pub mod testing;

pub mod capability;

pub use configuration::{
    Configure, Diagnostic, Diagnostics, Environment, Resource, ResourceId, Severity, Update, Updated,
};
pub use decision::{
    Answer, Continuation, Forward, RequestDecision, ResponseDecision, RetryCondition, RetryPolicy, append_formatted,
    append_header, edit, forward, inspect_body, next, remove_header, respond, set_formatted, set_header,
};
pub use decision::{Attribute, Destination, FormattedHeader, Header, HeaderEdit, Mirror, RequestEdit, ValuePart};
pub use event::{
    Acknowledgement, CorrelatedAnswer, Delivery, DeliveryDecision, DeliveryRequest, Emission, Event, EventDecision,
    Publication, Publish, ReplyWait, StreamFormat, SubscriptionStream, Target, publish, subscribe,
};
pub use field_lines::FieldLines;
pub use gather::{
    Assembly, BodyPart, BodyUse, BodyValue, CachePolicy, Call, CallError, CallGroup, CallResponse, Expectation,
    Inheritance, Outcome, Outcomes, PartError, Plan, StatusRange, assemble, cache, call, gather, group,
};
pub use hooks::{
    Candidate, Connection, ConnectionDecision, ConnectionFilter, EventFilter, Explain, Explanation, GatherFilter,
    RequestFilter, ResponseFilter,
};
pub use place::Place;
pub use request::Request;
pub use response::Response;

/// What nearly every filter needs.
pub mod prelude {
    pub use crate::{
        Answer, Call, CallError, CallResponse, Candidate, Configure, Connection, ConnectionDecision, ConnectionFilter,
        Delivery, DeliveryDecision, Destination, Diagnostics, Environment, Event, EventDecision, EventFilter, Explain,
        Explanation, Forward, GatherFilter, Outcome, Outcomes, PartError, Plan, Request, RequestDecision,
        RequestFilter, Resource, ResourceId, Response, ResponseDecision, ResponseFilter, Update, Updated,
        append_header, assemble, cache, call, edit, forward, gather, group, inspect_body, next, publish, remove_header,
        respond, set_header,
    };
}

#[doc(hidden)]
pub use wit_bindgen;

/// Keeps the code in the README working.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
