//! Takes the events of one subscription: a consumer of its group.

use super::ledger::Ledger;
use super::{HEARTBEAT, Kafka, SESSION, binding, client, group, milliseconds, topic, topic_name};
use crate::event::store::StoreError;
use crate::event::store::remote::{Arrival, End, Place, unavailable};
use rdkafka::Message;
use rdkafka::consumer::{Consumer as _, StreamConsumer};
use rdkafka::error::KafkaError;
use rdkafka::message::BorrowedMessage;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// How often positions are committed.
const COMMIT: Duration = Duration::from_millis(100);
/// How often the brokers are asked how many more there are.
const LOOK: Duration = Duration::from_secs(2);
/// A subscription may take nothing for so long, which is the most that the client takes. Whether the process is alive is
/// told apart from that.
const PATIENT: Duration = Duration::from_hours(24);

/// The client's.
pub(super) type Consumer = StreamConsumer;

fn start(kafka: &Kafka, place: &Place<Kafka>) -> Result<Arc<Consumer>, StoreError> {
    let mut config = client(&kafka.settings);
    config
        .set("group.id", group(place.channel(), &place.subscription))
        .set("enable.auto.commit", "true")
        .set("auto.commit.interval.ms", milliseconds(COMMIT))
        // What is committed is what the ledger says.
        .set("enable.auto.offset.store", "false")
        // Of partitions that are added, and where the brokers have forgotten a position.
        .set("auto.offset.reset", "earliest")
        .set("session.timeout.ms", milliseconds(SESSION))
        .set("heartbeat.interval.ms", milliseconds(HEARTBEAT))
        .set("max.poll.interval.ms", milliseconds(PATIENT))
        .set("queued.max.messages.kbytes", "16384")
        .set("allow.auto.create.topics", "false");
    config.create().map(Arc::new).map_err(|error: KafkaError| unavailable(&error))
}

/// Takes until something is wrong; an error says that it was wrong from the beginning.
pub(super) async fn serve(kafka: &Kafka, place: &Arc<Place<Kafka>>) -> Result<(), StoreError> {
    let (consumer, name) = (start(kafka, place)?, topic_name(place.channel()));
    let partitions = topic::ensure(kafka, &consumer, place.channel()).await?;
    topic::begin_at_end(&consumer, &name, &partitions).await?;
    place.is_known(true);
    consumer.subscribe(&[&name]).map_err(|error| unavailable(&error))?;
    let ledger = Ledger::new(Arc::clone(&consumer), name.clone());
    tokio::select! {
        () = take_all(place, &ledger) => Ok(()),
        () = count(place, &consumer, &name) => Ok(()),
    }
}

/// Errors of the client are of the moment: it goes on by itself.
async fn take_all(place: &Arc<Place<Kafka>>, ledger: &Arc<Ledger>) {
    loop {
        place.room().await;
        match ledger.consumer.recv().await {
            Ok(message) => take(place, ledger, &message),
            Err(error) => {
                let (channel, subscription) = (place.channel(), &place.subscription);
                tracing::warn!(channel, subscription, %error, "Kafka");
            }
        }
    }
}

fn take(place: &Arc<Place<Kafka>>, ledger: &Arc<Ledger>, message: &BorrowedMessage<'_>) {
    let (partition, offset) = (message.partition(), message.offset());
    let tag = ledger.give(partition, offset);
    let event = message.headers().and_then(|headers| binding::event(headers, message.payload().unwrap_or_default()));
    let Some(event) = event else {
        let channel = place.channel();
        tracing::warn!(channel, partition, offset, "a message of the topic is no event, and is passed over");
        return place.settle(tag, End::Done);
    };
    let milliseconds = message.timestamp().to_millis().unwrap_or_default();
    let since = SystemTime::UNIX_EPOCH + Duration::from_millis(u64::try_from(milliseconds).unwrap_or_default());
    // The protocol does not say whether it was given out before.
    place.put(Arrival { mark: Some((partition, offset, milliseconds)), tag, event, since, again: false });
}

/// Asks how many events wait at the brokers, again and again; never ends.
async fn count(place: &Place<Kafka>, consumer: &Arc<Consumer>, topic: &str) {
    loop {
        tokio::time::sleep(LOOK).await;
        if let Ok(behind) = topic::behind(consumer, topic).await {
            place.set_pending(behind);
        }
    }
}
