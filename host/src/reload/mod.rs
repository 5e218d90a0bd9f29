//! From files to a new snapshot, or to the reasons why there is none.
//!
//! Scan, parse, check, compile, configure, self-check, swap: nothing that is in force is touched before the last step,
//! so "roll back" means to do nothing. One thread does it, at low priority, and never one that serves requests.

mod asked;
mod behind;
mod bounds;
mod configured;
mod filters;
mod load;
mod offers;
mod policy;
mod provenance;
mod rollout;
mod self_test;
mod status;
mod thread;

pub use asked::{Asked, Reloaded, Reloads, Unanswered};
pub(crate) use filters::{FILES as FILTER_FILES, stem};
pub use load::{Loaded, Loader, Sources};
pub use policy::{FilterPolicy, POLICY_SCHEMA};
pub use rollout::{Effect, Order, Orders, Shown};
pub use status::{Failure, Status, rfc3339};
pub(crate) use thread::log;
pub use thread::{Reload, spawn};
