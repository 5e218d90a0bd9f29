//! Where events are kept, as the command line says it.

use super::names;
use clap::ValueHint;
use sluicegate::config::{EventFlags, StoreChoice};

/// Where events are kept.
#[derive(Debug, clap::Args)]
pub(crate) struct Events {
    /// Where channels keep their events that ask for no store in particular, memory by default
    #[arg(long, value_name = "STORE", value_parser = names::<StoreChoice>())]
    event_store: Option<String>,
    /// Directory of the events that are kept in files; made where there is none
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    event_directory: Option<String>,
    /// NATS server that events are kept on, such as nats://127.0.0.1:4222; may be given several times, for a cluster
    #[arg(long, value_name = "URL")]
    event_nats: Vec<String>,
    /// Redis server that events are kept on, such as redis://127.0.0.1:6379
    #[arg(long, value_name = "URL")]
    event_redis: Option<String>,
    /// RabbitMQ broker that events are kept on, such as amqp://127.0.0.1:5672
    #[arg(long, value_name = "URL")]
    event_amqp: Option<String>,
    /// MQTT 5 broker that events are kept on, such as mqtt://127.0.0.1:1883
    #[arg(long, value_name = "URL")]
    event_mqtt: Option<String>,
    /// Kafka broker that events are kept on, such as 127.0.0.1:9092; may be given several times; needs a build with Kafka
    #[arg(long, value_name = "ADDR:PORT")]
    event_kafka: Vec<String>,
}

impl Events {
    /// As the configuration takes them.
    pub(super) fn into_flags(self) -> EventFlags {
        EventFlags {
            store: self.event_store,
            directory: self.event_directory,
            nats: self.event_nats,
            redis: self.event_redis,
            amqp: self.event_amqp,
            mqtt: self.event_mqtt,
            kafka: self.event_kafka,
        }
    }
}
