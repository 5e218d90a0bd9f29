//! Events in streams of a NATS server with JetStream.
//!
//! Guarantees: an event that was taken is in the stream, as the server has acknowledged, and is given to every subscription
//! at least once, by whichever proxy asks. It survives the end of the proxy and of the server, however sudden; whether it
//! survives the power of the server's machine is up to the stream's replicas and the server's `sync_interval`. The server
//! drops an event with the same `source` and `id` as one of the last two minutes. Events are given out in the order in which
//! the server took them; what a proxy that died had not finished is given out again after [`ACK_WAIT`], before anything
//! newer, so a subscription that is ordered by key keeps that order as long as one proxy at a time serves it.
//!
//! A channel is a stream that keeps events until each of its consumers is done with them (retention by interest), refuses
//! new ones when it is full, and has one subject; a subscription is a durable pull consumer. Events are messages in the
//! binary mode of CloudEvents' NATS binding. While the server cannot be reached, publishing is refused after a bounded
//! wait and deliveries stop; both go on when it is back. An event that was refused because no answer came may still be
//! stored.
//!
//! - [`binding`]: events as messages
//! - [`log`]: publishing events
//! - [`cursor`], [`pull`]: subscriptions

mod binding;
mod cursor;
mod log;
mod pull;

use super::{Log, Store, StoreError};
use crate::config::NatsSettings;
use async_nats::jetstream::{self, Context};
use async_nats::{Client, ConnectOptions, Event};
use futures_util::future::{BoxFuture, FutureExt};
use log::NatsLog;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// After how long the server gives out again what a proxy has neither acknowledged nor asked to wait for.
const ACK_WAIT: Duration = Duration::from_secs(6);
/// For the server's answer to anything.
const ANSWER: Duration = Duration::from_secs(3);
/// For a connection to be made.
const CONNECT: Duration = Duration::from_secs(2);
/// Between two questions whether the server is still there; the second without an answer ends the connection.
const PING: Duration = Duration::from_secs(5);
/// The longest pause between two tries to connect.
const RECONNECT: Duration = Duration::from_secs(2);
/// Events that wait for the server's acknowledgement, of all channels: the window of publishing.
const WINDOW: usize = 4_096;
/// For the last acknowledgements to leave as the process ends.
const FLUSH: Duration = Duration::from_secs(2);

/// Channels on a server.
#[derive(Debug)]
pub(super) struct NatsStore {
    server: Arc<Server>,
}

/// The connection, and the thread that serves it.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) settings: NatsSettings,
    client: Client,
    pub(super) context: Context,
    pub(super) runtime: Handle,
    /// Changes with every connection that is lost.
    pub(super) lost: watch::Receiver<u64>,
    /// Ends the thread, and what runs on it.
    pub(super) end: CancellationToken,
}

impl NatsStore {
    /// Begins to connect; whether the server is there turns out later.
    pub(super) fn start(settings: NatsSettings) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let end = CancellationToken::new();
        let (handle, ended, servers) = (runtime.handle().clone(), end.clone(), settings.servers.clone());
        let (connected, answer) = std::sync::mpsc::channel();
        let (losses, lost) = watch::channel(0);
        std::thread::Builder::new().name("nats".into()).spawn(move || {
            runtime.block_on(async {
                // With `retry_on_initial_connect` this does not wait for the server.
                let client = options(losses).connect(servers).await;
                // Only the store waits for this, and it is gone where sending fails.
                let _ = connected.send(client.map(|client| (client.clone(), context(client))));
                ended.cancelled().await;
            });
        })?;
        let (client, context) = answer.recv().map_err(io::Error::other)?.map_err(io::Error::other)?;
        Ok(Self { server: Arc::new(Server { settings, client, context, runtime: handle, lost, end }) })
    }
}

/// What asks for JetStream; it begins a task of its own.
fn context(client: Client) -> Context {
    jetstream::ContextBuilder::new().timeout(ANSWER).max_ack_inflight(WINDOW).build(client)
}

fn options(losses: watch::Sender<u64>) -> ConnectOptions {
    let losses = Arc::new(losses);
    ConnectOptions::new()
        .event_callback(move |event| {
            let losses = Arc::clone(&losses);
            async move {
                match event {
                    Event::Disconnected => {
                        tracing::warn!("the connection to the NATS server is lost");
                        losses.send_modify(|count| *count += 1);
                    }
                    other => tracing::info!(event = %other, "NATS"),
                }
            }
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

impl Server {
    /// Whether the server is reached, after waiting for it for at most so long.
    async fn is_reached(&self, patience: Duration) -> bool {
        let reached = async {
            while self.client.connection_state() != async_nats::connection::State::Connected {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(patience, reached).await.is_ok()
    }
}

impl Drop for NatsStore {
    fn drop(&mut self) {
        self.server.end.cancel();
    }
}

impl Store for NatsStore {
    fn open(&self, channel: &str) -> Result<Arc<dyn Log>, StoreError> {
        Ok(Arc::new(NatsLog::new(channel, Arc::clone(&self.server))))
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        async {
            let client = self.server.client.clone();
            // On the thread of the acknowledgements, after them.
            let flushed = self.server.runtime.spawn(async move { tokio::time::timeout(FLUSH, client.flush()).await });
            if !matches!(flushed.await, Ok(Ok(Ok(())))) {
                tracing::warn!("the last acknowledgements may not have reached the NATS server");
            }
            self.server.end.cancel();
        }
        .boxed()
    }
}

/// A name as NATS takes it for streams and consumers: what is not a letter, a digit or `-` is `_` and two digits.
fn name(text: &str) -> String {
    let mut name = String::with_capacity(text.len() + 4);
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || byte == b'-' {
            name.push(char::from(byte));
        } else {
            let digit = |value: u8| char::from_digit(u32::from(value), 16).unwrap_or('0');
            name.extend(['_', digit(byte >> 4), digit(byte & 15)]);
        }
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_hold_nothing_that_nats_reads_and_differ() {
        assert_eq!(name("shop/orders"), "shop_2forders");
        assert_ne!(name("shop/a.b"), name("shop/a_2eb"));
        assert!(name("a.*>/ ä").bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'));
    }
}
