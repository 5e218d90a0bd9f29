//! API composition: makes the calls of a plan, in parallel, and puts answers together of what they give.
//!
//! [`mod@check`] turns what a filter wrote into a [`Plan`] that can be carried out; [`run()`] carries it out: [`progress`]
//! says which call may begin, which is not wanted any more and when the plan is given up, [`fetch`] makes one call over
//! the same machinery that requests are forwarded by, and [`outcome`] says what came of it as the contract has it. Bodies
//! that a filter wants spliced stay here ([`held`], checked by [`json`](crate::json) as they stream) until [`assemble`] sends them on.
//!
//! What the outcomes mean is the filter's business; a status of 500 is an answer like any other here, unless the call
//! says which statuses it accepts.

mod assemble;
mod budget;
pub mod cache;
mod check;
mod expected;
mod fetch;
mod gathered;
mod held;
mod inheritance;
pub mod outcome;
mod plan;
mod progress;
mod run;

pub use assemble::{assemble, put_together};
pub use cache::{Cache, Cached};
pub use check::check;
pub use gathered::Gathered;
pub use held::{Bodies, Held};
pub use plan::{Call, Expected, Group, Part, Plan};
pub use run::{Run, run};

#[cfg(test)]
mod tests;
