//! What stores on servers have in common, whatever the server speaks.
//!
//! A kind of server is a [`Server`]: how events are put into a channel, how those of a subscription come, and how it is told
//! what became of them. Everything else is here: a window of events that wait for the server, refusals in time, the table of
//! what is here of a subscription, tries again after whatever happens, and figures.
//!
//! - [`attributes`]: events as names and values
//! - [`line`]: a connection that is made again when it is lost
//! - [`log`]: publishing to a channel
//! - [`place`]: the place of a subscription
//! - [`removal`]: subscriptions that are gone
//! - [`table`]: events that a server gave out, and what they are known by when they come again
//! - [`tls`]: for servers that are spoken to over TLS
//! - [`thread`]: where the connections of a server live

pub(super) mod attributes;
pub(super) mod line;
mod log;
mod place;
mod removal;
mod table;
#[cfg(test)]
mod tests;
pub(super) mod thread;
pub(super) mod tls;

pub(super) use place::{Arrival, Place};

use super::{Archive, Log, Store, StoreError};
use crate::wasm::bindings::sluicegate::filter::types::Event;
use futures_util::future::{BoxFuture, FutureExt};
use log::{RemoteLog, Shared};
use std::collections::HashMap;
use std::fmt::Debug;
use std::future::Future;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;
use thread::Thread;

/// For a server to be reached, before an event is refused.
pub(super) const PATIENCE: Duration = Duration::from_secs(1);
/// For a server's answer to anything.
pub(super) const ANSWER: Duration = Duration::from_secs(3);
/// For a connection to be made.
pub(super) const CONNECT: Duration = Duration::from_secs(2);
/// Events that wait for the server's acknowledgement, of one channel: the window of publishing.
pub(super) const WINDOW: usize = 4_096;
/// Events of a subscription that were fetched and not given out, at most: enough for the next deliveries not to wait for the
/// server.
pub(super) const AHEAD: usize = 128;
/// For subscriptions that are gone to be forgotten by the server as the process ends: for it to be reached, and to answer.
const REMOVALS: Duration = Duration::from_secs(PATIENCE.as_secs() + ANSWER.as_secs());
/// For the last acknowledgements to leave as the process ends.
const FLUSH: Duration = Duration::from_secs(2);

/// A kind of server that keeps events. All of its futures are bounded by who awaits them, but for [`serve`](Self::serve).
pub(super) trait Server: Debug + Send + Sync + Sized + 'static {
    /// What an event is known by when it is given out again.
    type Mark: Clone + Eq + Hash + Debug + Send + Sync;
    /// What it takes to tell the server what became of it.
    type Tag: Clone + Send + Sync;
    /// As messages call it: `NATS server`.
    const NAME: &'static str;
    /// Whether only the connection that an event came by can tell the server what became of it: then what
    /// [`serve`](Self::serve) has lives on until nothing is in flight, and its end gives back the rest.
    const TIED: bool = false;

    /// Where its connections live.
    fn thread(&self) -> &Thread;

    /// Whether events can be sent to it now, after waiting for that for at most [`PATIENCE`].
    fn is_reached(&self) -> impl Future<Output = bool> + Send;

    /// Puts events into a channel (`NAMESPACE/NAME`); resolves once the server has acknowledged all of them.
    fn publish(&self, channel: &str, events: Vec<Arc<Event>>) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Makes the subscription known to the server, says so ([`Place::is_known`]), and puts what comes into its place. Ends
    /// when something is wrong; an error says that it was wrong from the beginning.
    fn serve(&self, place: &Arc<Place<Self>>) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Tells the server what became of an event. Where that fails the event has to come again.
    fn settle(
        &self,
        place: &Arc<Place<Self>>,
        tag: Self::Tag,
        end: End,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// The subscription is gone, and so is what the server keeps for it. Nothing is wrong where it kept nothing.
    fn remove(&self, channel: &str, subscription: &str) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Removes the subscriptions of a channel that a former process left, other than these. Says which ones.
    fn keep_only(&self, channel: &str, kept: &[String])
    -> impl Future<Output = Result<Vec<String>, StoreError>> + Send;

    /// What the server keeps of a channel to be read back; none where it keeps events until they are delivered.
    fn archive(self: &Arc<Self>, _channel: &str) -> Option<Arc<dyn Archive>> {
        None
    }

    /// Sends what has to be sent as the process ends.
    fn flush(&self) -> impl Future<Output = Result<(), StoreError>> + Send;
}

/// What became of an event that was given out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// The subscription is done with it.
    Done,
    /// It is the next process's, at once.
    Released,
}

/// Channels on a server.
#[derive(Debug)]
pub(super) struct RemoteStore<S: Server> {
    server: Arc<S>,
    /// Channels that are there, or whose subscriptions are being removed.
    channels: Mutex<HashMap<String, Weak<Shared<S>>>>,
}

impl<S: Server> RemoteStore<S> {
    pub(super) fn new(server: Arc<S>) -> Self {
        Self { server, channels: Mutex::default() }
    }

    fn shared(&self, channel: &str) -> Arc<Shared<S>> {
        let mut channels = self.channels.lock().unwrap_or_else(PoisonError::into_inner);
        channels.retain(|_, shared| shared.strong_count() > 0);
        if let Some(shared) = channels.get(channel).and_then(Weak::upgrade) {
            return shared;
        }
        let shared = Arc::new(Shared::new(channel, Arc::clone(&self.server)));
        channels.insert(channel.to_owned(), Arc::downgrade(&shared));
        shared
    }
}

impl<S: Server> Store for RemoteStore<S> {
    fn open(&self, channel: &str) -> Result<Arc<dyn Log>, StoreError> {
        Ok(Arc::new(RemoteLog::new(self.shared(channel))))
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        async {
            let thread = self.server.thread();
            if tokio::time::timeout(REMOVALS, thread.forgotten()).await.is_err() {
                tracing::warn!("the {} may still keep subscriptions that are gone", S::NAME);
            }
            let server = Arc::clone(&self.server);
            let last = async move {
                server.thread().told().await;
                server.flush().await
            };
            let flushed = thread.runtime.spawn(tokio::time::timeout(FLUSH, last));
            // A client that blocks the thread as it ends is not waited for either.
            if !matches!(tokio::time::timeout(FLUSH * 2, flushed).await, Ok(Ok(Ok(Ok(()))))) {
                tracing::warn!("the last acknowledgements may not have reached the {}", S::NAME);
            }
            thread.end.cancel();
        }
        .boxed()
    }
}

impl<S: Server> Drop for RemoteStore<S> {
    fn drop(&mut self) {
        self.server.thread().end.cancel();
    }
}

/// What a server says when it cannot do something now.
pub(super) fn unavailable(error: &dyn std::error::Error) -> StoreError {
    StoreError::Unavailable(error.to_string())
}

/// A name of letters, digits, `-` and `_`, as every server takes it: what is none of the first three is `_` and two digits.
pub(super) fn name(text: &str) -> String {
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
