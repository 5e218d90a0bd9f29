//! Reading back: events are there for as long as their segment is. The last one is, unless publishers need its room.

use super::log::{FileLog, Record};
use super::read::{Ahead, Spot};
use crate::event::store::{History, Kept, Reader, StoreError};
use futures_util::future::{BoxFuture, FutureExt};
use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::time::SystemTime;

/// The events of a log's files.
#[derive(Debug)]
pub(super) struct FileHistory(pub(super) Arc<FileLog>);

impl History for FileHistory {
    fn span(&self) -> Range<u64> {
        self.0.span()
    }

    fn since(&self, time: SystemTime) -> u64 {
        self.0.segment_of(time)
    }

    fn reader(&self, from: u64) -> Box<dyn Reader> {
        self.0.attention.pay();
        Box::new(FileReader { log: Arc::clone(&self.0), position: from, spot: None })
    }
}

#[derive(Debug)]
struct FileReader {
    log: Arc<FileLog>,
    position: u64,
    /// Where that is, once it was read from files.
    spot: Option<Spot>,
}

impl FileReader {
    async fn read(&mut self) -> io::Result<Vec<Record>> {
        self.position = self.position.max(self.log.span().start);
        match self.log.ahead(self.position) {
            Ahead::Nothing => Ok(Vec::new()),
            Ahead::Records(records) => {
                self.spot = None;
                self.position = records.last().map_or(self.position, |last| last.position + 1);
                Ok(records)
            }
            Ahead::OnDisk => {
                let (log, position, spot) = (Arc::clone(&self.log), self.position, self.spot);
                let chunk = tokio::task::spawn_blocking(move || log.read(position, spot)).await;
                let chunk = chunk.map_err(io::Error::other)??;
                (self.position, self.spot) = (chunk.next, chunk.spot);
                Ok(chunk.records)
            }
        }
    }
}

impl Reader for FileReader {
    fn next(&mut self) -> BoxFuture<'_, Result<Vec<Kept>, StoreError>> {
        async {
            self.log.attention.pay();
            // What is damaged leaves a chunk empty and is passed over.
            loop {
                let before = self.position;
                let records = self.read().await.map_err(|error| StoreError::Unavailable(error.to_string()))?;
                if !records.is_empty() || self.position == before {
                    let kept = |Record { position, time, event, .. }| Kept { position, time, event };
                    return Ok(records.into_iter().map(kept).collect());
                }
            }
        }
        .boxed()
    }

    fn position(&self) -> u64 {
        self.position
    }
}
