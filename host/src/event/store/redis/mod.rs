//! Events in streams of a Redis server, 7.0 or later.
//!
//! Guarantees: an event that was taken is in the stream, as the server has said, and is given to every subscription at least
//! once, by whichever proxy asks. It survives the end of the proxy. It survives the end of the server only as far as that
//! keeps what it says: with `appendonly yes` and `appendfsync always` everything, otherwise up to a second of it or all; the
//! log says so at every connection. Replicas take over without what has not reached them. The server drops an event with the
//! same `source` and `id` as one of the last two minutes. Events are given out in the order in which the server took them;
//! what a proxy that died had not finished is given out again before anything newer, as soon as its lease is over
//! ([`LEASE`]), or at once when it ended in order. So a subscription that is ordered by key keeps that order as long as one
//! proxy at a time serves it.
//!
//! A channel is a stream, and a subscription a consumer group of it; each proxy is a consumer of its own. What all groups are
//! done with is removed, or kept for `history` while there is room. A channel that takes more memory than it may refuses events. CloudEvents has no binding for Redis:
//! an entry has a field for each attribute, by its name, and the event's data in `data`. While the server cannot be reached,
//! publishing is refused after a bounded wait and deliveries stop; both go on when it is back. An event that was refused
//! because no answer came may still be stored.
//!
//! - [`archive`]: reading a stream back
//! - [`connection`]: to the server, and the lease of this proxy
//! - [`entry`]: events as entries
//! - [`publish`]: into a stream
//! - [`read`]: from a group
//! - [`inherit`]: what proxies that died have left

mod archive;
mod connection;
mod entry;
mod inherit;
mod publish;
mod read;

use super::remote::line::Line;
use super::remote::thread::Thread;
use super::remote::{End, PATIENCE, Place, RemoteStore, Server, tls};
use super::{Archive, StoreError};
use crate::config::{ServerSettings, ServerTls};
use crate::wasm::bindings::sluicegate::filter::types::Event;
use ::redis::aio::MultiplexedConnection;
use ::redis::{Client, ClientTlsConfig, Cmd, FromRedisValue, RedisError, RedisResult, TlsCertificates, Value};
use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// For how long a proxy that says nothing is waited for, before what it had is given to others.
const LEASE: Duration = Duration::from_secs(3);
/// For an acknowledgement to find the server again.
const RECOVERY: Duration = Duration::from_mins(1);

/// A Redis server.
#[derive(Debug)]
pub(super) struct Redis {
    settings: ServerSettings,
    client: Client,
    line: Arc<Line<MultiplexedConnection>>,
    /// What this process is called in groups.
    consumer: String,
    thread: Thread,
}

impl Redis {
    /// Begins to connect; whether the server is there turns out later.
    pub(super) fn start(settings: &ServerSettings) -> io::Result<RemoteStore<Self>> {
        let client = client(settings)?;
        let consumer = format!("{:032x}", fastrand::u128(..));
        let (thread, ()) = Thread::start("redis", std::future::ready(Ok(())))?;
        let line = Arc::new(Line::new(Self::NAME));
        let server = Self { settings: settings.clone(), client, line, consumer, thread };
        let (line, client, consumer) = (Arc::clone(&server.line), server.client.clone(), server.consumer.clone());
        let end = server.thread.end.clone();
        server.thread.spawn(async move { line.keep(end, || connection::shared(&client, &consumer)).await });
        Ok(RemoteStore::new(Arc::new(server)))
    }

    /// Asks the server something, over the connection that everybody shares.
    async fn ask<T: FromRedisValue>(&self, command: &Cmd, patience: Duration) -> Result<T, StoreError> {
        let mut connection = self.line.reached_within(patience).await?;
        command.query_async(&mut connection).await.map_err(|error| self.refused(&error))
    }

    /// What an error means. One of the connection has it made anew.
    fn refused(&self, error: &RedisError) -> StoreError {
        if error.is_io_error() || error.is_timeout() || error.is_connection_dropped() {
            self.line.give_up();
        }
        match error.code() {
            // Out of the memory that it may use, or of the disk that it appends to.
            Some("OOM" | "MISCONF") => StoreError::NoSpace(error.to_string()),
            _ => StoreError::Unavailable(error.to_string()),
        }
    }
}

