//! The stores that this process has, and the choice between them.

use super::file::FileStore;
use super::memory::MemoryStore;
use super::nats::NatsStore;
use super::{Cursor, Log, Reserved, Store, StoreError};
use crate::config::{StoreChoice, StoreSettings};
use crate::wasm::bindings::sluicegate::filter::types::Event;
use std::io;
use std::sync::Arc;

/// The stores of this process. It outlives every snapshot.
#[derive(Debug, Default)]
pub struct Stores {
    default: StoreChoice,
    memory: MemoryStore,
    file: Option<FileStore>,
    nats: Option<NatsStore>,
}

impl Stores {
    /// Starts what the settings have.
    ///
    /// # Errors
    /// When the directory of files is not to be had.
    pub fn start(settings: &StoreSettings) -> io::Result<Self> {
        let file = settings.file.as_ref().map(|file| {
            let directory = &file.directory;
            let of_directory = |error: io::Error| {
                io::Error::new(error.kind(), format!("the directory of events {}: {error}", directory.display()))
            };
            FileStore::start(file.clone()).map_err(of_directory)
        });
        let nats = settings.nats.clone().map(NatsStore::start);
        Ok(Self { default: settings.default, memory: MemoryStore, file: file.transpose()?, nats: nats.transpose()? })
    }

    /// The store that a channel's events are in which asks for this one, or for none in particular.
    pub(in crate::event) fn choose(&self, asked: Option<StoreChoice>) -> StoreChoice {
        asked.unwrap_or(self.default)
    }

    /// The log of a channel. One that cannot be opened refuses every event with the reason, which the log says.
    pub(in crate::event) fn open(&self, choice: StoreChoice, channel: &str) -> Arc<dyn Log> {
        let store: Option<&dyn Store> = match choice {
            StoreChoice::Memory => Some(&self.memory),
            StoreChoice::File => self.file.as_ref().map(|file| file as &dyn Store),
            StoreChoice::Nats => self.nats.as_ref().map(|nats| nats as &dyn Store),
        };
        let none = || StoreError::Unavailable("the proxy has no such store".to_owned());
        store.ok_or_else(none).and_then(|store| store.open(channel)).unwrap_or_else(|error| {
            tracing::error!(channel, %error, "the channel takes no events");
            Arc::new(Refusing(error))
        })
    }

    /// Makes everything durable, as the process ends.
    pub(in crate::event) async fn close(&self) {
        self.memory.close().await;
        if let Some(file) = &self.file {
            file.close().await;
        }
        if let Some(nats) = &self.nats {
            nats.close().await;
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
}
