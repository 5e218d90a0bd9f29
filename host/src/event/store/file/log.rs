//! The log of one channel: what it is made of, and how others see it.

use super::append::Appender;
use super::cursor::FileCursor;
use super::frame;
use super::history::FileHistory;
use super::place::{self, EXTENSION, Place};
use super::room::FileRoom;
use super::segment::{self, Segment};
use super::writer::Queue;
use super::{SEGMENT, SEGMENTS, codec, file_name};
use crate::config::FileSettings;
use crate::event::store::attention::Attention;
use crate::event::store::{Cursor, History, Log, Reserved, StoreError};
use crate::wasm::bindings::sluicegate::filter::types::Event;
use std::collections::{HashMap, VecDeque};
use std::fs;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

/// The log of one channel.
#[derive(Debug)]
pub(super) struct FileLog {
    /// `NAMESPACE/NAME`.
    pub(super) channel: String,
    pub(super) directory: PathBuf,
    pub(super) bytes: u64,
    pub(super) age: Option<Duration>,
    pub(super) segment_size: u64,
    pub(super) queue: Arc<Queue>,
    pub(super) state: Mutex<State>,
    /// Only the writer's thread takes this.
    pub(super) appender: Mutex<Appender>,
    /// Whether somebody reads it back.
    pub(super) attention: Attention,
}

/// What is known of it.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) segments: VecDeque<Segment>,
    /// The position of the next event.
    pub(super) next: u64,
    /// The latest events, without a gap, up to `next`.
    pub(super) tail: VecDeque<Record>,
    pub(super) tail_bytes: u64,
    pub(super) cursors: HashMap<String, Arc<FileCursor>>,
    /// Places whose subscriptions are still to come, by their files, and the lowest position that each is not done with.
    pub(super) awaited: HashMap<PathBuf, u64>,
    /// Bytes that publishers have room for and that are not written yet.
    pub(super) reserved: u64,
    /// Whether a publisher found no room since that was last looked at.
    pub(super) cramped: bool,
}

/// An event of the log.
#[derive(Debug, Clone)]
pub(super) struct Record {
    pub(super) position: u64,
    pub(super) time: SystemTime,
    pub(super) event: Arc<Event>,
    pub(super) size: u64,
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
        let mut awaited = HashMap::new();
        // Places say how far the log was even when its files are gone: no position is used twice.
        for file in place::files(directory)? {
            let mut open = 0;
            if let Ok(Some(place)) = Place::read(&file) {
                let done = place.done();
                next = next.max(place.given).max(done.end());
                open = done.lowest_open();
            }
            awaited.insert(file, open);
        }
        let state = State { segments: segments.into(), next, awaited, ..State::default() };
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

    /// Tells the writer that places have moved.
    pub(super) fn moved(&self) {
        self.queue.moved();
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
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
        let place = self.place(subscription);
        {
            // From here on nothing is removed that it may need.
            let mut state = self.state();
            let next = state.next;
            state.awaited.entry(place.clone()).or_insert(next);
        }
        let cursor = FileCursor::open(self, subscription, self.span().start);
        let mut state = self.state();
        state.cursors.insert(subscription.to_owned(), Arc::clone(&cursor));
        state.awaited.remove(&place);
        Ok(cursor)
    }

    fn keep_only(&self, subscriptions: &[&str]) {
        let kept: Vec<PathBuf> = subscriptions.iter().map(|subscription| self.place(subscription)).collect();
        self.state().awaited.retain(|place, _| kept.contains(place));
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
