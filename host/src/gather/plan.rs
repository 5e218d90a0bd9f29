//! A plan that can be carried out: what a filter wrote, understood.

use crate::config::limits;
use crate::wasm::types::{BodyUse, BodyValue, CachePolicy, Destination, RetryPolicy, StatusRange};
use bytes::Bytes;
use http::request::Parts;
use http::{HeaderName, Method, Response, StatusCode};
use std::time::Duration;

/// Calls to be made in parallel.
#[derive(Debug)]
pub struct Plan {
    /// In the filter's order; at least one, and at most [`limits::PLAN_CALLS`](crate::config::limits::PLAN_CALLS).
    pub calls: Vec<Call>,
    /// Calls that belong together.
    pub groups: Vec<Group>,
    /// For all calls together.
    pub deadline: Option<Duration>,
    /// Handed back to the filter.
    pub state: Vec<u8>,
    /// The answer if all goes well.
    pub expected: Option<Box<Expected>>,
}

/// An answer that is known before the calls are made.
#[derive(Debug)]
pub struct Expected {
    /// Its head.
    pub head: Response<()>,
    /// Its body, all of whose calls are of the plan.
    pub body: Vec<Part>,
    /// The call of each value in the body, by its place in the plan.
    pub(super) values: Vec<usize>,
    /// Headers of responses that make another answer of it.
    pub unless: Vec<HeaderName>,
}

/// A piece of an answer's body.
#[derive(Debug, Clone, PartialEq)]
pub enum Part {
    /// These bytes.
    Bytes(Bytes),
    /// The body of this call, which stays with the host.
    BodyOf(String),
    /// A value within the body of a call that is read and checked.
    ValueOf(BodyValue),
}

/// One call.
#[derive(Debug)]
pub struct Call {
    /// Unique in the plan.
    pub name: String,
    /// Where it goes.
    pub destination: Destination,
    /// Method, path and its own headers, `host` among them.
    pub head: Parts,
    /// What is sent.
    pub body: Option<Bytes>,
    /// For all tries together.
    pub deadline: Option<Duration>,
    /// Whether its failure gives the plan up.
    pub required: bool,
    /// The largest response body, in bytes.
    pub max_body: Option<u64>,
    /// The statuses that are good; empty: every one.
    pub accept: Vec<StatusRange>,
    /// When to try again.
    pub retries: Option<RetryPolicy>,
    /// What becomes of the response's body.
    pub body_use: BodyUse,
    /// Whether responses may be kept.
    pub cache: Option<CachePolicy>,
    /// The first call of the plan that is the same and so gives the same response: its own place when there is none
    /// before it.
    pub same_as: usize,
    /// Whether another call of the plan gives the same response.
    pub shared: bool,
}

/// Calls that belong together. As a plan has no more calls than a word has bits, sets of them are words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Group {
    /// Its calls: a bit for each, the lowest for the plan's first.
    pub calls: u64,
    /// How many may run at once.
    pub concurrency: u32,
    /// How many good ones are enough.
    pub enough: Option<u32>,
    /// Whether the plan is given up when there cannot be enough any more.
    pub required: bool,
}

impl Call {
    /// Whether a status is good.
    pub fn accepts(&self, status: StatusCode) -> bool {
        let within = |range: &StatusRange| (range.first..=range.last).contains(&status.as_u16());
        self.accept.is_empty() || self.accept.iter().any(within)
    }

    /// The largest body to read of a good response, in bytes.
    pub fn most(&self) -> u64 {
        self.max_body.unwrap_or(limits::CALL_BODY).min(limits::CALL_BODY_MAX)
    }

    /// The largest body to read of a response whose status is not accepted, in bytes. One that is larger, late or broken is left
    /// out, as the status says what counts.
    pub fn refused_most(&self) -> u64 {
        self.max_body.unwrap_or(limits::REFUSED_BODY).min(limits::REFUSED_BODY)
    }

    /// Whether its body stays with the host.
    pub fn splices(&self) -> bool {
        matches!(self.body_use, BodyUse::Splice | BodyUse::SpliceJson)
    }

    /// Whether a response of this status has to be JSON.
    pub fn has_to_be_json(&self, status: StatusCode) -> bool {
        matches!(self.body_use, BodyUse::ReadJson | BodyUse::SpliceJson) && !has_no_content(status)
    }

    /// Whether it asks for something and changes nothing, so that one response may serve several.
    pub fn is_plain_get(&self) -> bool {
        self.head.method == Method::GET && self.body.is_none()
    }

    /// Whether the other asks for the very same, and takes the response in as this one does: what is one's failure, or has been
    /// checked for one, is so for the other.
    pub fn asks_the_same(&self, other: &Self) -> bool {
        self.head.uri == other.head.uri
            && self.destination == other.destination
            && self.head.headers == other.head.headers
            && self.body_use == other.body_use
            && self.max_body == other.max_body
            && self.accept == other.accept
            && self.retries == other.retries
    }
}

/// Whether a response of this status has no content (RFC 9110, sections 15.3.5, 15.3.6 and 15.4.5).
pub(super) fn has_no_content(status: StatusCode) -> bool {
    matches!(status.as_u16(), 204 | 205 | 304)
}
