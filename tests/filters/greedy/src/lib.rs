//! Imports the capabilities `clock` and `random`, to test that a filter without a grant for them is refused.

use sluicegate_sdk::capability::{clock, random};
use sluicegate_sdk::prelude::*;

/// How many random bytes to draw.
const DRAWN: u32 = 8;

/// Sets the response header `x-greedy` to the time and the number of bytes drawn.
#[derive(Debug, Default)]
pub struct Greedy;

impl RequestFilter for Greedy {
    fn on_request(&self, _: &Request<'_>) -> RequestDecision {
        let greed = format!("{} {}", clock::now(), random::bytes(DRAWN).len());
        next().with_response(set_header("x-greedy", greed)).into()
    }
}

sluicegate_sdk::export!(Greedy, hooks: [request], capabilities: ["clock", "random"]);
