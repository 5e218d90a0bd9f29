//! Events in streams of a NATS server with JetStream.
//!
//! Guarantees: an event that was taken is in the stream, as the server has acknowledged, and is given to every subscription
//! at least once, by whichever proxy asks. It survives the end of the proxy and of the server, however sudden; whether it
//! survives the power of the server's machine is up to the stream's replicas and the server's `sync_interval`. The server
//! drops an event with the same `source` and `id` as one of the last two minutes. Events are given out in the order in which
//! the server took them; what a proxy that died had not finished is given out again before anything newer, so a
//! subscription that is ordered by key keeps that order as long as one proxy at a time serves it. That is at once where the
//! server can set a consumer back (since 2.14) and no other proxy asks for its events; else it takes as long as the server
//! waits for acknowledgements, which is six seconds.
//!
//! A channel is a stream that keeps events until each of its consumers is done with them (retention by interest), or for
//! `history` longer (retention by limits, and proxies remove what is older), refuses new ones when it is full, and has one
//! subject; a subscription is a durable pull consumer. Events are messages in the
//! binary mode of CloudEvents' NATS binding. While the server cannot be reached, publishing is refused after a bounded
//! wait and deliveries stop; both go on when it is back. An event that was refused because no answer came may still be
//! stored.
//!
//! - [`archive`]: reading a stream back
//! - [`binding`]: events as messages
//! - [`publish`]: into a stream
//! - [`publisher`]: by which client
//! - [`pull`]: from a consumer
//! - [`upkeep`]: what is kept although everybody is done with it

mod archive;
mod binding;
mod publish;
mod publisher;
mod pull;
mod upkeep;

use super::remote::thread::Thread;
use super::remote::{ANSWER, CONNECT, End, Place, RemoteStore, Server, WINDOW, name, tls, unavailable};
use super::{Archive, StoreError};
use crate::config::{NatsSettings, ServerTls};
use crate::wasm::bindings::sluicegate::filter::types::Event;
use async_nats::jetstream::message::Acker;
use async_nats::jetstream::stream::{ConsumerError, ConsumerErrorKind};
use async_nats::jetstream::{self, AckKind, Context, ErrorCode};
use async_nats::{Client, ConnectOptions};
use futures_util::StreamExt;
use publisher::{Publisher, is_connected};
use rustls::ClientConfig;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// Between two questions whether the server is still there; the second without an answer ends the connection.
const PING: Duration = Duration::from_secs(5);
/// The longest pause between two tries to connect.
const RECONNECT: Duration = Duration::from_secs(2);

/// A NATS server, or a cluster of them.
pub(super) struct Nats {
    settings: NatsSettings,
    /// Where the settings have files for it.
    tls: Option<ClientConfig>,
    /// Subscriptions and whatever else is done on the store's own thread.
    shared: Arc<Publisher>,
    /// Lives as long as the store.
    alive: Arc<()>,
    thread: Thread,
    /// Changes with every connection that is lost.
    lost: watch::Receiver<u64>,
}

impl fmt::Debug for Nats {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Nats").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl Nats {
    /// Begins to connect; whether the server is there turns out later.
    pub(super) fn start(settings: NatsSettings) -> io::Result<RemoteStore<Self>> {
        let servers = settings.servers.clone();
        let is_plain = settings.tls == ServerTls::default();
        let tls = (!is_plain).then(|| tls::config(&settings.tls)).transpose()?;
        let own = tls.clone();
        let (losses, lost) = watch::channel(0);
        let begin = async move {
            // With `retry_on_initial_connect` this does not wait for the server.
            let told = move |event| match event {
                async_nats::Event::Disconnected => {
                    tracing::warn!("the connection to the NATS server is lost");
                    losses.send_modify(|count| *count += 1);
                }
                other => tracing::info!(event = %other, "NATS"),
            };
            let client = options(own, told).connect(servers).await.map_err(io::Error::other)?;
            Ok(Publisher { context: jetstream_of(&client), client })
        };
        let (thread, shared) = Thread::start("nats", begin)?;
        let (shared, alive) = (Arc::new(shared), Arc::default());
        Ok(RemoteStore::new(Arc::new(Self { settings, tls, shared, alive, thread, lost })))
    }
}

