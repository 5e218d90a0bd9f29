//! How long events stay in a log: until no subscription waits for them, or until they are too old. On the writer's thread.

use super::cursor::FileCursor;
use super::log::FileLog;
use super::segment;
use std::fs;
use std::sync::{Arc, PoisonError};
use std::time::SystemTime;

impl FileLog {
    /// Writes the places that have moved, and removes what nobody waits for. On the writer's thread.
    pub(super) fn maintain(&self, synced: bool) {
        let (cursors, awaited) = {
            let state = self.state();
            let cursors: Vec<Arc<FileCursor>> = state.cursors.values().cloned().collect();
            // A subscription that comes from now on begins no lower than its awaited place, or where the log ends.
            (cursors, state.awaited.values().copied().fold(state.next, u64::min))
        };
        for cursor in &cursors {
            if let Err(error) = cursor.save(synced) {
                tracing::debug!(channel = self.channel, %error, "a subscription's place is not written");
            }
        }
        self.expire(&cursors);
        let needed = cursors.iter().map(|cursor| cursor.lowest_open()).fold(awaited, u64::min);
        self.make_way(needed);
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

    /// Begins a new segment where publishers find no room although nobody needs the last one.
    fn make_way(&self, needed: u64) {
        let first = {
            let mut state = self.state();
            let is_cramped = std::mem::take(&mut state.cramped);
            let holds = state.segments.back().is_some_and(|last| last.first < state.next);
            (is_cramped && holds && needed >= state.next).then_some(state.next)
        };
        let Some(first) = first else { return };
        let mut appender = self.appender.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = self.roll(&mut appender, first, SystemTime::now()) {
            tracing::debug!(channel = self.channel, %error, "the files of a full channel are not made way for");
        }
    }

    /// Removes the segments that hold nothing from this position on; never the one that is written to.
    fn remove_before(&self, needed: u64) {
        loop {
            let segment = {
                let mut state = self.state();
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
}
