//! What publishers bring goes to the end of a log, all at once, with one wait for the disk. On the writer's thread.

use super::cursor::FileCursor;
use super::log::{FileLog, Record};
use super::segment::{self, Segment};
use super::writer::Pending;
use super::{frame, of_io};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::{Arc, PoisonError};
use std::time::SystemTime;

/// Events and bytes of the latest that are kept in memory, for subscriptions that keep up.
const TAIL_EVENTS: usize = 4_096;
const TAIL_BYTES: u64 = 8 << 20;

/// Where the next frame goes.
#[derive(Debug, Default)]
pub(super) struct Appender {
    /// None makes the next write begin a new segment.
    pub(super) file: Option<File>,
    pub(super) end: u64,
    pub(super) buffer: Vec<u8>,
    /// Whether the last write failed.
    pub(super) failing: bool,
}

impl FileLog {
    /// Writes what several publishers have brought, waits once for the disk, and tells them. On the writer's thread.
    pub(super) fn write(&self, batch: Vec<Pending>) {
        let mut appender = self.appender.lock().unwrap_or_else(PoisonError::into_inner);
        let time = SystemTime::now();
        let outcome = self.append(&mut appender, &batch, time);
        if let Err(error) = &outcome {
            if !appender.failing {
                tracing::error!(channel = self.channel, %error, "events cannot be written to the disk");
            }
            let end = appender.end;
            // What was written of them is not to be taken for events. Where even this fails the next write covers it, or
            // the next start finds it: then an event is delivered that its publisher believes refused.
            if appender.file.as_ref().is_some_and(|file| file.set_len(end).is_err()) {
                appender.file = None;
            }
        } else if appender.failing {
            tracing::info!(channel = self.channel, "events can be written to the disk again");
        }
        appender.failing = outcome.is_err();
        drop(appender);
        let written = outcome.as_ref().ok().copied();
        let cursors = self.account(&batch, written, time);
        for cursor in cursors {
            cursor.wake();
        }
        for pending in batch {
            // A publisher that has gone does not want to know.
            let _ = pending.done.send(outcome.as_ref().map(drop).map_err(of_io));
        }
    }

    /// The position of the first event of the batch, once all are on the disk.
    fn append(&self, appender: &mut Appender, batch: &[Pending], time: SystemTime) -> io::Result<u64> {
        let next = self.state().next;
        if appender.file.is_none() || appender.end >= self.segment_size {
            self.roll(appender, next, time)?;
        }
        let mut buffer = std::mem::take(&mut appender.buffer);
        buffer.clear();
        let events = batch.iter().flat_map(|pending| &pending.events);
        for ((payload, _), position) in events.zip(next..) {
            frame::write(&mut buffer, position, time, payload);
        }
        let file = appender.file.as_ref().ok_or_else(|| io::Error::other("no file is open"))?;
        let written = file.write_all_at(&buffer, appender.end).and_then(|()| file.sync_data());
        let size = u64::try_from(buffer.len()).unwrap_or(u64::MAX);
        appender.buffer = buffer;
        // A large batch is not to stay in memory for ever.
        appender.buffer.shrink_to(1 << 20);
        written?;
        appender.end += size;
        Ok(next)
    }

    /// Begins a new segment.
    pub(super) fn roll(&self, appender: &mut Appender, first: u64, time: SystemTime) -> io::Result<()> {
        appender.file = None;
        let file = segment::create(&self.directory, first)?;
        (appender.file, appender.end) = (Some(file), segment::START);
        let mut state = self.state();
        if state.segments.back().is_some_and(|last| last.first == first) {
            state.segments.pop_back();
        }
        state.segments.push_back(Segment { first, end: segment::START, oldest: time, newest: time });
        Ok(())
    }

    /// Takes note of what was written, or was not; gives the cursors to wake.
    fn account(&self, batch: &[Pending], written: Option<u64>, time: SystemTime) -> Vec<Arc<FileCursor>> {
        let mut state = self.state();
        state.reserved = state.reserved.saturating_sub(batch.iter().map(|pending| pending.size).sum());
        let Some(first) = written else { return Vec::new() };
        for ((payload, event), position) in batch.iter().flat_map(|pending| &pending.events).zip(first..) {
            let size = frame::size(payload);
            state.tail.push_back(Record { position, time, event: Arc::clone(event), size });
            state.tail_bytes += size;
            state.next = position + 1;
            if let Some(last) = state.segments.back_mut() {
                last.end += size;
                last.newest = time;
            }
        }
        while state.tail.len() > TAIL_EVENTS || state.tail_bytes > TAIL_BYTES {
            let Some(oldest) = state.tail.pop_front() else { break };
            state.tail_bytes -= oldest.size;
        }
        state.cursors.values().cloned().collect()
    }
}
