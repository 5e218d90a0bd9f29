//! Connections to the server, and the lease that says that this process is alive.

use super::LEASE;
use crate::event::store::remote::{ANSWER, CONNECT};
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, Cmd, RedisResult, Value};
use std::collections::HashMap;
use std::time::Duration;

/// How often the lease is renewed, well within it.
const RENEWAL: Duration = Duration::from_secs(1);

/// The key that is there for as long as a process is alive.
pub(super) fn lease(consumer: &str) -> String {
    format!("sluicegate:proxy:{consumer}")
}

/// A connection of one's own, on which the server may take `wait` longer than for an answer.
pub(super) async fn own(client: &Client, wait: Duration) -> RedisResult<MultiplexedConnection> {
    let config =
        AsyncConnectionConfig::new().set_connection_timeout(Some(CONNECT)).set_response_timeout(Some(ANSWER + wait));
    client.get_multiplexed_async_connection_with_config(&config).await
}

/// The connection that everybody shares, with the lease renewed on it until that fails.
pub(super) async fn shared(
    client: &Client,
    consumer: &str,
) -> RedisResult<(MultiplexedConnection, impl Future<Output = String> + use<>)> {
    let mut connection = own(client, Duration::ZERO).await?;
    let mut renew = redis::cmd("SET");
    renew.arg(lease(consumer)).arg(1).arg("PX").arg(u64::try_from(LEASE.as_millis()).unwrap_or(u64::MAX));
    renew.query_async::<Value>(&mut connection).await?;
    warn_of_memory(&mut connection).await;
    let lost = renewed(connection.clone(), renew);
    Ok((connection, lost))
}

async fn renewed(mut connection: MultiplexedConnection, renew: Cmd) -> String {
    loop {
        tokio::time::sleep(RENEWAL).await;
        if let Err(error) = renew.query_async::<Value>(&mut connection).await {
            return error.to_string();
        }
    }
}

/// Says so where events do not survive the server, as far as it tells.
async fn warn_of_memory(connection: &mut MultiplexedConnection) {
    let mut ask = redis::cmd("CONFIG");
    ask.arg("GET").arg("append*");
    // A server that does not tell is not asked again.
    let Ok(settings) = ask.query_async::<HashMap<String, String>>(connection).await else { return };
    let is = |name: &str, value: &str| settings.get(name).is_some_and(|set| set == value);
    if !is("appendonly", "yes") {
        tracing::warn!("the Redis server does not append to a file (appendonly): events may end with it");
    } else if !is("appendfsync", "always") {
        tracing::warn!(
            "the Redis server does not append at once (appendfsync): the last second of events may end with it"
        );
    }
}