/// With files for TLS where there are any.
fn client(settings: &ServerSettings) -> io::Result<Client> {
    let ServerTls { ca, certificate, key } = &settings.tls;
    let server = settings.server.as_str();
    if ca.is_none() && certificate.is_none() {
        return Client::open(server).map_err(io::Error::other);
    }
    let client_tls = match (certificate, key) {
        (Some(chain), Some(key)) => {
            Some(ClientTlsConfig { client_cert: tls::read(chain)?, client_key: tls::read(key)? })
        }
        _ => None,
    };
    let root_cert = ca.as_ref().map(tls::read).transpose()?;
    Client::build_with_tls(server, TlsCertificates { client_tls, root_cert }).map_err(io::Error::other)
}

/// What the stream of a channel is called. The braces keep in one place of a cluster what belongs together.
fn stream(channel: &str) -> String {
    format!("sluicegate:{{{channel}}}:events")
}

/// Entries of an answer as `name`, `value`, `name`, `value`.
fn pairs(values: Vec<Value>) -> RedisResult<HashMap<String, Value>> {
    let (mut pairs, mut values) = (HashMap::new(), values.into_iter());
    while let (Some(name), Some(value)) = (values.next(), values.next()) {
        pairs.insert(String::from_redis_value(name)?, value);
    }
    Ok(pairs)
}

impl Server for Redis {
    type Mark = entry::Id;
    type Tag = entry::Id;
    const NAME: &'static str = "Redis server";

    fn thread(&self) -> &Thread {
        &self.thread
    }

    async fn is_reached(&self) -> bool {
        self.line.reached().await.is_ok()
    }

    async fn publish(&self, channel: &str, events: Vec<Arc<Event>>) -> Result<(), StoreError> {
        publish::publish(self, channel, &events).await
    }

    async fn serve(&self, place: &Arc<Place<Self>>) -> Result<(), StoreError> {
        read::serve(self, place).await
    }

    async fn settle(&self, place: &Arc<Place<Self>>, tag: entry::Id, end: End) -> Result<(), StoreError> {
        // What is released is the next process's once this one's lease is over, which the end of the process sees to.
        if end == End::Released {
            return Ok(());
        }
        let mut acknowledge = ::redis::cmd("XACK");
        acknowledge.arg(stream(place.channel())).arg(&place.subscription).arg(tag.to_string());
        loop {
            let acknowledged: Result<Value, StoreError> = self.ask(&acknowledge, RECOVERY).await;
            match acknowledged {
                Ok(_) => return Ok(()),
                Err(error) if place.ended.is_cancelled() => return Err(error),
                // It is known by its number, and no harm is done twice.
                Err(_) => tokio::time::sleep(PATIENCE).await,
            }
        }
    }

    async fn remove(&self, channel: &str, subscription: &str) -> Result<(), StoreError> {
        let mut destroy = ::redis::cmd("XGROUP");
        destroy.arg("DESTROY").arg(stream(channel)).arg(subscription);
        match self.ask::<Value>(&destroy, PATIENCE).await {
            // There is no stream, and so no group.
            Err(error) if !error.to_string().contains("requires the key to exist") => Err(error),
            _ => Ok(()),
        }
    }

    async fn keep_only(&self, channel: &str, kept: &[String]) -> Result<Vec<String>, StoreError> {
        let mut ask = ::redis::cmd("XINFO");
        ask.arg("GROUPS").arg(stream(channel));
        let groups: Vec<Vec<Value>> = self.ask(&ask, PATIENCE).await?;
        let mut removed = Vec::new();
        for group in groups {
            let name = pairs(group).ok().and_then(|mut group| String::from_redis_value(group.remove("name")?).ok());
            if let Some(name) = name.filter(|name| !kept.contains(name)) {
                self.remove(channel, &name).await?;
                removed.push(name);
            }
        }
        Ok(removed)
    }

    fn archive(self: &Arc<Self>, channel: &str) -> Option<Arc<dyn Archive>> {
        Some(Arc::new(archive::RedisArchive::new(self, channel)))
    }

    /// The acknowledgements went before this, and what this process had is free.
    async fn flush(&self) -> Result<(), StoreError> {
        let mut end = ::redis::cmd("DEL");
        end.arg(connection::lease(&self.consumer));
        self.ask::<Value>(&end, PATIENCE).await.map(drop)
    }
}
