//! Tests of routes: what a configuration would do with a request, compared with what its author expects of it.
//!
//! [`read`] turns a file of tests into [`Case`]s, [`run`] takes one through the chain as `explain` does, and
//! [`compare`] says what differs. No socket is opened: what an upstream would answer is part of the test.

mod calls;
mod case;
mod compare;
mod file;
mod outcome;
mod read;

pub use case::{Case, Expectation, HeaderExpectation, Reply, Suite, Target};
pub use compare::{Mismatch, compare};
pub use outcome::{Outcome, Route, Sent, run};
pub use read::read;
