//! Events in topics of Kafka brokers. Part of builds with the feature `kafka`, which brings a client in C.
//!
//! Guarantees: an event that was taken is on all replicas that are in sync (`acks=all`, idempotent producer), and is given to
//! every subscription at least once, by whichever proxy has its partition. It survives the end of the proxy, and of brokers as
//! far as the replicas reach. Topics keep events for `age`, or for ever, whoever has seen them; `size` does not count. There
//! is no window of duplicates: a sender that tries again after a refusal may be heard twice. Events of one key are in one
//! partition, and given out in the order in which it took them: the key is the extension `partitionkey`, else `subject`;
//! events with neither are anywhere, in no order. What a proxy that died had not finished is given out again before anything
//! newer of its partition, once the brokers have noticed ([`SESSION`]), and with it what was finished after the first such.
//!
//! A channel is a topic, which is made where it is missing, and a subscription a consumer group; positions are committed up to
//! the first event that is not finished. Events are messages in the binary mode of CloudEvents' Kafka binding. While no broker
//! can be reached, publishing is refused after a bounded wait and deliveries stop; both go on when one is back. An event that
//! was refused because no answer came may still be stored. There is no TLS to the brokers.
//!
//! Brokers forget the positions of a group that nobody uses, after a week unless told otherwise (`offsets.retention.minutes`):
//! then a subscription begins with everything that its topic has.
//!
//! - [`binding`]: events as messages
//! - [`consume`]: from the partitions of a topic
//! - [`ledger`]: how far a partition is done with
//! - [`topic`]: topics and groups

mod binding;
mod consume;
mod ledger;
#[cfg(test)]
mod tests;
mod topic;

use super::StoreError;
use super::remote::thread::Thread;
use super::remote::{ANSWER, End, Place, RemoteStore, Server, name, unavailable};
use crate::config::KafkaSettings;
use crate::wasm::bindings::sluicegate::filter::types::Event;
use rdkafka::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{FutureProducer, FutureRecord};
use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// After how long brokers give away the partitions of a proxy that says nothing; the least that they take by default.
const SESSION: Duration = Duration::from_secs(6);
/// How often a proxy says that it is alive.
const HEARTBEAT: Duration = Duration::from_millis(1_500);

/// The brokers of a cluster.
pub(super) struct Kafka {
    settings: KafkaSettings,
    producer: FutureProducer,
    thread: Thread,
}

impl fmt::Debug for Kafka {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Kafka").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl Kafka {
    /// Begins to connect; whether a broker is there turns out later.
    pub(super) fn start(settings: &KafkaSettings) -> io::Result<RemoteStore<Self>> {
        let mut config = client(settings);
        config
            .set("enable.idempotence", "true")
            .set("acks", "all")
            .set("linger.ms", "1")
            .set("message.timeout.ms", milliseconds(ANSWER));
        let begin = async move { config.create::<FutureProducer>().map_err(io::Error::other) };
        let (thread, producer) = Thread::start("kafka", begin)?;
        Ok(RemoteStore::new(Arc::new(Self { settings: settings.clone(), producer, thread })))
    }
}

/// What all clients have.
fn client(settings: &KafkaSettings) -> ClientConfig {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", settings.servers.join(","))
        .set("client.id", "sluicegate")
        .set("socket.timeout.ms", milliseconds(ANSWER))
        .set("reconnect.backoff.ms", "20")
        .set("reconnect.backoff.max.ms", "2000");
    config
}

fn milliseconds(duration: Duration) -> String {
    duration.as_millis().to_string()
}

/// The topic of a channel.
fn topic_name(channel: &str) -> String {
    format!("sluicegate.{}", name(channel))
}

/// The group of a subscription.
fn group(channel: &str, subscription: &str) -> String {
    format!("{}.{}", topic_name(channel), name(subscription))
}

fn refused(error: &KafkaError) -> StoreError {
    match error.rdkafka_error_code() {
        Some(RDKafkaErrorCode::MessageSizeTooLarge | RDKafkaErrorCode::InvalidMessageSize) => {
            StoreError::TooLarge("the Kafka brokers take no event so large".to_owned())
        }
        Some(RDKafkaErrorCode::QueueFull) => StoreError::Full("too many events wait for the Kafka brokers".to_owned()),
        _ => unavailable(error),
    }
}

impl Server for Kafka {
    /// The partition, the offset in it, and when it came, since a topic that is made anew begins at 0.
    type Mark = (i32, i64, i64);
    type Tag = ledger::Tag;
    const NAME: &'static str = "Kafka brokers";
    const TIED: bool = true;

    fn thread(&self) -> &Thread {
        &self.thread
    }

    /// The client does not say: it tries for as long as an event may take.
    async fn is_reached(&self) -> bool {
        true
    }

    async fn publish(&self, channel: &str, events: Vec<Arc<Event>>) -> Result<(), StoreError> {
        let (topic, mut deliveries) = (topic_name(channel), Vec::with_capacity(events.len()));
        for event in &events {
            let mut record = FutureRecord::<str, [u8]>::to(&topic).headers(binding::headers(event));
            record.key = binding::key(event);
            record.payload = event.data.as_deref();
            deliveries.push(self.producer.send_result(record).map_err(|(error, _)| refused(&error))?);
        }
        for delivery in deliveries {
            let delivered = delivery.await.map_err(|error| unavailable(&error))?;
            delivered.map_err(|(error, _)| refused(&error))?;
        }
        Ok(())
    }

    async fn serve(&self, place: &Arc<Place<Self>>) -> Result<(), StoreError> {
        consume::serve(self, place).await
    }

    async fn settle(&self, _: &Arc<Place<Self>>, tag: ledger::Tag, end: End) -> Result<(), StoreError> {
        if end == End::Done {
            tag.finish();
        }
        Ok(())
    }

    async fn remove(&self, channel: &str, subscription: &str) -> Result<(), StoreError> {
        topic::remove_group(self, &group(channel, subscription)).await
    }

    async fn keep_only(&self, channel: &str, kept: &[String]) -> Result<Vec<String>, StoreError> {
        topic::keep_groups(self, channel, kept).await
    }

    /// Positions are committed as consumers end.
    async fn flush(&self) -> Result<(), StoreError> {
        Ok(())
    }
}
