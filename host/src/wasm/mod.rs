//! a
pub mod bindings;
mod host_api;
