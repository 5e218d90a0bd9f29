//! Reads the events of one subscription: a consumer group, in which this process is a consumer.

use super::entry::{self, Entry};
use super::{Redis, connection, inherit, pairs, publish, stream};
use crate::event::store::StoreError;
use crate::event::store::remote::{Arrival, End, Place, unavailable};
use redis::aio::MultiplexedConnection;
use redis::{FromRedisValue, RedisError, Value};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long the server keeps a request for events.
const WAIT: Duration = Duration::from_secs(1);
/// How often what is done with is removed, and what proxies that died have left is looked for.
const UPKEEP: Duration = Duration::from_secs(1);

/// One subscription on a connection of its own.
pub(super) struct Reader<'a> {
    pub(super) redis: &'a Redis,
    pub(super) place: &'a Arc<Place<Redis>>,
    pub(super) connection: MultiplexedConnection,
    pub(super) stream: String,
}

/// Reads until something is wrong; an error says that it was wrong from the beginning.
pub(super) async fn serve(redis: &Redis, place: &Arc<Place<Redis>>) -> Result<(), StoreError> {
    let connection = connection::own(&redis.client, WAIT).await.map_err(|error| unavailable(&error))?;
    let mut reader = Reader { redis, place, connection, stream: stream(place.channel()) };
    reader.make_group().await.map_err(|error| unavailable(&error))?;
    place.is_known(true);
    // What this process had when a connection broke, acknowledged or not.
    reader.read("0", 0).await.map_err(|error| unavailable(&error))?;
    inherit::wait_for(&mut reader).await.map_err(|error| unavailable(&error))?;
    let error = reader.follow().await;
    let (channel, subscription) = (place.channel(), &place.subscription);
    tracing::debug!(channel, subscription, %error, "the connection of a subscription is lost");
    Ok(())
}

impl Reader<'_> {
    async fn make_group(&mut self) -> Result<(), RedisError> {
        let mut create = redis::cmd("XGROUP");
        create.arg("CREATE").arg(&self.stream).arg(&self.place.subscription).arg("$").arg("MKSTREAM");
        match create.query_async::<Value>(&mut self.connection).await {
            Err(error) if error.code() != Some("BUSYGROUP") => Err(error),
            _ => Ok(()),
        }
    }

    /// Reads what comes, for as long as that works.
    async fn follow(&mut self) -> RedisError {
        let mut kept_up = Instant::now();
        loop {
            let room = tokio::time::timeout(UPKEEP, self.place.room()).await;
            if let Ok(room) = room
                && let Err(error) = self.read(">", room).await
            {
                return error;
            }
            if kept_up.elapsed() >= UPKEEP {
                kept_up = Instant::now();
                if let Err(error) = self.keep_up().await {
                    return error;
                }
            }
        }
    }

    /// Reads at most so many entries, or all for 0: from `>`, those that are new, or from a number, those that this process
    /// was given.
    async fn read(&mut self, from: &str, count: usize) -> Result<(), RedisError> {
        let mut read = redis::cmd("XREADGROUP");
        read.arg("GROUP").arg(&self.place.subscription).arg(&self.redis.consumer);
        if count > 0 {
            read.arg("COUNT").arg(count).arg("BLOCK").arg(u64::try_from(WAIT.as_millis()).unwrap_or(u64::MAX));
        }
        read.arg("STREAMS").arg(&self.stream).arg(from);
        let streams: Option<Vec<(String, Vec<Entry>)>> = read.query_async(&mut self.connection).await?;
        for entry in streams.into_iter().flatten().flat_map(|(_, entries)| entries) {
            self.take(entry, count == 0);
        }
        Ok(())
    }

    /// An entry has come.
    pub(super) fn take(&self, Entry { id, fields }: Entry, again: bool) {
        let Some(fields) = fields else {
            // It was removed for its age.
            self.place.add_lost(1);
            return self.place.settle(id, End::Done);
        };
        if let Some(event) = entry::event(fields) {
            self.place.put(Arrival { mark: Some(id), tag: id, event, since: id.since(), again });
            return;
        }
        let channel = self.place.channel();
        tracing::warn!(channel, %id, "an entry of the stream is no event, and is passed over");
        self.place.settle(id, End::Done);
    }

    async fn keep_up(&mut self) -> Result<(), RedisError> {
        inherit::look(self).await?;
        let mut ask = redis::cmd("XINFO");
        ask.arg("GROUPS").arg(&self.stream);
        let groups: Vec<Vec<Value>> = ask.query_async(&mut self.connection).await?;
        for group in groups {
            let mut group = pairs(group)?;
            let name = group.remove("name").map(String::from_redis_value).transpose()?;
            if name.as_deref() == Some(&self.place.subscription) {
                let lag = group.remove("lag").map(Option::<u64>::from_redis_value).transpose()?;
                self.place.set_pending(lag.flatten().unwrap_or_default());
            }
        }
        // Where this fails it is done a second later.
        let _ = publish::trim(self.redis, self.place.channel()).await;
        Ok(())
    }
}
