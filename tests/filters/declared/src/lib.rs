//! Declares the headers that it reads, and says what it has read; `undeclared` does the same without declaring any.

mod probe;

use sluicegate_sdk::prelude::*;

/// Sets `x-declared` to what it has read, of the request for the upstream and of the response.
#[derive(Debug, Default)]
pub struct Declared;

impl RequestFilter for Declared {
    fn on_request(&self, request: &Request<'_>) -> RequestDecision {
        let seen = probe::seen(request);
        next().with(set_header("x-declared", seen.as_str())).with_response(set_header("x-declared", seen)).into()
    }
}

sluicegate_sdk::export!(
    Declared,
    hooks: [request],
    reads: ["X-One", "x-two", "x-empty", "x-filter-request"],
    priority: 10,
);
