//! Ends HTTP/2 connections that are flooded with frames which cost the sender nothing and the proxy something.
//!
//! The HTTP/2 implementation answers or ignores such frames without an end (CVE-2019-9512, -9513, -9515, -9518). What is
//! counted here are frame headers alone, as they come in; payloads pass unseen. A client that sends more than its
//! [`Budget`] allows gets a GOAWAY with ENHANCE_YOUR_CALM (RFC 9113, section 10.5).

mod budget;
mod frames;
mod io;

use budget::Budget;
use frames::Frames;

pub use budget::Flood;
pub(super) use io::{FloodGuard, Verdict};

/// How many bytes of these reads pass, all together, and what ends it when not all do.
pub(crate) fn scan<'a>(reads: impl IntoIterator<Item = &'a [u8]>) -> (usize, Option<Flood>) {
    let (mut frames, mut budget, mut passed) = (Frames::new(), Budget::new(), 0);
    for read in reads {
        let more = frames.scan(read, &mut budget);
        passed += more;
        if more < read.len() {
            break;
        }
    }
    (passed, frames.flood())
}