/// Whether there is no such consumer, or no stream that could have one.
fn is_missing(error: &ConsumerError) -> bool {
    let missing = [ErrorCode::CONSUMER_NOT_FOUND, ErrorCode::STREAM_NOT_FOUND];
    matches!(error.kind(), ConsumerErrorKind::JetStream(said) if missing.contains(&said.error_code()))
}

/// It begins a task of its own.
fn jetstream_of(client: &Client) -> Context {
    jetstream::ContextBuilder::new().timeout(ANSWER).max_ack_inflight(WINDOW).build(client.clone())
}

/// How to connect; `told` is told what becomes of the connection.
fn options(tls: Option<ClientConfig>, told: impl Fn(async_nats::Event) + Send + Sync + 'static) -> ConnectOptions {
    let told = Arc::new(told);
    let options = match tls {
        Some(tls) => ConnectOptions::new().tls_client_config(tls),
        None => ConnectOptions::new(),
    };
    options
        .event_callback(move |event| {
            let told = Arc::clone(&told);
            async move { told(event) }
        })
        .name("sluicegate")
        .retry_on_initial_connect()
        .connection_timeout(CONNECT)
        .ping_interval(PING)
        .request_timeout(Some(ANSWER))
        .reconnect_delay_callback(|tries| {
            let tries = u32::try_from(tries).unwrap_or(u32::MAX).min(10);
            Duration::from_millis(20).saturating_mul(2u32.saturating_pow(tries)).min(RECONNECT)
        })
}

impl Server for Nats {
    /// When the stream was made, in nanoseconds, and the message's number in it.
    type Mark = (i128, u64);
    type Tag = Arc<Acker>;
    const NAME: &'static str = "NATS server";

    fn thread(&self) -> &Thread {
        &self.thread
    }

    async fn is_reached(&self) -> bool {
        is_connected(&self.shared.client).await
    }

    async fn publish(&self, channel: &str, events: Vec<Arc<Event>>) -> Result<(), StoreError> {
        publish::publish(self, channel, &events).await
    }

    async fn serve(&self, place: &Arc<Place<Self>>) -> Result<(), StoreError> {
        pull::serve(self, place).await
    }

    async fn settle(&self, _: &Arc<Place<Self>>, tag: Arc<Acker>, end: End) -> Result<(), StoreError> {
        let kind = match end {
            End::Done => AckKind::Ack,
            // Without a wait: another event of the same key could be given out before it.
            End::Released => AckKind::Nak(None),
        };
        tag.ack_with(kind).await.map_err(|error| StoreError::Unavailable(error.to_string()))
    }

    async fn remove(&self, channel: &str, subscription: &str) -> Result<(), StoreError> {
        let deleted =
            self.shared.context.delete_consumer_from_stream(&name(subscription), &publish::stream_name(channel)).await;
        match deleted {
            Err(error) if !is_missing(&error) => Err(unavailable(&error)),
            _ => Ok(()),
        }
    }

    async fn keep_only(&self, channel: &str, kept: &[String]) -> Result<Vec<String>, StoreError> {
        let kept: Vec<String> = kept.iter().map(|subscription| name(subscription)).collect();
        let stream = publish::stream(self, channel).await?;
        let (mut names, mut removed) = (stream.consumer_names(), Vec::new());
        while let Some(Ok(consumer)) = names.next().await {
            if !kept.contains(&consumer) {
                stream.delete_consumer(&consumer).await.map_err(|error| unavailable(&error))?;
                removed.push(consumer);
            }
        }
        Ok(removed)
    }

    fn archive(self: &Arc<Self>, channel: &str) -> Option<Arc<dyn Archive>> {
        Some(Arc::new(archive::NatsArchive::new(self, channel)))
    }

    async fn flush(&self) -> Result<(), StoreError> {
        self.shared.client.flush().await.map_err(|error| unavailable(&error))
    }
}
