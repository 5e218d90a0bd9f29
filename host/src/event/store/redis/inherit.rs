//! What proxies that died had been given is taken over, once their lease is over.

use super::connection::lease;
use super::entry::Entry;
use super::read::Reader;
use super::{LEASE, pairs};
use redis::{FromRedisValue, RedisError, Value};
use std::time::{Duration, Instant};

/// Between two looks at whether a lease is over.
const LOOK: Duration = Duration::from_millis(100);
/// Entries that are taken over at once.
const SOME: usize = 256;

/// Takes over before anything newer is read. Who is alive has something for longer than a lease, and keeps it.
pub(super) async fn wait_for(reader: &mut Reader<'_>) -> Result<(), RedisError> {
    let begin = Instant::now();
    while look(reader).await? > 0 && begin.elapsed() < LEASE + LOOK {
        tokio::time::sleep(LOOK).await;
    }
    Ok(())
}

/// Takes over from those whose lease is over; says how many others have something.
pub(super) async fn look(reader: &mut Reader<'_>) -> Result<usize, RedisError> {
    let mut ask = redis::cmd("XINFO");
    ask.arg("CONSUMERS").arg(&reader.stream).arg(&reader.place.subscription);
    let consumers: Vec<Vec<Value>> = ask.query_async(&mut reader.connection).await?;
    let mut others = 0;
    for consumer in consumers {
        let mut consumer = pairs(consumer)?;
        let name = String::from_redis_value(consumer.remove("name").unwrap_or(Value::Nil))?;
        let pending = u64::from_redis_value(consumer.remove("pending").unwrap_or(Value::Nil))?;
        if name == reader.redis.consumer {
            continue;
        }
        let mut exists = redis::cmd("EXISTS");
        exists.arg(lease(&name));
        if exists.query_async::<bool>(&mut reader.connection).await? {
            others += usize::from(pending > 0);
        } else {
            take_over(reader, &name).await?;
        }
    }
    Ok(others)
}

/// Takes everything that a consumer has, in order, and removes it.
async fn take_over(reader: &mut Reader<'_>, consumer: &str) -> Result<(), RedisError> {
    let (group, stream) = (reader.place.subscription.clone(), reader.stream.clone());
    loop {
        let mut pending = redis::cmd("XPENDING");
        pending.arg(&stream).arg(&group).arg("-").arg("+").arg(SOME).arg(consumer);
        let pending: Vec<(String, String, u64, u64)> = pending.query_async(&mut reader.connection).await?;
        if pending.is_empty() {
            break;
        }
        let ids: Vec<String> = pending.into_iter().map(|(id, ..)| id).collect();
        let mut claim = redis::cmd("XCLAIM");
        // Entries that are removed already are not given, and are nobody's from now on.
        claim.arg(&stream).arg(&group).arg(&reader.redis.consumer).arg(0).arg(&ids);
        let entries: Vec<Entry> = claim.query_async(&mut reader.connection).await?;
        for entry in entries {
            reader.take(entry, true);
        }
    }
    let mut delete = redis::cmd("XGROUP");
    delete.arg("DELCONSUMER").arg(&stream).arg(&group).arg(consumer);
    delete.query_async::<Value>(&mut reader.connection).await.map(drop)
}
