//! The log of one channel: publishing to it, reading from it, and what is removed of it.

use super::cursor::FileCursor;
use super::frame::{self, Found};
use super::history::FileHistory;
use super::place::{self, EXTENSION, Place};
use super::segment::{self, Segment};
use super::writer::{Pending, Queue};
use super::{SEGMENT, SEGMENTS, codec, file_name, of_io};
use crate::config::FileSettings;
use crate::event::store::attention::Attention;
use crate::event::store::{Cursor, History, Log, Reserved, StoreError};
use crate::wasm::bindings::sluicegate::filter::types::Event;
use futures_util::future::{BoxFuture, FutureExt};
use std::collections::{HashMap, VecDeque};
use std::fs::{self, File};
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};
use tokio::sync::oneshot;

/// Events and bytes of the latest that are kept in memory, for subscriptions that keep up.
const TAIL_EVENTS: usize = 4_096;
const TAIL_BYTES: u64 = 8 << 20;
/// What a subscription reads ahead at once.
const CHUNK_EVENTS: usize = 256;
const CHUNK_BYTES: u64 = 1 << 20;
/// What publishers may have waiting for the disk, in bytes: beyond, the disk is slower than they are.
const WAITING_BYTES: u64 = 64 << 20;

/// The log of one channel.
#[derive(Debug)]
pub(super) struct FileLog {
    /// `NAMESPACE/NAME`.
    pub(super) channel: String,
    directory: PathBuf,
    bytes: u64,
    age: Option<Duration>,
    segment_size: u64,
    queue: Arc<Queue>,
    state: Mutex<State>,
    /// Only the writer's thread takes this.
    appender: Mutex<Appender>,
    /// Whether somebody reads it back.
    pub(super) attention: Attention,
}

#[derive(Debug, Default)]
struct State {
    segments: VecDeque<Segment>,
    /// The position of the next event.
    next: u64,
    /// The latest events, without a gap, up to `next`.
    tail: VecDeque<Record>,
    tail_bytes: u64,
    cursors: HashMap<String, Arc<FileCursor>>,
    /// Bytes that publishers have room for and that are not written yet.
    reserved: u64,
}

/// Where the next frame goes.
#[derive(Debug, Default)]
struct Appender {
    /// None makes the next write begin a new segment.
    file: Option<File>,
    end: u64,
    buffer: Vec<u8>,
    /// Whether the last write failed.
    failing: bool,
}

