//! Conformance of routing: what the specifications of others say, asked of the real proxy.
//!
//! A file of cases ([`File`]) holds manifests, the backends that they speak of, and requests with what must become of
//! them. [`run`] starts a proxy and the backends for each file, sends every request over real sockets, and compares.
//! [`Differences`] lists what is known to differ, each with its reason; whatever differs from that list is drift.
//! [`check_documents`] does the same with documents of other projects, which are data and no part of this one, and
//! [`check_expressions`] with CESQL expressions.

mod backend;
mod differences;
mod documents;
mod exchange;
mod expect;
mod expressions;
mod file;
mod load;
mod referents;
mod report;
mod run;
mod service;

pub use differences::Differences;
pub use documents::check_documents;
pub use expressions::check_expressions;
pub use file::{Case, Expect, File, Load, Loads, read_directory};
pub use report::{Report, Standing};
pub use run::{CaseResult, run};
