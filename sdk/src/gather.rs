//! Plans of parallel calls, and what becomes of them.

use crate::decision::{Destination, Header, HeaderEdit, RequestDecision, RetryPolicy};
use serde::Serialize;
use std::ops::RangeInclusive;

mod assembly;
mod outcomes;
mod state;

pub use crate::bindings::imports::sluicegate::filter::types::{
    Assembly, BodyPart, BodyUse, BodyValue, CachePolicy, Call, CallError, CallGroup, CallResponse, Expectation,
    Inheritance, Outcome, Plan, StatusRange,
};
pub use assembly::assemble;
pub use outcomes::{Outcomes, PartError};
pub(crate) use state::read as read_state;

/// A plan without calls yet.
///
/// ```
/// use sluicegate_sdk::{cache, call, gather, group};
/// let stock = call("stock", "inventory", "/items/1").accept(200..=299).cache(cache().stale_if_error(60_000));
/// let plan = gather()
///     .call(call("order", "order-service", "/orders/1"))
///     .call(stock.optional())
///     .call(call("price[0]", "prices-eu", "/1"))
///     .call(call("price[1]", "prices-us", "/1"))
///     .group(group(["price[0]", "price[1]"]).enough(1))
///     .then(("item", 1));
/// assert_eq!((plan.calls.len(), plan.groups.len()), (4, 1));
/// ```
pub fn gather() -> Plan {
    Plan {
        calls: Vec::new(),
        groups: Vec::new(),
        deadline: None,
        state: Vec::new(),
        response_edits: Vec::new(),
        expected: None,
    }
}

/// A required GET whose response is good whatever its status.
pub fn call(name: impl Into<String>, destination: impl Into<Destination>, path: impl Into<String>) -> Call {
    Call {
        name: name.into(),
        destination: destination.into(),
        method: "GET".into(),
        path: path.into(),
        headers: Vec::new(),
        inherits: Inheritance::None,
        body: None,
        deadline: None,
        required: true,
        max_body: None,
        accept: Vec::new(),
        retries: None,
        body_use: BodyUse::Read,
        cache: None,
    }
}

/// Calls of a plan that belong together, by their names. All are waited for, and none is required.
pub fn group(calls: impl IntoIterator<Item = impl Into<String>>) -> CallGroup {
    let calls = calls.into_iter().map(Into::into).collect();
    CallGroup { calls, concurrency: None, enough: None, required: false }
}

/// Keeps responses for as long as they say themselves, and no longer.
pub fn cache() -> CachePolicy {
    CachePolicy { default_lifetime: None, stale_while_revalidate: 0, stale_if_error: 0 }
}

impl Plan {
    /// Adds a call.
    #[must_use]
    pub fn call(mut self, call: Call) -> Self {
        self.calls.push(call);
        self
    }

    /// Says which calls belong together.
    #[must_use]
    pub fn group(mut self, group: CallGroup) -> Self {
        self.groups.push(group);
        self
    }

    /// Limits all calls together, in milliseconds.
    #[must_use]
    pub fn deadline(mut self, milliseconds: u64) -> Self {
        self.deadline = Some(milliseconds);
        self
    }

    /// What `on_gathered` gets back, as its [`GatherFilter::State`](crate::GatherFilter::State).
    ///
    /// # Panics
    /// When the state cannot be written as JSON, such as a map whose keys are not strings: a mistake of the filter.
    #[must_use]
    pub fn then(mut self, state: impl Serialize) -> Self {
        self.state = state::write(&state);
        self
    }

    /// Answers with this, without asking `on_gathered`, when every call is good, has content and all values that the answer
    /// takes from it, and none of the responses has one of these headers. Spares a call of the filter where its answer is known beforehand.
    #[must_use]
    pub fn expect<'a>(mut self, answer: Assembly, unless_headers: impl IntoIterator<Item = &'a str>) -> Self {
        let unless_headers = unless_headers.into_iter().map(str::to_owned).collect();
        self.expected = Some(Expectation { answer, unless_headers });
        self
    }

    /// Edits the response that is made of the outcomes.
    #[must_use]
    pub fn with_response(mut self, edit: HeaderEdit) -> Self {
        self.response_edits.push(edit);
        self
    }
}

impl Call {
    /// Uses another method than GET.
    #[must_use]
    pub fn method(mut self, method: impl Into<String>) -> Self {
        self.method = method.into();
        self
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<Vec<u8>>) -> Self {
        self.headers.push(Header { name: name.into(), value: value.into() });
        self
    }

