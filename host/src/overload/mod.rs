//! What is refused when there is more to do than can be done, and in which order.
//!
//! Five things can be short, and each has the measure that tells it best:
//!
//! | short | measure | refused with |
//! |---|---|---|
//! | room for requests | how many are in flight ([`admit`]), a fixed limit | 503 |
//! | memory | the resident set against what there is ([`memory`]), sampled beside the requests | 503 |
//! | a service | its latency against what it was ([`crate::upstream::adaptive`]), a limit for each service | 503 |
//! | patience with one client | its requests in flight and their rate ([`clients`]) | 429 |
//! | descriptors | `accept` itself ([`crate::worker`]): connections wait | - |
//!
//! Requests have a [`Priority`] by the rules of an `Overload` document ([`rules`]), or normal priority without one. Each
//! priority may fill a share of a limit, so the lowest is refused first, and what is above it finds room. What is asked
//! of the admin endpoint never comes here, as that has its own listener and thread.
//!
//! For a request this costs an increment and a comparison; where memory is short, a load more. Nothing is locked, but
//! the table of clients once for each connection.

pub mod admit;
pub mod clients;
pub mod document;
pub mod memory;
pub mod policy;
pub mod rules;

pub use admit::{Admitted, Overload};
pub use policy::Policy;

use crate::priority::Priority;
use std::sync::Arc;

/// Looks at the memory until it is dropped; `policy` gives what is in force.
pub async fn watch(overload: &Overload, policy: impl Fn() -> Arc<Policy>) {
    let mut ticks = tokio::time::interval(crate::config::limits::MEMORY_LOOK);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut of_system = memory::OfSystem::default();
    loop {
        ticks.tick().await;
        overload.memory.look(policy().memory, &mut of_system);
    }
}

/// How much of `limit` a priority may fill; all of it for everyone where nothing tells requests apart.
pub(crate) fn room(limit: usize, priority: Priority, classed: bool) -> usize {
    if classed { limit.saturating_mul(priority.share()).div_ceil(100).max(1) } else { limit }
}
