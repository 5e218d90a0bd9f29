//! Topics and groups: made where they are missing, and removed. The client's calls block, so that they have threads of their
//! own.

use super::consume::Consumer;
use super::{Kafka, client, group, milliseconds, topic_name};
use crate::event::store::StoreError;
use crate::event::store::remote::{ANSWER, unavailable};
use rdkafka::TopicPartitionList;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::metadata::MetadataPartition;
use rdkafka::topic_partition_list::Offset;
use std::sync::Arc;

/// Does something that blocks.
pub(super) async fn blocking<T: Send + 'static>(
    task: impl FnOnce() -> KafkaResult<T> + Send + 'static,
) -> Result<T, StoreError> {
    let done = tokio::task::spawn_blocking(task).await.map_err(|error| unavailable(&error))?;
    done.map_err(|error| unavailable(&error))
}

fn admin(kafka: &Kafka) -> Result<AdminClient<DefaultClientContext>, StoreError> {
    client(&kafka.settings).create().map_err(|error: KafkaError| unavailable(&error))
}

fn options() -> AdminOptions {
    AdminOptions::new().operation_timeout(Some(ANSWER)).request_timeout(Some(ANSWER))
}

/// The partitions of a channel's topic, which is made where it is missing.
pub(super) async fn ensure(kafka: &Kafka, consumer: &Arc<Consumer>, channel: &str) -> Result<Vec<i32>, StoreError> {
    let topic = topic_name(channel);
    let known = partitions(consumer, &topic).await?;
    if !known.is_empty() {
        return Ok(known);
    }
    let number = |value: usize| i32::try_from(value).unwrap_or(i32::MAX);
    let (partitions_wanted, replicas) = (number(kafka.settings.partitions), number(kafka.settings.replicas));
    let retention = kafka.settings.age.map_or_else(|| "-1".to_owned(), milliseconds);
    let new = NewTopic::new(&topic, partitions_wanted, TopicReplication::Fixed(replicas));
    let new = new.set("retention.ms", &retention).set("retention.bytes", "-1");
    let made = admin(kafka)?.create_topics([&new], &options()).await;
    for made in made.map_err(|error| unavailable(&error))? {
        // Another proxy may have been faster.
        if let Err((name, code)) = made
            && code != RDKafkaErrorCode::TopicAlreadyExists
        {
            return Err(StoreError::Unavailable(format!("topic {name} cannot be made: {code}")));
        }
    }
    let known = partitions(consumer, &topic).await?;
    if known.is_empty() { Err(StoreError::Unavailable(format!("topic {topic} is not there yet"))) } else { Ok(known) }
}

async fn partitions(consumer: &Arc<Consumer>, topic: &str) -> Result<Vec<i32>, StoreError> {
    let (consumer, topic) = (Arc::clone(consumer), topic.to_owned());
    blocking(move || {
        let metadata = consumer.fetch_metadata(Some(&topic), ANSWER)?;
        let found = metadata.topics().iter().find(|found| found.name() == topic && found.error().is_none());
        Ok(found.map(|found| found.partitions().iter().map(MetadataPartition::id).collect()).unwrap_or_default())
    })
    .await
}

/// Has a group that is new begin at the end of each partition, whatever comes before its first consumer.
pub(super) async fn begin_at_end(consumer: &Arc<Consumer>, topic: &str, partitions: &[i32]) -> Result<(), StoreError> {
    let (consumer, topic, partitions) = (Arc::clone(consumer), topic.to_owned(), partitions.to_vec());
    blocking(move || {
        let mut asked = TopicPartitionList::new();
        for partition in &partitions {
            asked.add_partition(&topic, *partition);
        }
        let committed = consumer.committed_offsets(asked, ANSWER)?;
        let mut missing = TopicPartitionList::new();
        for one in committed.elements().iter().filter(|one| one.offset() == Offset::Invalid) {
            let (_, end) = consumer.fetch_watermarks(&topic, one.partition(), ANSWER)?;
            missing.add_partition_offset(&topic, one.partition(), Offset::Offset(end))?;
        }
        if missing.count() == 0 { Ok(()) } else { consumer.commit(&missing, CommitMode::Sync) }
    })
    .await
}

/// How many events a group has not been given yet.
pub(super) async fn behind(consumer: &Arc<Consumer>, topic: &str) -> Result<u64, StoreError> {
    let (consumer, topic) = (Arc::clone(consumer), topic.to_owned());
    blocking(move || {
        let mut behind = 0;
        for one in consumer.position()?.elements() {
            if let Offset::Offset(position) = one.offset() {
                let (_, end) = consumer.fetch_watermarks(&topic, one.partition(), ANSWER)?;
                behind += u64::try_from(end.saturating_sub(position)).unwrap_or_default();
            }
        }
        Ok(behind)
    })
    .await
}

pub(super) async fn remove_group(kafka: &Kafka, group: &str) -> Result<(), StoreError> {
    let removed = admin(kafka)?.delete_groups(&[group], &options()).await.map_err(|error| unavailable(&error))?;
    for removed in removed {
        if let Err((name, code)) = removed
            && code != RDKafkaErrorCode::GroupIdNotFound
        {
            return Err(StoreError::Unavailable(format!("group {name} is not removed: {code}")));
        }
    }
    Ok(())
}

/// Removes the groups of a channel other than those of these subscriptions.
pub(super) async fn keep_groups(kafka: &Kafka, channel: &str, kept: &[String]) -> Result<Vec<String>, StoreError> {
    let kept: Vec<String> = kept.iter().map(|subscription| group(channel, subscription)).collect();
    let asked: BaseConsumer = client(&kafka.settings).create().map_err(|error: KafkaError| unavailable(&error))?;
    let groups = blocking(move || {
        let groups = asked.fetch_group_list(None, ANSWER)?;
        Ok(groups.groups().iter().map(|group| group.name().to_owned()).collect::<Vec<_>>())
    });
    let (prefix, mut removed) = (format!("{}.", topic_name(channel)), Vec::new());
    for group in groups.await?.into_iter().filter(|group| group.starts_with(&prefix) && !kept.contains(group)) {
        remove_group(kafka, &group).await?;
        removed.push(group);
    }
    Ok(removed)
}
