//! Reading back what a server keeps, a batch at a time.

use super::{Archive, Kept, Reader, StoreError};
use futures_util::future::{BoxFuture, FutureExt};
use std::sync::Arc;
use std::time::Duration;

/// For the server to answer a question.
const ANSWER: Duration = Duration::from_secs(4);

/// Reads from a position on.
#[derive(Debug)]
pub(in crate::event) struct ArchiveReader {
    archive: Arc<dyn Archive>,
    position: u64,
}

impl ArchiveReader {
    pub(in crate::event) fn new(archive: Arc<dyn Archive>, position: u64) -> Self {
        Self { archive, position }
    }
}

impl Reader for ArchiveReader {
    fn next(&mut self) -> BoxFuture<'_, Result<Vec<Kept>, StoreError>> {
        async {
            loop {
                let (events, next) = answer(self.archive.read(self.position)).await?;
                let is_end = next == self.position;
                self.position = next;
                // What is no event is passed over.
                if is_end || !events.is_empty() {
                    return Ok(events);
                }
            }
        }
        .boxed()
    }

    fn position(&self) -> u64 {
        self.position
    }
}

/// What a server answers, or that it does not.
pub(in crate::event) async fn answer<T>(asked: BoxFuture<'_, Result<T, StoreError>>) -> Result<T, StoreError> {
    let late = |_| StoreError::Unavailable("the server does not answer".to_owned());
    tokio::time::timeout(ANSWER, asked).await.map_err(late)?
}
