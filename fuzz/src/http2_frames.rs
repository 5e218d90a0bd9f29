//! Bytes of a client's HTTP/2 connection, as the guard against floods follows their frames.
//!
//! - However they are cut into reads, as many pass.
//! - All pass, or those up to the end of the frame that is one too many, which a plain reading of the frames finds too, or
//!   those up to one that is wrong in itself.

use crate::pieces;
use sluicegate::config::limits;
use sluicegate::connection::Flood;
use sluicegate::fuzzing;
use std::time::{Duration, Instant};

/// Of the preface, RFC 9113, section 3.4; what it says is the library's to check.
const PREFACE: usize = 24;

/// Longest wire, in bytes: several times what the longest allowance takes.
const WIRE: usize = 32 << 10;
/// The guard renews its allowances every second; a run that took nearly as long says nothing.
const SLOW: Duration = Duration::from_millis(900);

/// Runs the target. What begins with a zero is taken as it is. Else a frame is written as four bytes: its type, its
/// flags, the length of its payload, and how many of it follow.
pub fn run(bytes: &[u8]) {
    let wire = if bytes.first().is_some_and(|first| *first == 0) { bytes.to_vec() } else { unfolded(bytes) };
    let begin = Instant::now();
    let outcomes = [
        fuzzing::scan_frames([wire.as_slice()]),
        fuzzing::scan_frames(pieces::of(&wire)),
        fuzzing::scan_frames(wire.chunks(1)),
    ];
    if begin.elapsed() < SLOW {
        // What makes a frame wrong is the business of its own tests; here it only has to be so however it is read.
        let expected = outcomes[0].map_or_else(Err, |_| Ok(read(&wire)));
        assert_eq!(outcomes, [expected; 3], "{}", wire.escape_ascii());
    }
}

fn unfolded(bytes: &[u8]) -> Vec<u8> {
    let mut wire = vec![b'p'; PREFACE];
    for frame in bytes.chunks(4) {
        let [kind, flags, length, times] = [0, 1, 2, 3].map(|at| frame.get(at).copied().unwrap_or_default());
        let (length, times) = (length % 32, times % 128);
        for _ in 0..=times {
            wire.extend_from_slice(&[0, 0, length, kind % 12, flags, 0, 0, 0, 1]);
            wire.resize(wire.len() + usize::from(length), b'x');
        }
        if wire.len() > WIRE {
            break;
        }
    }
    wire
}

/// Counts frames one after the other, as if all came at once.
fn read(wire: &[u8]) -> (usize, Option<Flood>) {
    let (mut at, mut counts) = (PREFACE, [0_u32; 7]);
    let (mut headers, kinds) = (
        0_u32,
        [
            Flood::Ping,
            Flood::Settings,
            Flood::Priority,
            Flood::WindowUpdate,
            Flood::EmptyData,
            Flood::Continuation,
            Flood::Reset,
        ],
    );
    while let Some(&[a, b, c, kind, flags, ..]) = wire.get(at..at + 9) {
        let length = usize::try_from(u32::from_be_bytes([0, a, b, c])).unwrap_or(usize::MAX);
        at += 9 + length;
        let index = match kind {
            0 if length == 0 && flags & 1 == 0 => 4,
            0 => continue,
            1 => {
                headers += 1;
                counts[5] = 0;
                counts[6] = counts[6].saturating_sub(1);
                continue;
            }
            3 => 6,
            4 => 1,
            6 => 0,
            8 => 3,
            9 => 5,
            _ => 2,
        };
        let earned = headers.saturating_mul(limits::H2_FRAMES_PER_STREAM);
        let most = [
            limits::H2_PINGS,
            limits::H2_SETTINGS,
            limits::H2_PRIORITIES + earned,
            limits::H2_WINDOW_UPDATES + earned,
            limits::H2_EMPTY_DATA,
            limits::H2_CONTINUATIONS,
            limits::H2_RESETS * limits::H2_HEADERS_PER_RESET,
        ];
        counts[index] += if index == 6 { limits::H2_HEADERS_PER_RESET } else { 1 };
        if counts[index] > most[index] {
            // It is told once its payload is there.
            return if at <= wire.len() { (at, Some(kinds[index])) } else { (wire.len(), None) };
        }
    }
    (wire.len(), None)
}
