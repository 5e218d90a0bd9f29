//! Ends HTTP/2 connections that are flooded with frames which cost the sender nothing and the proxy something, and says
//! with the right code what is wrong with a frame.
//!
//! The HTTP/2 implementation answers or ignores such frames without an end (CVE-2019-9512, -9513, -9515, -9518). What is
//! counted here are frame headers alone, as they come in; payloads pass unseen, but for the few bytes of SETTINGS. A client
//! that sends more than its [`Budget`] allows gets a GOAWAY with ENHANCE_YOUR_CALM (RFC 9113, section 10.5).

mod budget;
mod ended;
mod fault;
mod frames;
mod io;
mod kind;

pub use budget::Flood;
pub(super) use io::{FloodGuard, Verdict};
