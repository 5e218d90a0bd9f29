//! How a new version of a filter comes into force: in which stages, what is held against it, and what became of others.
//!
//! A version is a component with its settings and its documents. What counts as worse stands in [`judge`], and why a
//! difference is none of chance in [`evidence`]. The stages themselves are carried out where versions are loaded
//! (`crate::reload`).

pub mod evidence;
pub mod history;
pub mod judge;
pub mod plan;

pub use history::{Difference, Entry, Event, Histories};
pub use judge::{Fault, worse};
pub use plan::{Canary, Plan, Shadow, Share};
