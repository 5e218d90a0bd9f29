//! Events in queues of a RabbitMQ broker, by AMQP 0-9-1.
//!
//! Guarantees: an event that was taken is in the queue of every subscription, as the broker has confirmed, and is given to
//! each at least once. It survives the end of the proxy and of the broker, however sudden: queues and events are durable, and
//! a broker confirms once they are on its disk. Each queue is on one node of a cluster. There is no window of duplicates: a
//! sender that tries again after a refusal may be heard twice. Events are given out in the order in which the broker took
//! them; what a proxy that died had not finished is back where it was once its connection is gone, before anything newer, so
//! a subscription that is ordered by key keeps that order as long as one proxy at a time serves it.
//!
//! A channel is a fanout exchange, and a subscription a queue that is bound to it. A queue that takes more bytes than it may
//! refuses events: then the channel refuses them, and subscriptions whose queues had room have them all the same. Bounds are
//! those of the queue's first proxy. Events are messages in the binary mode of CloudEvents' AMQP binding, persistent and
//! mandatory: one that no queue takes is refused. The broker does not say which queues there are, so that a message in a
//! queue of its own lists those of a channel: by it, queues of subscriptions that are gone are removed. While the broker
//! cannot be reached, publishing is refused after a bounded wait and deliveries stop; both go on when it is back. An event
//! that was refused because no answer came may still be stored. `amqps://` is with TLS.
//!
//! - [`binding`]: events as messages
//! - [`consume`]: from a queue
//! - [`link`]: the connection
//! - [`publish`]: into an exchange
//! - [`register`]: which queues there are

mod binding;
mod consume;
mod link;
mod publish;
mod register;

use super::StoreError;
use super::remote::line::Line;
use super::remote::thread::Thread;
use super::remote::tls::Tls;
use super::remote::{End, Place, RemoteStore, Server, name, unavailable};
use crate::config::ServerSettings;
use crate::wasm::bindings::sluicegate::filter::types::Event;
use lapin::Acker;
use lapin::options::{BasicAckOptions, QueueDeleteOptions};
use lapin::types::ShortString;
use lapin::uri::{AMQPScheme, AMQPUri};
use link::Link;
use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use tokio::sync::Semaphore;

/// A RabbitMQ broker.
#[derive(Debug)]
pub(super) struct Amqp {
    settings: ServerSettings,
    line: Arc<Line<Link>>,
    /// What the messages of this process begin with, and how many there were: each has a name of its own.
    process: u128,
    messages: AtomicU64,
    /// The turn to change a list of queues: of two who change it at once, one would not see it.
    registering: Semaphore,
    thread: Thread,
}

impl Amqp {
    /// Begins to connect; whether the broker is there turns out later.
    pub(super) fn start(settings: &ServerSettings) -> io::Result<RemoteStore<Self>> {
        let address: AMQPUri = settings.server.parse().map_err(io::Error::other)?;
        let with_tls = address.scheme == AMQPScheme::AMQPS;
        let tls = || Tls::new(&settings.tls, &address.authority.host, address.authority.port);
        let tls = with_tls.then(tls).transpose()?;
        let (thread, ()) = Thread::start("amqp", std::future::ready(Ok(())))?;
        let line = Arc::new(Line::new(Self::NAME));
        let (keeper, end) = (Arc::clone(&line), thread.end.clone());
        thread.spawn(async move { keeper.keep(end, || link::connect(address.clone(), tls.clone())).await });
        let (settings, registering) = (settings.clone(), Semaphore::new(1));
        let (process, messages) = (fastrand::u128(..), AtomicU64::new(0));
        Ok(RemoteStore::new(Arc::new(Self { settings, line, process, messages, registering, thread })))
    }

    async fn link(&self) -> Result<Link, StoreError> {
        self.line.reached().await
    }
}

/// What the exchange of a channel is called.
fn exchange(channel: &str) -> Result<ShortString, StoreError> {
    short(format!("sluicegate.{}", name(channel)))
}

/// What the queue of a subscription is called.
fn queue(channel: &str, subscription: &str) -> Result<ShortString, StoreError> {
    short(format!("sluicegate.{}.{}", name(channel), name(subscription)))
}

/// A text of at most 255 bytes, which is all that AMQP takes in some places.
fn short(text: String) -> Result<ShortString, StoreError> {
    ShortString::try_new(text).map_err(|error| StoreError::TooLarge(error.to_string()))
}

impl Server for Amqp {
    /// The name of a message.
    type Mark = ShortString;
    type Tag = Acker;
    const NAME: &'static str = "RabbitMQ broker";
    const TIED: bool = true;

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
        consume::serve(self, place).await
    }

    async fn settle(&self, _: &Arc<Place<Self>>, tag: Acker, end: End) -> Result<(), StoreError> {
        // What is released is back where it was with the end of the channel that it came by.
        if end == End::Released {
            return Ok(());
        }
        // Where the connection is another by now this fails, and the message has come or comes again.
        tag.ack(BasicAckOptions::default()).await.map(drop).map_err(|error| unavailable(&error))
    }

    async fn remove(&self, channel: &str, subscription: &str) -> Result<(), StoreError> {
        let (queue, link) = (queue(channel, subscription)?, self.link().await?);
        let own = link.channel().await?;
        let deleted = own.queue_delete(queue, QueueDeleteOptions::default()).await;
        deleted.map(drop).map_err(|error| unavailable(&error))
    }

    async fn keep_only(&self, channel: &str, kept: &[String]) -> Result<Vec<String>, StoreError> {
        let known = register::change(self, channel, |_| kept.to_vec()).await?;
        let removed: Vec<String> = known.into_iter().filter(|one| !kept.contains(one)).collect();
        for subscription in &removed {
            self.remove(channel, subscription).await?;
        }
        Ok(removed)
    }

    /// Acknowledgements go in order, and this comes back after them.
    async fn flush(&self) -> Result<(), StoreError> {
        let closed = self.link().await?.connection.close(200, "the proxy ends".into()).await;
        closed.map_err(|error| unavailable(&error))
    }
}
