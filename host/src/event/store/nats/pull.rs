//! Pulls the events of one subscription for as long as it is there, through whatever happens to the server.

use super::cursor::{Message, NatsCursor, PROGRESS};
use super::log::unavailable;
use super::{ACK_WAIT, binding};
use crate::event::store::StoreError;
use async_nats::jetstream::AckKind;
use async_nats::jetstream::consumer::pull::Config;
use async_nats::jetstream::consumer::{AckPolicy, Consumer, DeliverPolicy};
use async_nats::jetstream::message::Message as Pulled;
use futures_util::StreamExt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// Given out and not acknowledged, at most: more than any subscription may have in flight, and ahead.
const OUTSTANDING: i64 = 2_048;
/// How long the server keeps a request for events.
const EXPIRES: Duration = Duration::from_secs(5);
/// What the server may take to notice that it has waited for [`ACK_WAIT`].
const NOTICE: Duration = Duration::from_millis(500);
/// Between two tries, after the first and at most.
const AGAIN: Duration = Duration::from_millis(100);
const AGAIN_LATER: Duration = Duration::from_secs(2);

/// Runs until the subscription is gone.
pub(super) async fn run(cursor: Arc<NatsCursor>) {
    let ended = cursor.ended.clone();
    tokio::select! {
        () = ended.cancelled() => {}
        () = pull(&cursor) => {}
        () = hold(&cursor) => {}
    }
}

async fn pull(cursor: &NatsCursor) {
    let mut again = AGAIN;
    loop {
        match serve(cursor).await {
            Ok(()) => again = AGAIN,
            Err(error) => {
                let channel = &cursor.shared.channel;
                tracing::warn!(channel, consumer = cursor.consumer, %error, "no events come from the NATS server");
                again = again.saturating_mul(2).min(AGAIN_LATER);
            }
        }
        tokio::time::sleep(again).await;
    }
}

/// Pulls until something is wrong; an error says that it was wrong from the beginning.
async fn serve(cursor: &NatsCursor) -> Result<(), StoreError> {
    let mut lost = cursor.shared.server.lost.clone();
    lost.mark_unchanged();
    cursor.set_exists(false);
    let mut consumer = consumer(cursor).await?;
    cursor.set_exists(true);
    let info = consumer.info().await.map_err(|error| unavailable(&error))?;
    cursor.set_pending(info.num_pending);
    if info.num_ack_pending > cursor.held().len() {
        // A former process has these, or a connection that broke. They come again once the server has lost its patience,
        // and are to come before anything newer.
        tokio::time::sleep(ACK_WAIT + NOTICE).await;
    }
    tokio::select! {
        never = batches(cursor, &consumer) => never,
        _ = lost.changed() => Ok(()),
    }
}

async fn consumer(cursor: &NatsCursor) -> Result<Consumer<Config>, StoreError> {
    let stream = cursor.shared.stream().await?;
    let config = Config {
        durable_name: Some(cursor.consumer.clone()),
        deliver_policy: DeliverPolicy::New,
        ack_policy: AckPolicy::Explicit,
        ack_wait: ACK_WAIT,
        max_ack_pending: OUTSTANDING,
        ..Config::default()
    };
    stream.get_or_create_consumer(&cursor.consumer, config).await.map_err(|error| unavailable(&error))
}

/// Asks for as many events as there is room for, again and again, so that every event that arrives is taken at once.
async fn batches(cursor: &NatsCursor, consumer: &Consumer<Config>) -> Result<(), StoreError> {
    loop {
        let room = cursor.room().await;
        let batch = consumer.batch().max_messages(room).expires(EXPIRES).messages().await;
        let mut batch = batch.map_err(|error| unavailable(&error))?;
        while let Some(message) = batch.next().await {
            let message = message.map_err(|error| StoreError::Unavailable(error.to_string()))?;
            take(cursor, message).await;
        }
    }
}

async fn take(cursor: &NatsCursor, message: Pulled) {
    let info = message
        .info()
        .map(|info| (info.stream_sequence, SystemTime::from(info.published), info.delivered > 1, info.pending));
    let Ok((position, published, redelivered, pending)) = info else { return };
    let (message, acker) = message.split();
    let event = message.headers.as_ref().and_then(|headers| binding::event(headers, &message.payload));
    let acker = Arc::new(acker);
    if let Some(event) = event {
        let event = Arc::new(event);
        cursor.put(Message { position, event, published, redelivered, acker }, pending);
        return;
    }
    let channel = &cursor.shared.channel;
    tracing::warn!(channel, position, "a message of the stream is no event, and is passed over");
    // It comes again when this fails, and is passed over again.
    let _ = acker.ack_with(AckKind::Term).await;
}

/// Keeps the server from giving out again what is here.
async fn hold(cursor: &NatsCursor) {
    loop {
        tokio::time::sleep(PROGRESS).await;
        for acker in cursor.held() {
            // Where this fails the event comes again, and is known by its position.
            let _ = acker.ack_with(AckKind::Progress).await;
        }
    }
}
