//! Seam.
mod tree;
mod walk;
pub use tree::{File, Tree};
