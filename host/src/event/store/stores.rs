//! The stores that this process has, and the choice between them.

use super::amqp::Amqp;
use super::file::FileStore;
use super::memory::MemoryStore;
use super::mqtt::Mqtt;
use super::nats::Nats;
use super::redis::Redis;
use super::{Cursor, Log, Reserved, Store, StoreError};
use crate::config::{StoreChoice, StoreSettings};
use crate::wasm::bindings::sluicegate::filter::types::Event;
use std::collections::HashMap;
use std::io;
use std::sync::Arc;

/// The stores of this process. It outlives every snapshot.
#[derive(Debug)]
pub struct Stores {
    default: StoreChoice,
    all: HashMap<StoreChoice, Box<dyn Store>>,
}

impl Default for Stores {
    /// Memory alone.
    fn default() -> Self {
        let memory: Box<dyn Store> = Box::new(MemoryStore);
        Self { default: StoreChoice::Memory, all: HashMap::from([(StoreChoice::Memory, memory)]) }
    }
}

impl Stores {
    /// Starts what the settings have.
    ///
    /// # Errors
    /// When the directory of files is not to be had, or a client cannot be started; servers need not be there.
    pub fn start(settings: &StoreSettings) -> io::Result<Self> {
        let mut stores = Self { default: settings.default, ..Self::default() };
        if let Some(file) = &settings.file {
            let of_directory = |error: io::Error| {
                let directory = file.directory.display();
                io::Error::new(error.kind(), format!("the directory of events {directory}: {error}"))
            };
            stores.add(StoreChoice::File, FileStore::start(file.clone()).map_err(of_directory)?);
        }
        if let Some(nats) = &settings.nats {
            stores.add(StoreChoice::Nats, Nats::start(nats.clone())?);
        }
        if let Some(redis) = &settings.redis {
            stores.add(StoreChoice::Redis, Redis::start(redis)?);
        }
        if let Some(amqp) = &settings.amqp {
            stores.add(StoreChoice::Amqp, Amqp::start(amqp)?);
        }
        if let Some(mqtt) = &settings.mqtt {
            stores.add(StoreChoice::Mqtt, Mqtt::start(mqtt)?);
        }
        #[cfg(feature = "kafka")]
        if let Some(kafka) = &settings.kafka {
            stores.add(StoreChoice::Kafka, super::kafka::Kafka::start(kafka)?);
        }
        Ok(stores)
    }

    fn add(&mut self, choice: StoreChoice, store: impl Store + 'static) {
        self.all.insert(choice, Box::new(store));
    }

    /// The store that a channel's events are in which asks for this one, or for none in particular.
    pub(in crate::event) fn choose(&self, asked: Option<StoreChoice>) -> StoreChoice {
        asked.unwrap_or(self.default)
    }

    /// The log of a channel. One that cannot be opened refuses every event with the reason, which the log says, until
    /// the next reload tries again.
    pub(in crate::event) fn open(&self, choice: StoreChoice, channel: &str) -> Arc<dyn Log> {
        let none = || StoreError::Unavailable("the proxy has no such store".to_owned());
        let store = self.all.get(&choice).ok_or_else(none);
        store.and_then(|store| store.open(channel)).unwrap_or_else(|error| {
            tracing::error!(channel, %error, "the channel takes no events");
            Arc::new(Refusing(error))
        })
    }

    /// Whether only one process at a time can have this store.
    pub(in crate::event) fn is_exclusive(&self, choice: StoreChoice) -> bool {
        self.all.get(&choice).is_some_and(|store| store.is_exclusive())
    }

    /// Lets go of what only one process at a time can have.
    pub(in crate::event) async fn release(&self) {
        for store in self.all.values().filter(|store| store.is_exclusive()) {
            store.close().await;
        }
    }

    /// Takes that back.
    pub(in crate::event) fn resume(&self) -> io::Result<()> {
        self.all.values().filter(|store| store.is_exclusive()).try_for_each(|store| store.resume())
    }

    /// Makes everything durable, as the process ends.
    pub(in crate::event) async fn close(&self) {
        for store in self.all.values() {
            store.close().await;
        }
    }
}

/// In place of a log that cannot be opened.
#[derive(Debug)]
struct Refusing(StoreError);

impl Log for Refusing {
    fn reserve(&self, _: Vec<Arc<Event>>) -> Result<Box<dyn Reserved>, StoreError> {
        Err(self.0.clone())
    }

    fn subscribe(&self, _: &str) -> Result<Arc<dyn Cursor>, StoreError> {
        Err(self.0.clone())
    }

    fn keep_only(&self, _: &[&str]) {}

    fn is_durable(&self) -> bool {
        false
    }

    fn is_missing(&self) -> bool {
        true
    }
}