/// An event of the log.
#[derive(Debug, Clone)]
pub(super) struct Record {
    pub(super) position: u64,
    pub(super) time: SystemTime,
    pub(super) event: Arc<Event>,
    pub(super) size: u64,
}

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
    /// Opens the log in a directory, which is made where there is none.
    pub(super) fn open(
        channel: &str,
        directory: &Path,
        settings: &FileSettings,
        queue: &Arc<Queue>,
    ) -> io::Result<Arc<Self>> {
        fs::create_dir_all(directory)?;
        let (segments, mut next) = segment::recover(directory)?;
        // Places say how far the log was even when its files are gone: no position is used twice.
        for file in place::files(directory)? {
            if let Ok(Some(place)) = Place::read(&file) {
                next = next.max(place.given).max(place.done().end());
            }
        }
        let state = State { segments: segments.into(), next, ..State::default() };
        Ok(Arc::new(Self {
            channel: channel.to_owned(),
            directory: directory.to_owned(),
            bytes: settings.bytes,
            age: settings.age,
            segment_size: SEGMENT.min(settings.bytes / SEGMENTS),
            queue: Arc::clone(queue),
            state: Mutex::new(state),
            appender: Mutex::default(),
            attention: Attention::default(),
        }))
    }

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
    fn roll(&self, appender: &mut Appender, first: u64, time: SystemTime) -> io::Result<()> {
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

    /// The first position that is kept, and that of the next event.
    pub(super) fn span(&self) -> Range<u64> {
        let state = self.state();
        state.segments.front().map_or(state.next, |segment| segment.first)..state.next
    }

    /// The first position of the segment that holds what was written at a time, or after it.
    pub(super) fn segment_of(&self, time: SystemTime) -> u64 {
        let state = self.state();
        state.segments.iter().find(|segment| segment.newest >= time).map_or(state.next, |segment| segment.first)
    }

    /// The position of the next event.
    pub(super) fn end(&self) -> u64 {
        self.state().next
    }

    /// About when the event at a position was written.
    pub(super) fn time_of(&self, position: u64) -> Option<SystemTime> {
        let state = self.state();
        match state.tail.front() {
            Some(first) if first.position <= position => {
                let skip = usize::try_from(position - first.position).ok()?;
                state.tail.get(skip).map(|record| record.time)
            }
            _ => state.segments.iter().rev().find(|segment| segment.first <= position).map(|segment| segment.oldest),
        }
    }

    /// A subscription is gone.
    pub(super) fn forget(&self, subscription: &str) {
        self.state().cursors.remove(subscription);
    }

    /// The file of a subscription's place.
    pub(super) fn place(&self, subscription: &str) -> PathBuf {
        self.directory.join(format!("{}.{EXTENSION}", file_name(subscription)))
    }

    /// Writes the places that have moved, and removes what nobody waits for. On the writer's thread.
    pub(super) fn maintain(&self, synced: bool) {
        let cursors: Vec<Arc<FileCursor>> = self.state().cursors.values().cloned().collect();
        for cursor in &cursors {
            if let Err(error) = cursor.save(synced) {
                tracing::debug!(channel = self.channel, %error, "a subscription's place is not written");
            }
        }
        self.expire(&cursors);
        let needed = cursors.iter().map(|cursor| cursor.lowest_open()).min();
        self.remove_before(needed);
    }

    /// Gives up events that are older than they may be.
    fn expire(&self, cursors: &[Arc<FileCursor>]) {
        let Some(limit) = self.age.and_then(|age| SystemTime::now().checked_sub(age)) else { return };
        let (expired, all) = {
            let state = self.state();
            let expired = state.segments.iter().take_while(|segment| segment.newest < limit).count();
            let end = state.segments.get(expired).map_or(state.next, |segment| segment.first);
            (end, expired > 0 && expired == state.segments.len())
        };
        for cursor in cursors {
            let lost = cursor.give_up_before(expired);
            if lost > 0 {
                let subscription = cursor.subscription();
                tracing::warn!(
                    channel = self.channel,
                    subscription,
                    lost,
                    "events were dropped: they have become too old"
                );
            }
        }
        if all {
            self.appender.lock().unwrap_or_else(PoisonError::into_inner).file = None;
        }
    }

    /// Removes the segments that hold nothing from this position on; never the one that is written to.
    fn remove_before(&self, needed: Option<u64>) {
        loop {
            let segment = {
                let mut state = self.state();
                let needed = needed.unwrap_or(state.next);
                match state.segments.get(1) {
                    Some(following) if following.first <= needed => state.segments.pop_front(),
                    _ => None,
                }
            };
            let Some(segment) = segment else { return };
            if let Err(error) = fs::remove_file(segment::path(&self.directory, segment.first)) {
                tracing::warn!(channel = self.channel, %error, "a file of events that nobody needs is not removed");
            }
        }
    }

    /// Tells the writer that places have moved.
    pub(super) fn moved(&self) {
        self.queue.moved();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps room, and counts it as reserved; false when there is nobody who would read the events.
    fn make_room(&self, size: u64) -> Result<bool, StoreError> {
        let mut state = self.state();
        if state.cursors.is_empty() && !self.attention.is_paid() {
            return Ok(false);
        }
        if state.reserved.saturating_add(size) > WAITING_BYTES.max(size) {
            return Err(StoreError::Full("its disk is slower than its publishers".to_owned()));
        }
        let stored: u64 = state.segments.iter().map(|segment| segment.end).sum();
        if stored.saturating_add(state.reserved).saturating_add(size) > self.bytes {
            return Err(StoreError::Full(format!("its events take {stored} of {} bytes", self.bytes)));
        }
        state.reserved += size;
        Ok(true)
    }
}

/// A log as others see it.
impl Log for Arc<FileLog> {
    fn reserve(&self, events: Vec<Arc<Event>>) -> Result<Box<dyn Reserved>, StoreError> {
        let mut encoded = Vec::with_capacity(events.len());
        for event in events {
            let payload = codec::encode(&event).filter(|payload| payload.len() <= frame::LARGEST);
            let payload = payload.ok_or_else(|| StoreError::Full("the event is too large".to_owned()))?;
            encoded.push((payload, event));
        }
        let size = encoded.iter().map(|(payload, _)| frame::size(payload)).sum();
        let is_read = self.make_room(size)?;
        Ok(Box::new(FileRoom { log: is_read.then(|| Arc::clone(self)), events: encoded, size }))
    }

    fn subscribe(&self, subscription: &str) -> Result<Arc<dyn Cursor>, StoreError> {
        let cursor = FileCursor::open(self, subscription, self.span().start);
        self.state().cursors.insert(subscription.to_owned(), Arc::clone(&cursor));
        Ok(cursor)
    }

    fn keep_only(&self, subscriptions: &[&str]) {
        for file in place::files(&self.directory).unwrap_or_default() {
            let Ok(Some(place)) = Place::read(&file) else { continue };
            if subscriptions.contains(&place.subscription.as_str()) {
                continue;
            }
            let dropped = place.done().open_between(0, self.end());
            let (channel, subscription) = (&self.channel, &place.subscription);
            tracing::warn!(channel, subscription, dropped, "the subscription is gone, and so are its stored events");
            if let Err(error) = fs::remove_file(&file) {
                tracing::warn!(channel, subscription, %error, "the place of the subscription is not removed");
            }
        }
    }

    fn is_durable(&self) -> bool {
        true
    }

    fn history(&self) -> Option<Arc<dyn History>> {
        Some(Arc::new(FileHistory(Arc::clone(self))))
    }
}

/// Room for events in the log; without a log nobody reads them.
struct FileRoom {
    log: Option<Arc<FileLog>>,
    events: Vec<(Vec<u8>, Arc<Event>)>,
    size: u64,
}

impl Reserved for FileRoom {
    fn commit(mut self: Box<Self>) -> BoxFuture<'static, Result<(), StoreError>> {
        async move {
            let Some(log) = self.log.take() else { return Ok(()) };
            let (done, answer) = oneshot::channel();
            let pending = Pending { events: std::mem::take(&mut self.events), size: self.size, done };
            log.queue.push(&log, pending)?;
            let ended = || StoreError::Unavailable("the proxy is ending".to_owned());
            answer.await.unwrap_or_else(|_| Err(ended()))
        }
        .boxed()
    }
}

impl Drop for FileRoom {
    fn drop(&mut self) {
        if let Some(log) = &self.log {
            let mut state = log.state();
            state.reserved = state.reserved.saturating_sub(self.size);
        }
    }
}
