//! Where the events of a channel are kept until each of its subscriptions is done with them.
//!
//! A [`Log`] belongs to one channel and takes events; a [`Cursor`] belongs to one subscription and gives them out. What
//! each store promises stands in its own module:
//!
//! - [`archived`]: reading back what a server keeps
//! - [`memory`]: bounded queues; nothing survives the process
//! - [`file`]: a log in files; everything survives the process and the machine's power
//! - [`nats`]: streams of a NATS server; everything survives the process and what the server survives
//! - [`recent`]: the latest events for whoever looks on, where the store itself keeps no history
//! - [`redis`]: streams of a Redis server; the same, where the server appends every change to its file
//! - [`amqp`]: queues of a RabbitMQ broker; everything survives the process and the broker
//! - [`mqtt`]: sessions of an MQTT broker; everything survives the process, and the broker as far as it is set to
//! - `kafka`: topics of Kafka brokers, with the feature of that name; everything survives what the replicas do
//!
//! All of them deliver at least once: an event is given out until it is acknowledged, and after a crash again. A
//! subscription that is new starts at the end; one that is gone takes its place in the log with it.

mod amqp;
pub(super) mod archived;
mod attention;
pub(crate) mod exposed;
mod file;
#[cfg(feature = "kafka")]
mod kafka;
pub(super) mod memory;
mod mqtt;
mod nats;
pub(super) mod recent;
mod redis;
mod remote;
mod stores;

pub use stores::Stores;

use crate::wasm::bindings::sluicegate::filter::types::Event;
use futures_util::future::BoxFuture;
use std::fmt::Debug;
use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// Makes the logs of channels.
pub(super) trait Store: Debug + Send + Sync {
    /// The log of a channel (`NAMESPACE/NAME`), with what is kept of it from before.
    fn open(&self, channel: &str) -> Result<Arc<dyn Log>, StoreError>;

    /// Makes what was done so far durable, as the process ends or another one takes over.
    fn close(&self) -> BoxFuture<'_, ()>;

    /// Whether only one process at a time can have it.
    fn is_exclusive(&self) -> bool {
        false
    }

    /// Takes it back after it was closed: the other process has failed.
    ///
    /// # Errors
    /// When another process has it.
    fn resume(&self) -> io::Result<()> {
        Ok(())
    }
}

/// The events of one channel.
pub(super) trait Log: Debug + Send + Sync {
    /// Keeps room for these events, so that several logs take theirs or none does. Never waits.
    fn reserve(&self, events: Vec<Arc<Event>>) -> Result<Box<dyn Reserved>, StoreError>;

    /// The cursor of a subscription (`NAMESPACE/NAME`): where it was, or at the end when it is new.
    fn subscribe(&self, subscription: &str) -> Result<Arc<dyn Cursor>, StoreError>;

    /// Drops the cursors that a former process left of subscriptions other than these.
    fn keep_only(&self, subscriptions: &[&str]);

    /// Whether events outlive the process.
    fn is_durable(&self) -> bool;

    /// Whether it only stands for a log that could not be opened.
    fn is_missing(&self) -> bool {
        false
    }

    /// What it keeps to be read back; none where it keeps events only until each subscription is done with them.
    fn history(&self) -> Option<Arc<dyn History>> {
        None
    }

    /// What its server keeps to be read back, by asking it; none where it keeps events only until each subscription is done
    /// with them, or the store is no server.
    fn archive(&self) -> Option<Arc<dyn Archive>> {
        None
    }
}

/// The events of a log that can be read back, whoever is done with them.
pub(super) trait History: Debug + Send + Sync {
    /// The first position that is kept, and that of the next event.
    fn span(&self) -> Range<u64>;

    /// About where what was taken at this time or later begins.
    fn since(&self, time: SystemTime) -> u64;

    /// Reads from a position on. While somebody reads, events are kept although nobody is subscribed.
    fn reader(&self, from: u64) -> Box<dyn Reader>;
}

/// The events of a log on a server that can be read back. Positions grow, and there may be any number of them between two
/// events.
pub(super) trait Archive: Debug + Send + Sync {
    /// The first position that is kept, and one behind the last event.
    fn span(&self) -> BoxFuture<'_, Result<Range<u64>, StoreError>>;

    /// Where what was taken at this time or later begins.
    fn since(&self, time: SystemTime) -> BoxFuture<'_, Result<u64, StoreError>>;

    /// Some events from a position on, and where to go on; the same position when there are none yet.
    fn read(&self, from: u64) -> BoxFuture<'_, Result<(Vec<Kept>, u64), StoreError>>;
}

/// Reads a history in order, a batch at a time.
pub(super) trait Reader: Debug + Send {
    /// What comes next; empty when there is nothing yet. What is not kept any more is passed over.
    fn next(&mut self) -> BoxFuture<'_, Result<Vec<Kept>, StoreError>>;

    /// The position from which the next batch is read.
    fn position(&self) -> u64;
}

/// An event of a history.
#[derive(Debug, Clone)]
pub(super) struct Kept {
    pub(super) position: u64,
    pub(super) time: SystemTime,
    pub(super) event: Arc<Event>,
}

/// Room in a log. It is given back when this is dropped.
pub(super) trait Reserved: Send {
    /// Puts the events in; resolves once they are as durable as the store promises.
    fn commit(self: Box<Self>) -> BoxFuture<'static, Result<(), StoreError>>;
}

/// The place of one subscription in the log of its channel.
pub(super) trait Cursor: Debug + Send + Sync {
    /// The next event, which is in flight until it is acknowledged or given back; none once the cursor is stopped or
    /// closed. One task may wait, and may give up waiting.
    fn next(&self) -> BoxFuture<'_, Option<Taken>>;

    /// The subscription is done with the event at this position.
    fn ack(&self, position: u64);

    /// The subscription is not done with it: a durable store gives it out again after so long, the others forget it.
    fn give_back(&self, position: u64, after: Duration);

    /// How far it is.
    fn figures(&self) -> Figures;

    /// Whether nothing waits, is about to come, or is in flight.
    fn is_idle(&self) -> bool;

    /// Gives out nothing more. What a durable store holds stays for the next process.
    fn stop(&self);

    /// The subscription is gone: gives out nothing more and forgets where it was. Says how many events that drops.
    fn close(&self) -> usize;
}

/// An event that was given out.
#[derive(Debug, Clone)]
pub(super) struct Taken {
    pub(super) event: Arc<Event>,
    /// What to acknowledge.
    pub(super) position: u64,
}

/// How far a subscription is, as read at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Figures {
    /// Events that wait.
    pub(super) queued: usize,
    /// Events that were given out and are not done with.
    pub(super) in_flight: usize,
    /// Events that were given out more than once, as far as the store knows.
    pub(super) redelivered: u64,
    /// Events that the store has given up: too old, or damaged.
    pub(super) lost: u64,
    /// Since when the oldest event waits or is in flight.
    pub(super) oldest: Option<SystemTime>,
}

/// Why a store does not take an event, or gives none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum StoreError {
    /// As much waits as may.
    #[error("{0}")]
    Full(String),
    /// The medium has no space left.
    #[error("no space is left to store it: {0}")]
    NoSpace(String),
    /// The event is larger than the store takes, now and later.
    #[error("{0}")]
    TooLarge(String),
    /// The store cannot be used now.
    #[error("its store cannot be used: {0}")]
    Unavailable(String),
}
