//! Asks the host for every header that it reads, and says what it has read; see `declared`.

#[path = "../../declared/src/probe.rs"]
mod probe;

use sluicegate_sdk::prelude::*;

/// Sets `x-undeclared` to what it has read, of the request for the upstream and of the response.
#[derive(Debug, Default)]
pub struct Undeclared;

impl RequestFilter for Undeclared {
    fn on_request(&self, request: &Request<'_>) -> RequestDecision {
        let seen = probe::seen(request);
        next().with(set_header("x-undeclared", seen.as_str())).with_response(set_header("x-undeclared", seen)).into()
    }
}

sluicegate_sdk::export!(Undeclared, hooks: [request]);
