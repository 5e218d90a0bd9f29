//! Floods of HTTP/2 frames, each on one connection, and how soon they are stopped.

use crate::Proxy;
use crate::frames::{
    self, CONTINUATION, DATA, END_HEADERS, END_STREAM, HEAD, HEADERS, PING, PREFACE, PRIORITY, RST_STREAM, SETTINGS,
    WINDOW_UPDATE, frame, request_and,
};
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// Frames that are sent before looking whether somebody says stop.
const BATCH: u32 = 10;
/// Frames that are sent at most.
const MOST: u32 = 20_000;
/// How long somebody may take to say stop.
const LOOK: Duration = Duration::from_millis(1);

/// A kind of flood.
#[derive(Debug, Clone, Copy)]
pub struct Case {
    /// What is sent, and where it is described.
    pub name: &'static str,
    /// It has to be stopped within so many frames.
    pub goal: u32,
    /// What comes before it on the connection.
    opening: fn() -> Vec<u8>,
    /// The frame or frames of this number, and how many they are.
    frames: fn(u32) -> (u32, Vec<u8>),
}

/// What became of a flood.
#[derive(Debug, Clone, Copy)]
pub struct Flooded {
    /// Frames that were sent until it was stopped; none when it was not.
    pub frames: Option<u32>,
    /// Why, as GOAWAY has it; none when the connection just ended.
    pub reason: Option<u32>,
    /// What the proxy's memory has grown by, in bytes.
    pub memory: u64,
}

fn nothing() -> Vec<u8> {
    Vec::new()
}

/// A request whose body is to come.
fn open_stream() -> Vec<u8> {
    frame(HEADERS, END_HEADERS, 1, HEAD)
}

/// A request whose head is to go on.
fn open_head() -> Vec<u8> {
    frame(HEADERS, END_STREAM, 1, HEAD)
}

/// A batch of requests, and in the next one their resets: by then each of them is taken up.
fn reset_later(index: u32) -> Vec<u8> {
    let stream = 2 * (index / (2 * BATCH) * BATCH + index % BATCH) + 1;
    match index / BATCH % 2 {
        0 => frame(HEADERS, END_HEADERS | END_STREAM, stream, HEAD),
        _ => frame(RST_STREAM, 0, stream, &8_u32.to_be_bytes()),
    }
}

/// All of them, with the frames within which each has to be stopped.
pub const CASES: [Case; 12] = [
    Case {
        name: "rapid reset (CVE-2023-44487)",
        goal: 1_300,
        opening: nothing,
        frames: |index| (2, request_and(index, END_STREAM, RST_STREAM, &8_u32.to_be_bytes())),
    },
    Case {
        name: "rapid reset, one read later",
        goal: 4_000,
        opening: nothing,
        frames: |index| (1, reset_later(index)),
    },
    Case {
        name: "made to reset, no window (CVE-2025-8671)",
        goal: 500,
        opening: nothing,
        frames: |index| (2, request_and(index, END_STREAM, WINDOW_UPDATE, &0_u32.to_be_bytes())),
    },
    Case {
        name: "made to reset, too much window",
        goal: 500,
        opening: nothing,
        frames: |index| (2, request_and(index, END_STREAM, WINDOW_UPDATE, &0x7fff_ffff_u32.to_be_bytes())),
    },
    Case {
        name: "CONTINUATION (CVE-2024-27316)",
        goal: 50,
        opening: open_head,
        frames: |_| (1, frames::endless_piece()),
    },
    Case { name: "empty CONTINUATION", goal: 100, opening: open_head, frames: |_| (1, frame(CONTINUATION, 0, 1, &[])) },
    Case {
        name: "empty DATA (CVE-2019-9518)",
        goal: 110,
        opening: open_stream,
        frames: |_| (1, frame(DATA, 0, 1, &[])),
    },
    Case { name: "PING (CVE-2019-9512)", goal: 1_000, opening: nothing, frames: |_| (1, frame(PING, 0, 0, &[0; 8])) },
    Case { name: "SETTINGS (CVE-2019-9515)", goal: 100, opening: nothing, frames: |_| (1, frame(SETTINGS, 0, 0, &[])) },
    Case {
        name: "PRIORITY (CVE-2019-9513)",
        goal: 10_000,
        opening: open_stream,
        frames: |_| (1, frame(PRIORITY, 0, 1, &[0, 0, 0, 0, 16])),
    },
    Case {
        name: "WINDOW_UPDATE (CVE-2019-9513)",
        goal: 10_000,
        opening: open_stream,
        frames: |_| (1, frame(WINDOW_UPDATE, 0, 0, &1_u32.to_be_bytes())),
    },
    Case { name: "HPACK bomb (CVE-2016-6581)", goal: 100, opening: nothing, frames: |index| (1, frames::bomb(index)) },
];

impl Case {
    /// Sends it, until it is stopped or there is no end to it.
    pub fn send(&self, proxy: &Proxy) -> Flooded {
        let before = proxy.resident_memory();
        let mut stream = TcpStream::connect(proxy.address()).expect("it listens");
        stream.set_read_timeout(Some(LOOK)).expect("a socket has a time-out");
        let _ = stream.write_all(&[PREFACE, &(self.opening)()].concat());
        let (mut sent, mut index, mut heard, mut ended) = (0, 0, Vec::new(), false);
        while !ended && sent < MOST {
            let mut batch = Vec::new();
            for _ in 0..BATCH {
                let (count, bytes) = (self.frames)(index);
                batch.extend_from_slice(&bytes);
                (sent, index) = (sent + count, index + 1);
            }
            ended = stream.write_all(&batch).is_err() || listen(&mut stream, &mut heard);
        }
        let memory = proxy.resident_memory().saturating_sub(before);
        Flooded { frames: ended.then_some(sent), reason: frames::goodbye(&heard), memory }
    }
}

/// Whether the other side has ended it, or says that it does.
fn listen(stream: &mut TcpStream, heard: &mut Vec<u8>) -> bool {
    let mut buffer = [0; 4096];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => return true,
            Ok(read) => heard.extend_from_slice(buffer.get(..read).unwrap_or_default()),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                return frames::goodbye(heard).is_some();
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => return true,
        }
    }
}
