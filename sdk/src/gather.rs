//! Plans of parallel calls.

use crate::decision::{Destination, Header, HeaderEdit, RequestDecision};

pub use crate::bindings::imports::sluicegate::filter::types::{Call, CallError, CallResponse, Outcome, Plan};

/// A plan without calls yet.
///
/// ```
/// use sluicegate_sdk::{call, gather};
/// let plan = gather().call(call("order", "order-service", "/orders/1")).call(call("stock", "inventory", "/items/1").optional());
/// assert_eq!(plan.calls.len(), 2);
/// ```
pub fn gather() -> Plan {
    Plan { calls: Vec::new(), deadline: None, state: Vec::new(), response_edits: Vec::new() }
}

/// A required GET.
pub fn call(name: impl Into<String>, destination: impl Into<Destination>, path: impl Into<String>) -> Call {
    Call {
        name: name.into(),
        destination: destination.into(),
        method: "GET".into(),
        path: path.into(),
        headers: Vec::new(),
        body: None,
        deadline: None,
        required: true,
        max_body: None,
    }
}

impl Plan {
    /// Adds a call.
    #[must_use]
    pub fn call(mut self, call: Call) -> Self {
        self.calls.push(call);
        self
    }

    /// Limits all calls together, in milliseconds.
    #[must_use]
    pub fn deadline(mut self, milliseconds: u64) -> Self {
        self.deadline = Some(milliseconds);
        self
    }

    /// What `on_gathered` gets back.
    #[must_use]
    pub fn state(mut self, state: impl Into<Vec<u8>>) -> Self {
        self.state = state.into();
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

    /// Sends a body.
    #[must_use]
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = Some(body.into());
        self
    }

    /// Limits this call, in milliseconds.
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

impl From<Plan> for RequestDecision {
    fn from(plan: Plan) -> Self {
        Self::Gather(plan)
    }
}
