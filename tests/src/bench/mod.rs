//! What the programs of `cargo xtask bench` have in common: one thread, hyper on both sides, connections kept.

mod arguments;
mod pool;
mod serve;

pub use arguments::address;
pub use pool::{Pooled, RequestBody, send};
pub use serve::accept;
