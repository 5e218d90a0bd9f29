//! How far the partitions of a topic are done with: what is committed is the first event that is not finished.

use super::consume::Consumer;
use rdkafka::consumer::Consumer as _;
use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// What one consumer was given.
pub(super) struct Ledger {
    pub(super) consumer: Arc<Consumer>,
    pub(super) topic: String,
    partitions: Mutex<HashMap<i32, Partition>>,
}

/// Offsets of one partition.
#[derive(Debug, Default, PartialEq, Eq)]
struct Partition {
    /// Given out and not finished.
    open: BTreeSet<i64>,
    /// Beyond all that were given out.
    next: i64,
}

impl Partition {
    fn give(&mut self, offset: i64) {
        self.open.insert(offset);
        self.next = self.next.max(offset.saturating_add(1));
    }

    /// Gives the first offset that is not finished.
    fn finish(&mut self, offset: i64) -> i64 {
        self.open.remove(&offset);
        self.open.first().copied().unwrap_or(self.next)
    }
}

/// What it takes to finish an event.
#[derive(Clone)]
pub(in crate::event::store) struct Tag {
    ledger: Arc<Ledger>,
    partition: i32,
    offset: i64,
}

impl fmt::Debug for Tag {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}@{}", self.offset, self.partition)
    }
}

impl Ledger {
    pub(super) fn new(consumer: Arc<Consumer>, topic: String) -> Arc<Self> {
        Arc::new(Self { consumer, topic, partitions: Mutex::default() })
    }

    /// An event has come.
    pub(super) fn give(self: &Arc<Self>, partition: i32, offset: i64) -> Tag {
        self.partitions.lock().unwrap_or_else(PoisonError::into_inner).entry(partition).or_default().give(offset);
        Tag { ledger: Arc::clone(self), partition, offset }
    }
}

impl Tag {
    /// The subscription is done with the event. The client commits what it is told here soon, and as it ends.
    pub(super) fn finish(&self) {
        let ledger = &self.ledger;
        let mut partitions = ledger.partitions.lock().unwrap_or_else(PoisonError::into_inner);
        let first = partitions.entry(self.partition).or_default().finish(self.offset);
        // With the lock held, so that positions go up. It takes the last offset that is finished; it fails where the partition
        // is another proxy's by now, and so is what comes of the event.
        let stored = ledger.consumer.store_offset(&ledger.topic, self.partition, first.saturating_sub(1));
        drop(partitions);
        if let Err(error) = stored {
            tracing::debug!(topic = ledger.topic, partition = self.partition, %error, "a position is not kept");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_committed_is_the_first_that_is_not_finished() {
        let mut partition = Partition::default();
        (5..9).for_each(|offset| partition.give(offset));
        assert_eq!([6, 8, 5, 7].map(|offset| partition.finish(offset)), [5, 5, 7, 9]);
        // They come again after the partition was another's.
        partition.give(6);
        assert_eq!((partition.finish(8), partition.finish(6)), (6, 9));
    }
}
