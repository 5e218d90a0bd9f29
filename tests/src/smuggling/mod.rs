//! Messages that two parsers may read differently, and the judge of what a proxy makes of them.
//!
//! An attack shows in the bytes that reach the upstream, not in the answer: a payload may be refused or passed on, as
//! long as whatever arrives is one message that every parser reads alike. Each payload hides a request for
//! [`HIDDEN`] from one of two readings; it must never stand where a message begins.

pub mod http1;
pub mod http2;
mod judge;
mod recorder;

pub use judge::{Message, Unsafe, judge};
pub use recorder::Recorder;

/// The target of the request that an attacker hides.
pub const HIDDEN: &str = "/hidden";

/// Bytes for one connection.
#[derive(Debug, Clone)]
pub struct Payload {
    /// Unique, in words.
    pub name: String,
    /// What is sent, in one piece.
    pub bytes: Vec<u8>,
    /// Which two readings differ.
    pub why: &'static str,
}
