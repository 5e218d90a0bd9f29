//! The store against the Kafka-protocol server of its client: librdkafka's mock cluster.

use super::Kafka;
use crate::config::KafkaSettings;
use crate::event::store::remote::RemoteStore;
use crate::event::store::{Cursor, Log, Store, StoreError};
use crate::event::tests::harness::event;
use crate::wasm::bindings::sluicegate::filter::types::{Attribute, Event};
use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;
use std::sync::Arc;
use std::time::{Duration, Instant};

const LONG: Duration = Duration::from_secs(60);
const CHANNEL: &str = "shop/orders";

struct Cluster(MockCluster<'static, DefaultProducerContext>);

impl Cluster {
    fn start() -> Self {
        let cluster = MockCluster::new(1).unwrap();
        cluster.create_topic(&super::topic_name(CHANNEL), 4, 1).unwrap();
        Self(cluster)
    }

    /// A process with its store, the channel and one subscription.
    fn process(&self) -> (RemoteStore<Kafka>, Arc<dyn Log>, Arc<dyn Cursor>) {
        let servers = vec![self.0.bootstrap_servers()];
        let settings = KafkaSettings { servers, replicas: 1, partitions: 4, age: None };
        let store = Kafka::start(&settings).unwrap();
        let log = store.open(CHANNEL).unwrap();
        let cursor = log.subscribe("shop/stock").unwrap();
        (store, log, cursor)
    }
}

fn keyed(id: usize, key: &str) -> Event {
    let key = Attribute { name: "partitionkey".into(), value: key.into() };
    Event { extensions: vec![key], ..event(&id.to_string()) }
}

async fn publish(log: &Arc<dyn Log>, event: Event) -> Result<(), StoreError> {
    log.reserve(vec![Arc::new(event)]).unwrap().commit().await
}

/// Publishes until it works: the first events wait for the group.
async fn taken(log: &Arc<dyn Log>, event: Event) {
    let begin = Instant::now();
    while let Err(error) = publish(log, event.clone()).await {
        assert!(begin.elapsed() < LONG, "{error}");
    }
}

async fn next(cursor: &Arc<dyn Cursor>) -> (Event, u64) {
    let taken = tokio::time::timeout(LONG, cursor.next()).await.expect("an event comes").unwrap();
    (Event::clone(&taken.event), taken.position)
}

#[tokio::test]
async fn an_event_arrives_with_all_that_it_says() {
    let cluster = Cluster::start();
    let (_store, log, cursor) = cluster.process();
    let sent = Event { subject: Some("Euro € 😀".into()), ..keyed(1, "a key") };
    taken(&log, sent.clone()).await;
    let (event, position) = next(&cursor).await;
    assert_eq!(event, sent);
    assert_eq!(cursor.figures().in_flight, 1);
    cursor.ack(position);
    assert!(cursor.is_idle());
}

#[tokio::test]
async fn the_next_process_has_what_the_former_did_not_finish_in_the_order_of_its_key() {
    let cluster = Cluster::start();
    let (store, log, cursor) = cluster.process();
    for id in 0..10 {
        taken(&log, keyed(id, "key")).await;
    }
    let mut positions = Vec::new();
    for id in 0..5 {
        let (event, position) = next(&cursor).await;
        assert_eq!(event.id, id.to_string());
        positions.push(position);
    }
    // The third is not finished, so that the fourth comes again too.
    for finished in [0, 1, 3] {
        cursor.ack(positions[finished]);
    }
    cursor.stop();
    for position in [positions[2], positions[4]] {
        cursor.give_back(position, Duration::ZERO);
    }
    store.close().await;
    let (_store, log, cursor) = cluster.process();
    taken(&log, keyed(10, "key")).await;
    for id in 2..=10 {
        let (event, position) = next(&cursor).await;
        assert_eq!(event.id, id.to_string());
        cursor.ack(position);
    }
}

#[tokio::test]
async fn without_a_broker_events_are_refused_in_time_and_with_it_they_go_on() {
    let cluster = Cluster::start();
    let (_store, log, cursor) = cluster.process();
    taken(&log, keyed(0, "key")).await;
    cluster.0.broker_down(1).unwrap();
    let begin = Instant::now();
    let refused = publish(&log, keyed(1, "key")).await;
    assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{refused:?}");
    assert!(begin.elapsed() < Duration::from_secs(8), "{:?}", begin.elapsed());
    cluster.0.broker_up(1).unwrap();
    taken(&log, keyed(2, "key")).await;
    let mut seen = Vec::new();
    while seen.last().is_none_or(|id| id != "2") {
        let (event, position) = next(&cursor).await;
        cursor.ack(position);
        seen.push(event.id);
    }
    assert_eq!(seen.first().map(String::as_str), Some("0"));
}
