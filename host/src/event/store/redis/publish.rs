//! Publishing to the stream of a channel.

use super::{Redis, entry, stream};
use crate::event::letters;
use crate::event::store::StoreError;
use crate::event::store::remote::attributes;
use crate::wasm::bindings::sluicegate::filter::types::Event;
use redis::Script;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

/// In which a second event of the same source and id is dropped.
const DUPLICATES: Duration = Duration::from_mins(2);

/// Removes what every group is done with for long enough, and what is too old. As an entry is removed, so is its data for
/// whoever has it.
///
/// Arguments: for how long events are kept, and how long after they were published those that every group is done with, in
/// milliseconds, or 0. Gives the number of entries removed.
const TRIM: &str = "
local function before(milliseconds)
  local now = redis.call('TIME')
  return now[1] * 1000 + math.floor(now[2] / 1000) - milliseconds
end
local function trim(key, age, history)
  local low = nil
  for _, group in ipairs(redis.call('XINFO', 'GROUPS', key)) do
    local at = {}
    for i = 1, #group, 2 do at[group[i]] = group[i + 1] end
    local id
    if at['pending'] > 0 then
      id = redis.call('XPENDING', key, at['name'])[2]
    else
      local time, number = string.match(at['last-delivered-id'], '(%d+)-(%d+)')
      id = time .. '-' .. string.format('%d', number + 1)
    end
    local time, number = string.match(id, '(%d+)-(%d+)')
    time, number = tonumber(time), tonumber(number)
    if low == nil or time < low.time or (time == low.time and number < low.number) then
      low = { id = id, time = time, number = number }
    end
  end
  local removed = 0
  if low ~= nil then
    if history > 0 and low.time >= before(history) then low.id = string.format('%.0f', before(history)) end
    removed = redis.call('XTRIM', key, 'MINID', low.id)
  end
  if age > 0 then
    removed = removed + redis.call('XTRIM', key, 'MINID', string.format('%.0f', before(age)))
  end
  return removed
end
";

/// Adds all events or none, without those that were added before.
///
/// Arguments: the bytes that the stream may take, for how long events are kept and duplicates known, both in milliseconds;
/// then for each event how many fields it has, its identity, and the fields. Gives -1 when there is no room.
const PUBLISH: &str = "
local key, bytes, age, known = KEYS[1], tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3]
local function usage() return redis.call('MEMORY', 'USAGE', key, 'SAMPLES', '3') or 0 end
if usage() > bytes then
  trim(key, age, 0)
  if usage() > bytes then return -1 end
end
local at = 4
while at <= #ARGV do
  local fields = tonumber(ARGV[at])
  if redis.call('SET', key .. ':' .. ARGV[at + 1], 1, 'NX', 'PX', known) then
    redis.call('XADD', key, '*', unpack(ARGV, at + 2, at + 1 + fields * 2))
  end
  at = at + 2 + fields * 2
end
return 0
";

static PUBLISHING: LazyLock<Script> = LazyLock::new(|| Script::new(&format!("{TRIM}{PUBLISH}")));
static TRIMMING: LazyLock<Script> =
    LazyLock::new(|| Script::new(&format!("{TRIM}return trim(KEYS[1], tonumber(ARGV[1]), tonumber(ARGV[2]))")));

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

pub(super) async fn publish(redis: &Redis, channel: &str, events: &[Arc<Event>]) -> Result<(), StoreError> {
    let mut script = PUBLISHING.prepare_invoke();
    let age = redis.settings.age.map(milliseconds).unwrap_or_default();
    script.key(stream(channel)).arg(redis.settings.bytes).arg(age).arg(milliseconds(DUPLICATES));
    for event in events {
        let fields = entry::fields(event);
        script.arg(fields.len()).arg(attributes::identity(event));
        for (name, value) in fields {
            script.arg(name).arg(value);
        }
    }
    let mut connection = redis.line.reached().await?;
    let answer: i64 = script.invoke_async(&mut connection).await.map_err(|error| redis.refused(&error))?;
    if answer < 0 {
        return Err(StoreError::Full(format!("its stream takes more than {} bytes", redis.settings.bytes)));
    }
    Ok(())
}

/// Removes what nobody needs any more.
pub(super) async fn trim(redis: &Redis, channel: &str) -> Result<(), StoreError> {
    let mut script = TRIMMING.prepare_invoke();
    let history = letters::history_of(channel, redis.settings.history);
    let [age, history] = [redis.settings.age, history].map(|time| time.map(milliseconds).unwrap_or_default());
    script.key(stream(channel)).arg(age).arg(history);
    let mut connection = redis.line.reached().await?;
    let removed: Result<i64, _> = script.invoke_async(&mut connection).await;
    removed.map(drop).map_err(|error| redis.refused(&error))
}
