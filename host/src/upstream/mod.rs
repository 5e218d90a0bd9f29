//! Services by name, their endpoints, and the way to them.

pub mod forward;
pub mod pool;
pub mod registry;
pub mod retry;
pub mod splice;

pub use forward::{ForwardPolicy, Forwarded, forward};