    /// Takes these headers of the request along, with those that other calls of this method on the same call named.
    #[must_use]
    pub fn inherit(mut self, names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let mut all = if let Inheritance::Named(before) = self.inherits { before } else { Vec::new() };
        all.extend(names.into_iter().map(Into::into));
        self.inherits = Inheritance::Named(all);
        self
    }

    /// Takes all headers of the request along that mean the same for a call.
    #[must_use]
    pub fn inherit_all(mut self) -> Self {
        self.inherits = Inheritance::All;
        self
    }

    /// Sends a body.
    #[must_use]
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = Some(body.into());
        self
    }

    /// Limits this call, all tries together, in milliseconds.
    #[must_use]
    pub fn deadline(mut self, milliseconds: u64) -> Self {
        self.deadline = Some(milliseconds);
        self
    }

    /// A failure leaves the other calls running.
    #[must_use]
    pub fn optional(mut self) -> Self {
        self.required = false;
        self
    }

    /// The largest response body to take in, in bytes.
    #[must_use]
    pub fn max_body(mut self, bytes: u64) -> Self {
        self.max_body = Some(bytes);
        self
    }

    /// Counts only these statuses as good, and those of other calls of this method on the same call.
    #[must_use]
    pub fn accept(mut self, statuses: impl Into<StatusRange>) -> Self {
        self.accept.push(statuses.into());
        self
    }

    /// Tries again under these conditions.
    #[must_use]
    pub fn retries(mut self, policy: RetryPolicy) -> Self {
        self.retries = Some(policy);
        self
    }

    /// Lets the host keep the responses of this GET.
    #[must_use]
    pub fn cache(mut self, policy: CachePolicy) -> Self {
        self.cache = Some(policy);
        self
    }

    /// Counts a response only as good when its body is JSON, which the host checks faster than a filter can.
    #[must_use]
    pub fn json(mut self) -> Self {
        self.body_use = BodyUse::ReadJson;
        self
    }

    /// Leaves the response's body with the host, for [`assemble`].
    #[must_use]
    pub fn splice(mut self) -> Self {
        self.body_use = BodyUse::Splice;
        self
    }

    /// The same, for a body that has to be JSON.
    #[must_use]
    pub fn splice_json(mut self) -> Self {
        self.body_use = BodyUse::SpliceJson;
        self
    }
}

impl CallGroup {
    /// How many of the calls may run at once.
    #[must_use]
    pub fn concurrency(mut self, calls: u32) -> Self {
        self.concurrency = Some(calls);
        self
    }

    /// How many good ones are enough: 1 for the first that comes, more for a quorum. The others are then cancelled.
    #[must_use]
    pub fn enough(mut self, calls: u32) -> Self {
        self.enough = Some(calls);
        self
    }

    /// Gives the plan up when there cannot be enough good ones any more.
    #[must_use]
    pub fn required(mut self) -> Self {
        self.required = true;
        self
    }
}

impl CachePolicy {
    /// For how long a response that says nothing of it counts as fresh, in milliseconds.
    #[must_use]
    pub fn default_lifetime(mut self, milliseconds: u64) -> Self {
        self.default_lifetime = Some(milliseconds);
        self
    }

    /// For how long after its freshness a response is used while a new one is fetched, in milliseconds.
    #[must_use]
    pub fn stale_while_revalidate(mut self, milliseconds: u64) -> Self {
        self.stale_while_revalidate = milliseconds;
        self
    }

    /// For how long after its freshness it stands in for a failure, in milliseconds.
    #[must_use]
    pub fn stale_if_error(mut self, milliseconds: u64) -> Self {
        self.stale_if_error = milliseconds;
        self
    }
}

impl CallResponse {
    /// The first value of a header, where it is UTF-8. The name's case does not matter.
    pub fn header(&self, name: &str) -> Option<&str> {
        let header = self.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name))?;
        std::str::from_utf8(&header.value).ok()
    }

    /// All values of a header that are UTF-8, in order. The name's case does not matter.
    pub fn header_values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let same = self.headers.iter().filter(move |header| header.name.eq_ignore_ascii_case(name));
        same.filter_map(|header| std::str::from_utf8(&header.value).ok())
    }

    /// The body as JSON.
    pub fn json<T: serde::de::DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_slice(&self.body)
    }
}

impl From<u16> for StatusRange {
    fn from(status: u16) -> Self {
        Self { first: status, last: status }
    }
}

impl From<RangeInclusive<u16>> for StatusRange {
    fn from(statuses: RangeInclusive<u16>) -> Self {
        Self { first: *statuses.start(), last: *statuses.end() }
    }
}

impl From<Plan> for RequestDecision {
    fn from(plan: Plan) -> Self {
        Self::Gather(plan)
    }
}
