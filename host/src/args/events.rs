//! Where events are kept, as the command line says it.

use super::names;
use clap::ValueHint;
use sluicegate::config::{EventFlags, StoreChoice};

/// Where events are kept.
#[derive(Debug, clap::Args)]
pub(crate) struct Events {
    /// Where channels keep their events that ask for no store in particular, memory by default
    #[arg(long = "event-store", value_name = "STORE", value_parser = names::<StoreChoice>())]
    store: Option<String>,
    /// Directory of the events that are kept in files; made where there is none
    #[arg(long = "event-directory", value_name = "DIR", value_hint = ValueHint::DirPath)]
    directory: Option<String>,
    /// NATS server that events are kept on, such as nats://127.0.0.1:4222, or tls:// with TLS; may be given several times, for a cluster
    #[arg(long = "event-nats", value_name = "URL")]
    nats: Vec<String>,
    /// Redis server that events are kept on, such as redis://127.0.0.1:6379, or rediss:// with TLS
    #[arg(long = "event-redis", value_name = "URL")]
    redis: Option<String>,
    /// RabbitMQ broker that events are kept on, such as amqp://127.0.0.1:5672, or amqps:// with TLS
    #[arg(long = "event-amqp", value_name = "URL")]
    amqp: Option<String>,
    /// MQTT 5 broker that events are kept on, such as mqtt://127.0.0.1:1883, or mqtts:// with TLS
    #[arg(long = "event-mqtt", value_name = "URL")]
    mqtt: Option<String>,
    /// Kafka broker that events are kept on, such as 127.0.0.1:9092; may be given several times; needs a build with Kafka
    #[arg(long = "event-kafka", value_name = "ADDR:PORT")]
    kafka: Vec<String>,
}

impl Events {
    /// As the configuration takes them.
    pub(super) fn into_flags(self) -> EventFlags {
        EventFlags {
            store: self.store,
            directory: self.directory,
            nats: self.nats,
            redis: self.redis,
            amqp: self.amqp,
            mqtt: self.mqtt,
            kafka: self.kafka,
        }
    }
}
