//! Services by name, their endpoints, and the way to them.

pub mod registry;
