//! Publishing to the stream of a channel.

use super::binding;
use super::cursor::NatsCursor;
use super::{ANSWER, Server, WINDOW, name};
use crate::event::store::{Cursor, Log, Reserved, StoreError};
use crate::wasm::bindings::sluicegate::filter::types::Event;
use async_nats::jetstream::context::{PublishError, PublishErrorKind};
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::stream::{Config, DiscardPolicy, RetentionPolicy, StorageType, Stream};
use futures_util::StreamExt;
use futures_util::future::{BoxFuture, FutureExt, try_join_all};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// In which the server drops a second event of the same source and id.
const DUPLICATES: Duration = Duration::from_mins(2);
/// For the server to be reached, before an event is refused.
const PATIENCE: Duration = Duration::from_secs(1);

/// The stream of one channel.
#[derive(Debug)]
pub(super) struct NatsLog {
    shared: Arc<Shared>,
    window: Arc<Semaphore>,
}

/// What publishers and subscriptions share.
#[derive(Debug)]
pub(super) struct Shared {
    /// `NAMESPACE/NAME`.
    pub(super) channel: String,
    pub(super) server: Arc<Server>,
    /// The name of the stream.
    pub(super) stream: String,
    subject: String,
    cursors: Mutex<HashMap<String, Arc<NatsCursor>>>,
}

impl NatsLog {
    pub(super) fn new(channel: &str, server: Arc<Server>) -> Self {
        let own = name(channel);
        let (stream, subject) = (format!("sluicegate_{own}"), format!("sluicegate.events.{own}"));
        let (channel, cursors) = (channel.to_owned(), Mutex::default());
        let shared = Arc::new(Shared { channel, server, stream, subject, cursors });
        Self { shared, window: Arc::new(Semaphore::new(WINDOW)) }
    }
}

impl Shared {
    /// The stream as it has to be.
    pub(super) async fn stream(&self) -> Result<Stream, StoreError> {
        let settings = &self.server.settings;
        let config = Config {
            name: self.stream.clone(),
            subjects: vec![self.subject.clone()],
            max_bytes: i64::try_from(settings.bytes).unwrap_or(i64::MAX),
            max_age: settings.age.unwrap_or_default(),
            num_replicas: settings.replicas,
            retention: RetentionPolicy::Interest,
            discard: DiscardPolicy::New,
            storage: StorageType::File,
            duplicate_window: settings.age.map_or(DUPLICATES, |age| age.min(DUPLICATES)),
            ..Config::default()
        };
        let made = self.server.context.create_or_update_stream(config).await;
        made.map_err(|error| unavailable(&error))?;
        self.server.context.get_stream(&self.stream).await.map_err(|error| unavailable(&error))
    }

    pub(super) fn forget(&self, subscription: &str) {
        self.cursors.lock().unwrap_or_else(PoisonError::into_inner).remove(subscription);
    }

    async fn publish(&self, events: Vec<Arc<Event>>) -> Result<(), StoreError> {
        let cursors: Vec<Arc<NatsCursor>> =
            self.cursors.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect();
        if cursors.is_empty() {
            return Ok(());
        }
        if !self.server.is_reached(PATIENCE).await {
            return Err(StoreError::Unavailable("the NATS server cannot be reached".to_owned()));
        }
        // An event that comes before a consumer is none of its.
        for cursor in &cursors {
            cursor.exists().await;
        }
        let mut acknowledgements = Vec::with_capacity(events.len());
        for event in events {
            let message = PublishMessage::build()
                .headers(binding::headers(&event))
                .message_id(binding::message_id(&event))
                .payload(event.data.clone().unwrap_or_default().into());
            let sent = self.server.context.send_publish(self.subject.clone(), message).await;
            acknowledgements.push(sent.map_err(|error| refused(&error))?.into_future());
        }
        try_join_all(acknowledgements).await.map(drop).map_err(|error| refused(&error))
    }
}

impl Log for NatsLog {
    fn reserve(&self, events: Vec<Arc<Event>>) -> Result<Box<dyn Reserved>, StoreError> {
        let count = u32::try_from(events.len()).unwrap_or(u32::MAX);
        let full = |_| StoreError::Full(format!("{WINDOW} events wait for the NATS server"));
        let places = Arc::clone(&self.window).try_acquire_many_owned(count).map_err(full)?;
        Ok(Box::new(NatsRoom { shared: Arc::clone(&self.shared), events, _places: places }))
    }

    fn subscribe(&self, subscription: &str) -> Result<Arc<dyn Cursor>, StoreError> {
        let cursor = NatsCursor::start(&self.shared, subscription);
        let mut cursors = self.shared.cursors.lock().unwrap_or_else(PoisonError::into_inner);
        cursors.insert(subscription.to_owned(), Arc::clone(&cursor));
        Ok(cursor)
    }

    fn keep_only(&self, subscriptions: &[&str]) {
        let kept: Vec<String> = subscriptions.iter().map(|subscription| name(subscription)).collect();
        let shared = Arc::clone(&self.shared);
        self.shared.server.runtime.spawn(async move {
            let Ok(stream) = shared.stream().await else { return };
            let mut names = stream.consumer_names();
            while let Some(Ok(consumer)) = names.next().await {
                if !kept.contains(&consumer) {
                    let channel = &shared.channel;
                    tracing::warn!(channel, consumer, "the subscription is gone, and so are its stored events");
                    if let Err(error) = stream.delete_consumer(&consumer).await {
                        tracing::warn!(channel, consumer, %error, "the consumer of a subscription is not removed");
                    }
                }
            }
        });
    }

    fn is_durable(&self) -> bool {
        true
    }
}

/// Places in the window of publishing.
struct NatsRoom {
    shared: Arc<Shared>,
    events: Vec<Arc<Event>>,
    _places: OwnedSemaphorePermit,
}

impl Reserved for NatsRoom {
    fn commit(mut self: Box<Self>) -> BoxFuture<'static, Result<(), StoreError>> {
        async move {
            let events = std::mem::take(&mut self.events);
            let published = tokio::time::timeout(PATIENCE + ANSWER, self.shared.publish(events)).await;
            published.unwrap_or_else(|_| Err(StoreError::Unavailable("the NATS server does not answer".to_owned())))
        }
        .boxed()
    }
}

fn refused(error: &PublishError) -> StoreError {
    let cause = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
    match error.kind() {
        PublishErrorKind::MaxPayloadExceeded => {
            StoreError::TooLarge("the NATS server takes no event so large".to_owned())
        }
        PublishErrorKind::MaxAckPending => StoreError::Full(error.to_string()),
        // JetStream: "maximum bytes exceeded", "maximum messages exceeded".
        _ if cause.contains("maximum") => StoreError::Full(format!("its stream is full: {cause}")),
        _ if cause.contains("insufficient") => StoreError::NoSpace(cause),
        _ => unavailable(error),
    }
}

pub(super) fn unavailable(error: &dyn std::error::Error) -> StoreError {
    StoreError::Unavailable(error.to_string())
}
