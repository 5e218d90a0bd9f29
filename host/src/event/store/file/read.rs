//! Reading a log from a position on: from memory, where its latest events are, or from its files.

use super::frame::{self, Found};
use super::log::{FileLog, Record};
use super::{codec, segment};
use std::io;
use std::sync::Arc;

/// What a subscription reads ahead at once.
const CHUNK_EVENTS: usize = 256;
const CHUNK_BYTES: u64 = 1 << 20;

/// Where in the files a position is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Spot {
    /// The first position of the segment.
    segment: u64,
    offset: u64,
}

/// What is to be had from a position on.
pub(super) enum Ahead {
    /// Nothing yet.
    Nothing,
    /// These are in memory.
    Records(Vec<Record>),
    /// They are in the files.
    OnDisk,
}

/// What was read from files.
pub(super) struct Chunk {
    pub(super) records: Vec<Record>,
    /// The position after what was read; what is missing before it is lost or was removed.
    pub(super) next: u64,
    pub(super) spot: Option<Spot>,
}

impl FileLog {
    /// What is to be had from a position on.
    pub(super) fn ahead(&self, position: u64) -> Ahead {
        let state = self.state();
        if position >= state.next {
            return Ahead::Nothing;
        }
        let Some(first) = state.tail.front().map(|first| first.position).filter(|first| *first <= position) else {
            return Ahead::OnDisk;
        };
        let skip = usize::try_from(position - first).unwrap_or(usize::MAX);
        Ahead::Records(state.tail.iter().skip(skip).take(CHUNK_EVENTS).cloned().collect())
    }

    /// Reads from the files, which blocks.
    pub(super) fn read(&self, position: u64, spot: Option<Spot>) -> io::Result<Chunk> {
        let (segment, end) = {
            let state = self.state();
            // What was written is read up to what is known to be on the disk.
            let index = state.segments.partition_point(|segment| segment.first <= position).saturating_sub(1);
            let end = state.segments.get(index + 1).map_or(state.next, |following| following.first);
            match state.segments.get(index) {
                Some(segment) => (*segment, end),
                None => return Ok(Chunk { records: Vec::new(), next: state.next, spot: None }),
            }
        };
        let offset = spot.filter(|spot| spot.segment == segment.first).map_or(segment::START, |spot| spot.offset);
        let path = segment::path(&self.directory, segment.first);
        let mut frames = segment::read(&path, offset, segment.end)?;
        let mut chunk = Chunk { records: Vec::new(), next: end, spot: None };
        let mut bytes = 0;
        loop {
            match frames.next()? {
                Found::Frame(frame) if frame.position >= end => return Ok(chunk),
                Found::Frame(frame) if frame.position < position => {}
                Found::Frame(frame) => {
                    let size = frame::size(&frame.payload);
                    bytes += size;
                    chunk.next = frame.position + 1;
                    if let Some(event) = codec::decode(&frame.payload) {
                        let (position, time) = (frame.position, frame.time);
                        chunk.records.push(Record { position, time, event: Arc::new(event), size });
                    }
                    if chunk.records.len() >= CHUNK_EVENTS || bytes >= CHUNK_BYTES {
                        chunk.spot = Some(Spot { segment: segment.first, offset: frames.offset });
                        return Ok(chunk);
                    }
                }
                Found::Damaged => {
                    tracing::error!(file = %path.display(), offset = frames.offset, "an event in the file is damaged");
                }
                Found::End | Found::Broken => {
                    chunk.next = end;
                    chunk.spot = Some(Spot { segment: segment.first, offset: frames.offset });
                    return Ok(chunk);
                }
            }
        }
    }
}
