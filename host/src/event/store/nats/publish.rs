//! Publishing to the stream of a channel.

use super::{Nats, binding, upkeep};
use crate::event::letters;
use crate::event::store::StoreError;
use crate::event::store::remote::{attributes, name, unavailable};
use crate::wasm::bindings::sluicegate::filter::types::Event;
use async_nats::jetstream::context::{PublishError, PublishErrorKind};
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::stream::{Config, DiscardPolicy, RetentionPolicy, StorageType, Stream};
use futures_util::future::try_join_all;
use std::sync::Arc;
use std::time::Duration;

/// In which the server drops a second event of the same source and id.
const DUPLICATES: Duration = Duration::from_mins(2);

/// The name of a channel's stream.
pub(super) fn stream_name(channel: &str) -> String {
    format!("sluicegate_{}", name(channel))
}

pub(super) fn subject(channel: &str) -> String {
    format!("sluicegate.events.{}", name(channel))
}

/// The stream of a channel as it has to be.
pub(super) async fn stream(nats: &Nats, channel: &str) -> Result<Stream, StoreError> {
    let settings = &nats.settings;
    let config = Config {
        name: stream_name(channel),
        subjects: vec![subject(channel)],
        max_bytes: i64::try_from(letters::bytes_of(channel, settings.bytes)).unwrap_or(i64::MAX),
        max_age: settings.age.unwrap_or_default(),
        num_replicas: settings.replicas,
        retention: match upkeep::history(nats, channel) {
            Some(_) => RetentionPolicy::Limits,
            None => RetentionPolicy::Interest,
        },
        discard: DiscardPolicy::New,
        storage: StorageType::File,
        duplicate_window: settings.age.map_or(DUPLICATES, |age| age.min(DUPLICATES)),
        ..Config::default()
    };
    let made = nats.shared.context.create_or_update_stream(config).await;
    made.map_err(|error| unavailable(&error))?;
    nats.shared.context.get_stream(stream_name(channel)).await.map_err(|error| unavailable(&error))
}

/// Puts events in. Where there is no room, what is only kept to be read back goes.
pub(super) async fn publish(nats: &Nats, channel: &str, events: &[Arc<Event>]) -> Result<(), StoreError> {
    match send(nats, channel, events).await {
        // The server knows those that it has by now.
        Err(StoreError::Full(_)) if upkeep::history(nats, channel).is_some() => {
            upkeep::make_room(nats, channel).await?;
            send(nats, channel, events).await
        }
        sent => sent,
    }
}

async fn send(nats: &Nats, channel: &str, events: &[Arc<Event>]) -> Result<(), StoreError> {
    let publisher = nats.publisher().await?;
    let (subject, mut acknowledgements) = (subject(channel), Vec::with_capacity(events.len()));
    for event in events {
        let message = PublishMessage::build()
            .headers(binding::headers(event))
            .message_id(attributes::identity(event))
            .payload(event.data.clone().unwrap_or_default().into());
        let sent = publisher.context.send_publish(subject.clone(), message).await;
        acknowledgements.push(sent.map_err(|error| refused(&error))?.into_future());
    }
    try_join_all(acknowledgements).await.map(drop).map_err(|error| refused(&error))
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
