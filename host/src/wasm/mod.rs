//! The filter runtime: from a component's bytes to calls of its hooks.
//!
//! [`engine`] compiles, with a [`Crew`] of threads, [`manifest`] and [`component`] check before anything is linked, [`wasi`] gives every component a
//! WASI that denies, [`instance`] is one running copy, [`filter`] is a configured filter with its warm instances.
//! [`bound`] is the table of all that bounds a filter, [`grant`] says where its decisions may reach, [`meter`] counts what was
//! refused, [`holding`] is what a filter has beside its instances; `check` holds each decision to it.
//! An instance is configured with all documents, or brought from one set of them to the next (`warm`, `given`, `spares`, `making`). A [`guard`] keeps a filter that fails again and again from being called.

pub mod bindings;
pub mod bound;
pub(crate) mod check;
mod code_cache;
pub mod component;
mod configuration_hook;
mod crew;
pub mod engine;
pub mod failure;
pub mod filter;
mod given;
pub mod grant;
pub mod guard;
pub mod holding;
pub mod host_api;
pub mod instance;
pub(crate) mod making;
pub mod manifest;
pub mod memory;
pub mod meter;
pub mod report;
mod request_hook;
pub mod resilience;
mod room;
pub mod signature;
mod spares;
mod time;
mod warm;
mod wasi;

pub use bindings::exports::sluicegate::filter::{connection_filter, explain_filter};
pub use bindings::sluicegate::filter::types;
pub use bound::{Bound, Bounds};
pub use component::{Code, Hooks, Refusal};
pub use crew::Crew;
pub use engine::Runtime;
pub use failure::{Failure, FailureKind};
pub use filter::{Filter, FilterSettings, OnFailure};
pub use given::Documents;
pub use grant::{Grants, Scope, WrittenGrants};
pub use guard::{Condition, Guard, Verdict};
pub use holding::{Holding, Holdings};
pub use memory::GuestMemory;
pub use meter::{Flight, InFlight, Meter};
pub use report::{Frame, Report, Reports};
pub use resilience::{Quarantine, Recycle, Resilience};
