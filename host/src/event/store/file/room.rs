//! Room in a log, which publishers have before they know whether all of their events find some.

use super::log::FileLog;
use super::segment;
use super::writer::Pending;
use crate::event::store::{Reserved, StoreError};
use crate::wasm::bindings::sluicegate::filter::types::Event;
use futures_util::future::{BoxFuture, FutureExt};
use std::sync::Arc;
use tokio::sync::oneshot;

/// What publishers may have waiting for the disk, in bytes: beyond, the disk is slower than they are.
const WAITING_BYTES: u64 = 64 << 20;

impl FileLog {
    /// Keeps room, and counts it as reserved; false when there is nobody who would read the events.
    pub(super) fn make_room(&self, size: u64) -> Result<bool, StoreError> {
        let mut state = self.state();
        if state.cursors.is_empty() && state.awaited.is_empty() && !self.attention.is_paid() {
            return Ok(false);
        }
        if state.reserved.saturating_add(size) > WAITING_BYTES.max(size) {
            return Err(StoreError::Full("its disk is slower than its publishers".to_owned()));
        }
        let stored: u64 = state.segments.iter().map(|segment| segment.end).sum();
        if stored.saturating_add(state.reserved).saturating_add(size) > self.bytes {
            // What is larger than the whole channel never finds room, and is no reason to give up what can be read back.
            state.cramped |= segment::START.saturating_add(size) <= self.bytes;
            drop(state);
            self.moved();
            return Err(StoreError::Full(format!("its events take {stored} of {} bytes", self.bytes)));
        }
        state.reserved += size;
        Ok(true)
    }
}

/// Room for events in the log; without a log nobody reads them.
pub(super) struct FileRoom {
    pub(super) log: Option<Arc<FileLog>>,
    pub(super) events: Vec<(Vec<u8>, Arc<Event>)>,
    pub(super) size: u64,
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
