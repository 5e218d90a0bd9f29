//! The file store by itself, for who drives it step by step.

use super::file::FileStore;
use super::{Cursor, Log, Store};
use crate::config::FileSettings;
use crate::wasm::bindings::sluicegate::filter::types::Event;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// One channel in files. Dropping it is a crash: what is not written then is not written.
#[derive(Debug)]
pub struct Files {
    store: FileStore,
    log: Arc<dyn Log>,
}

/// One subscription of it.
#[derive(Debug, Clone)]
pub struct Subscribed(Arc<dyn Cursor>);

impl Files {
    /// Opens the channel `shop/orders` in a directory, with room for so many bytes.
    ///
    /// # Errors
    /// When the files cannot be opened.
    pub fn open(directory: &Path, bytes: u64) -> io::Result<Self> {
        let store = FileStore::start(FileSettings { directory: directory.to_owned(), bytes, age: None })?;
        let log = store.open("shop/orders").map_err(io::Error::other)?;
        Ok(Self { store, log })
    }

    /// A subscription, where it was or at the end when it is new.
    ///
    /// # Errors
    /// When it is refused.
    pub fn subscribe(&self, name: &str) -> Result<Subscribed, String> {
        self.log.subscribe(name).map(Subscribed).map_err(|error| error.to_string())
    }

    /// Puts events in, all of them or none.
    ///
    /// # Errors
    /// When they are refused, or cannot be written.
    pub async fn publish(&self, events: Vec<Event>) -> Result<(), String> {
        let events = events.into_iter().map(Arc::new).collect();
        let room = self.log.reserve(events).map_err(|error| error.to_string())?;
        room.commit().await.map_err(|error| error.to_string())
    }

    /// Ends in good order: everything is written.
    pub async fn close(self) {
        self.store.close().await;
    }
}

impl Subscribed {
    /// The next event with its position; waits for one.
    pub async fn next(&self) -> Option<(u64, Arc<Event>)> {
        self.0.next().await.map(|taken| (taken.position, taken.event))
    }

    /// It is done with the event at this position.
    pub fn ack(&self, position: u64) {
        self.0.ack(position);
    }

    /// It is to be given out again.
    pub fn give_back(&self, position: u64) {
        self.0.give_back(position, Duration::ZERO);
    }

    /// How many events wait, and how many are in flight.
    pub fn waiting(&self) -> (usize, usize) {
        let figures = self.0.figures();
        (figures.queued, figures.in_flight)
    }

    /// Gives out nothing more.
    pub fn stop(&self) {
        self.0.stop();
    }
}
