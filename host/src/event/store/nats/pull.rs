//! Pulls the events of one subscription: a durable consumer.

use super::{Nats, binding, publish, upkeep};
use crate::event::store::StoreError;
use crate::event::store::remote::{Arrival, Place, name, unavailable};
use async_nats::jetstream::AckKind;
use async_nats::jetstream::consumer::pull::Config;
use async_nats::jetstream::consumer::{AckPolicy, Consumer, DeliverPolicy};
use async_nats::jetstream::message::Message;
use futures_util::StreamExt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// After how long the server gives out again what a proxy has neither acknowledged nor asked to wait for.
const ACK_WAIT: Duration = Duration::from_secs(6);
/// How often the server is told that deliveries are under way, well within [`ACK_WAIT`].
const PROGRESS: Duration = Duration::from_secs(2);
/// Given out and not acknowledged, at most: more than any subscription may have in flight, and ahead.
const OUTSTANDING: i64 = 2_048;
/// How long the server keeps a request for events.
const EXPIRES: Duration = Duration::from_secs(5);
/// What the server may take to notice that it has waited for [`ACK_WAIT`].
const NOTICE: Duration = Duration::from_millis(500);

/// Pulls until something is wrong; an error says that it was wrong from the beginning.
pub(super) async fn serve(nats: &Nats, place: &Arc<Place<Nats>>) -> Result<(), StoreError> {
    let mut lost = nats.lost.clone();
    lost.mark_unchanged();
    let stream = publish::stream(nats, place.channel()).await?;
    let made = stream.cached_info().created.unix_timestamp_nanos();
    let consumer_name = name(&place.subscription);
    let config = Config {
        durable_name: Some(consumer_name.clone()),
        deliver_policy: DeliverPolicy::New,
        ack_policy: AckPolicy::Explicit,
        ack_wait: ACK_WAIT,
        max_ack_pending: OUTSTANDING,
        ..Config::default()
    };
    let made_or_found = stream.get_or_create_consumer(&consumer_name, config).await;
    let mut consumer = made_or_found.map_err(|error| unavailable(&error))?;
    place.is_known(true);
    let info = consumer.info().await.map_err(|error| unavailable(&error))?;
    place.set_pending(info.num_pending);
    if info.num_ack_pending > 0 {
        // A former process has these, or a connection that broke. They are to come before anything newer.
        let alone = info.num_waiting == 0;
        if !(alone && set_back(nats, place).await) && consumer.cached_info().num_ack_pending > place.tags().len() {
            tokio::time::sleep(ACK_WAIT + NOTICE).await;
        }
    }
    tokio::select! {
        never = batches(place, &consumer, made) => never,
        () = hold(place) => Ok(()),
        () = upkeep::keep_up(nats, place.channel()) => Ok(()),
        _ = lost.changed() => Ok(()),
    }
}

/// Has the server give out again, at once and in their order, all events that are not acknowledged; false where it is too
/// old for that.
async fn set_back(nats: &Nats, place: &Place<Nats>) -> bool {
    let (stream, consumer) = (publish::stream_name(place.channel()), name(&place.subscription));
    let subject = format!("$JS.API.CONSUMER.RESET.{stream}.{consumer}");
    let Ok(answer) = nats.shared.client.request(subject, bytes::Bytes::new()).await else { return false };
    let answer: Option<serde_json::Value> = serde_json::from_slice(&answer.payload).ok();
    answer.is_some_and(|answer| answer.get("error").is_none())
}

/// Asks for as many events as there is room for, again and again, so that every event that arrives is taken at once.
async fn batches(place: &Arc<Place<Nats>>, consumer: &Consumer<Config>, made: i128) -> Result<(), StoreError> {
    loop {
        let room = place.room().await;
        let batch = consumer.batch().max_messages(room).expires(EXPIRES).messages().await;
        let mut batch = batch.map_err(|error| unavailable(&error))?;
        while let Some(message) = batch.next().await {
            let message = message.map_err(|error| StoreError::Unavailable(error.to_string()))?;
            take(place, message, made).await;
        }
    }
}

async fn take(place: &Arc<Place<Nats>>, message: Message, made: i128) {
    let info = message
        .info()
        .map(|info| (info.stream_sequence, SystemTime::from(info.published), info.delivered > 1, info.pending));
    let Ok((position, since, again, pending)) = info else { return };
    let (message, acker) = message.split();
    let event = message.headers.as_ref().and_then(|headers| binding::event(headers, &message.payload));
    let tag = Arc::new(acker);
    if let Some(event) = event {
        place.set_pending(pending);
        place.put(Arrival { mark: Some((made, position)), tag, event, since, again });
        return;
    }
    let channel = place.channel();
    tracing::warn!(channel, position, "a message of the stream is no event, and is passed over");
    // It comes again when this fails, and is passed over again.
    let _ = tag.ack_with(AckKind::Term).await;
}

/// Keeps the server from giving out again what is here: the last of it first, so that of what it is not asked for in time,
/// what comes again first was there first.
async fn hold(place: &Place<Nats>) {
    loop {
        tokio::time::sleep(PROGRESS).await;
        for tag in place.tags().into_iter().rev() {
            // Where this fails the event comes again, and is known by its position.
            let _ = tag.ack_with(AckKind::Progress).await;
        }
    }
}
