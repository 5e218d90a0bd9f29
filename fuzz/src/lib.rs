//! What is fuzzed: functions that take any bytes at all and panic when what must hold does not.
//!
//! Each module is a target, with what must hold in its documentation. `fuzz_targets/` hands them to libFuzzer, and the
//! tests here to `cargo test`: every seed of `seeds/`, and some thousands of changed ones. None of them reaches for a
//! network; the store alone writes files, below the directory for temporary ones.

#![allow(clippy::missing_panics_doc, reason = "a target panics when it has found something")]

mod changed;
pub mod cloudevents;
pub mod component;
pub mod decision;
pub mod delivery;
mod envelope;
pub mod expression;
pub mod http1_head;
pub mod http2_frames;
pub mod http2_head;
pub mod json;
pub mod manifest;
mod pieces;
mod reference;
pub mod routes;
pub mod settings;
pub mod store;
mod upstream;
