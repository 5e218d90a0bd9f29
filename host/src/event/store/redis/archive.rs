//! Reading a stream back, whoever is done with its entries.

use super::entry::{Entry, Id, event};
use super::{Redis, pairs, stream};
use crate::event::store::remote::PATIENCE;
use crate::event::store::{Archive, Kept, StoreError};
use futures_util::future::{BoxFuture, FutureExt};
use redis::{FromRedisValue, Value};
use std::ops::Range;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

/// Entries that are asked for at once.
const BATCH: usize = 256;
/// Of a position, the bits that number the entries of one millisecond: as many as a channel takes at once. With them a
/// position is a number that JSON's readers take, up to the year 2039.
const NUMBER: u32 = 12;

/// The stream of a channel.
#[derive(Debug)]
pub(super) struct RedisArchive {
    redis: Arc<Redis>,
    stream: String,
}

impl RedisArchive {
    pub(super) fn new(redis: &Arc<Redis>, channel: &str) -> Self {
        Self { redis: Arc::clone(redis), stream: stream(channel) }
    }

    async fn ends(&self) -> Result<Range<u64>, StoreError> {
        let mut ask = redis::cmd("XINFO");
        ask.arg("STREAM").arg(&self.stream);
        let stream: Vec<Value> = self.redis.ask(&ask, PATIENCE).await?;
        let unreadable = |error: &dyn std::error::Error| StoreError::Unavailable(error.to_string());
        let mut stream = pairs(stream).map_err(|error| unreadable(&error))?;
        let last = stream.remove("last-generated-id").map(String::from_redis_value).transpose();
        let last: Option<Id> = last.map_err(|error| unreadable(&error))?.and_then(|id| id.parse().ok());
        let first = stream.remove("first-entry").map(Option::<Entry>::from_redis_value).transpose();
        let first = first.map_err(|error| unreadable(&error))?.flatten().map(|entry| entry.id);
        let end = last.map_or(0, |last| position(last) + 1);
        Ok(first.map_or(end, position)..end)
    }

    async fn range(&self, from: &str) -> Result<Vec<Entry>, StoreError> {
        let mut ask = redis::cmd("XRANGE");
        ask.arg(&self.stream).arg(from).arg("+").arg("COUNT").arg(BATCH);
        self.redis.ask(&ask, PATIENCE).await
    }

    async fn batch(&self, from: u64) -> Result<(Vec<Kept>, u64), StoreError> {
        let mut entries = self.range(&id(from).to_string()).await?;
        // A batch ends where the next one can begin: not among entries that share a position.
        while let Some(last) = entries.last().map(|last| last.id).filter(|last| last.number >= MOST) {
            let more = self.range(&format!("({last}")).await?;
            let is_end = more.is_empty();
            entries.extend(more);
            if is_end {
                break;
            }
        }
        let next = entries.last().map_or(from, |last| position(last.id) + 1);
        let kept = |Entry { id, fields }: Entry| {
            let event = Arc::new(event(fields?)?);
            Some(Kept { position: position(id), time: id.since(), event })
        };
        Ok((entries.into_iter().filter_map(kept).collect(), next))
    }
}

/// The last number that has a position of its own.
const MOST: u64 = (1 << NUMBER) - 1;

fn position(id: Id) -> u64 {
    (id.milliseconds << NUMBER) | id.number.min(MOST)
}

fn id(position: u64) -> Id {
    Id { milliseconds: position >> NUMBER, number: position & MOST }
}

impl Archive for RedisArchive {
    fn span(&self) -> BoxFuture<'_, Result<Range<u64>, StoreError>> {
        self.ends().boxed()
    }

    fn since(&self, time: SystemTime) -> BoxFuture<'_, Result<u64, StoreError>> {
        let milliseconds = time.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
        let milliseconds = u64::try_from(milliseconds).unwrap_or(u64::MAX >> NUMBER);
        std::future::ready(Ok(position(Id { milliseconds, number: 0 }))).boxed()
    }

    fn read(&self, from: u64) -> BoxFuture<'_, Result<(Vec<Kept>, u64), StoreError>> {
        self.batch(from).boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::store::recent::Recent;

    #[test]
    fn positions_grow_with_ids_are_exact_in_json_and_no_others() {
        let of = |milliseconds, number| position(Id { milliseconds, number });
        let now = 1_800_000_000_000;
        assert!(of(now, 0) < of(now, 1) && of(now, MOST) < of(now + 1, 0));
        assert_eq!((id(of(now, 7)).milliseconds, id(of(now, 7)).number), (now, 7));
        assert_eq!(of(now, MOST + 9), of(now, MOST), "and a batch does not end there");
        assert!(of(now, 0) < 1 << 53 && !Recent::is_position(of(now, 0)));
    }
}
