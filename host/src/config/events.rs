//! Where events are kept, as the program uses it.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// What the events of one channel may take unless told otherwise, in bytes: a day of a subscriber's absence at some ten
/// events a second, and small beside a usual disk.
pub const CHANNEL_SIZE: u64 = 1 << 30;

/// Which store keeps the events of a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, clap::ValueEnum)]
pub enum StoreChoice {
    /// The process. Events are lost with it.
    #[default]
    Memory,
    /// Files of this machine.
    File,
    /// Streams of a NATS server.
    Nats,
    /// Streams of a Redis server.
    Redis,
    /// Queues of a RabbitMQ broker.
    Amqp,
    /// Sessions of an MQTT broker.
    Mqtt,
    /// Topics of Kafka brokers.
    Kafka,
}

/// What it takes to speak to a server over TLS, which its address asks for: PEM files.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServerTls {
    /// The authorities that its certificate may be from; none means those of the system.
    pub ca: Option<PathBuf>,
    /// A certificate of the proxy's own, with its chain, to show it; with `key`.
    pub certificate: Option<PathBuf>,
    /// The key of that certificate.
    pub key: Option<PathBuf>,
}

/// How events are kept in files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileSettings {
    /// The directory of all channels.
    pub directory: PathBuf,
    /// What the events of one channel may take, in bytes: then it takes no more.
    pub bytes: u64,
    /// For how long an event is kept that nobody takes; none keeps it until somebody does.
    pub age: Option<Duration>,
}

/// How events are kept on NATS servers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NatsSettings {
    /// Where the servers of a cluster are, at least one: `nats://ADDR:PORT`.
    pub servers: Vec<String>,
    /// On how many of them each event is.
    pub replicas: usize,
    /// What the events of one channel may take, in bytes: then it takes no more.
    pub bytes: u64,
    /// For how long an event is kept that nobody takes; none keeps it until somebody does.
    pub age: Option<Duration>,
    /// For how long after it was published an event is kept that all have taken, to be read back; none drops it then.
    pub history: Option<Duration>,
    /// For addresses with `tls://`.
    pub tls: ServerTls,
}

/// How events are kept on a server of another kind.
#[derive(Clone, PartialEq, Eq)]
pub struct ServerSettings {
    /// Where it is, with what it takes to be let in: `redis://`, `amqp://` or `mqtt://`, or with an `s` more for TLS.
    pub server: String,
    /// What the events of one channel may take, in bytes: then it takes no more.
    pub bytes: u64,
    /// For how long an event is kept that nobody takes; none keeps it until somebody does.
    pub age: Option<Duration>,
    /// For how long after it was published an event is kept that all have taken, to be read back, where the kind of server
    /// can; none drops it then.
    pub history: Option<Duration>,
    /// For an address with `rediss://`, `amqps://` or `mqtts://`.
    pub tls: ServerTls,
}

impl fmt::Debug for ServerSettings {
    /// Without the server, whose address may hold a password.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { server: _, bytes, age, history, tls } = self;
        let mut shown = formatter.debug_struct("ServerSettings");
        shown
            .field("bytes", bytes)
            .field("age", age)
            .field("history", history)
            .field("tls", tls)
            .finish_non_exhaustive()
    }
}

/// How events are kept on Kafka brokers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KafkaSettings {
    /// Where to ask for the brokers of a cluster, at least one: `ADDR:PORT`.
    pub servers: Vec<String>,
    /// Of topics that are made: on how many brokers each event is.
    pub replicas: usize,
    /// Of topics that are made: how many partitions they have, so many proxies can share a subscription.
    pub partitions: usize,
    /// Of topics that are made: for how long an event is kept, whoever has seen it; none keeps it for ever.
    pub age: Option<Duration>,
}

/// Which stores there are, and which one is meant where nothing else is said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StoreSettings {
    /// For channels that ask for none in particular.
    pub default: StoreChoice,
    /// Files, where the configuration has a directory for them.
    pub file: Option<FileSettings>,
    /// NATS, where the configuration names a server.
    pub nats: Option<NatsSettings>,
    /// Redis, where the configuration names a server.
    pub redis: Option<ServerSettings>,
    /// RabbitMQ, where the configuration names a broker.
    pub amqp: Option<ServerSettings>,
    /// MQTT, where the configuration names a broker.
    pub mqtt: Option<ServerSettings>,
    /// Kafka, where the configuration names brokers.
    pub kafka: Option<KafkaSettings>,
}

impl StoreChoice {
    /// What it takes to have the store, as three texts: where events are kept, what is not known of, and the flag; none for
    /// memory, which is always there.
    pub(super) fn needs(self) -> Option<(&'static str, &'static str, &'static str)> {
        Some(match self {
            Self::Memory => return None,
            Self::File => ("in files", "directory for them", "--event-directory"),
            Self::Nats => ("on a NATS server", "server", "--event-nats"),
            Self::Redis => ("on a Redis server", "server", "--event-redis"),
            Self::Amqp => ("on a RabbitMQ broker", "broker", "--event-amqp"),
            Self::Mqtt => ("on an MQTT broker", "broker", "--event-mqtt"),
            Self::Kafka => ("on Kafka brokers", "broker", "--event-kafka"),
        })
    }
}

impl StoreSettings {
    /// Whether a store is there.
    pub(super) fn has(&self, choice: StoreChoice) -> bool {
        match choice {
            StoreChoice::Memory => true,
            StoreChoice::File => self.file.is_some(),
            StoreChoice::Nats => self.nats.is_some(),
            StoreChoice::Redis => self.redis.is_some(),
            StoreChoice::Amqp => self.amqp.is_some(),
            StoreChoice::Mqtt => self.mqtt.is_some(),
            StoreChoice::Kafka => self.kafka.is_some(),
        }
    }

    /// Why a channel cannot be in the store that it asks for, if so.
    pub fn missing(&self, asked: Option<StoreChoice>) -> Option<String> {
        let choice = asked.unwrap_or(self.default);
        let (place, lacking, flag) = choice.needs().filter(|_| !self.has(choice))?;
        Some(format!("its events are to be kept {place}, and the proxy has no {lacking}: set {flag}"))
    }
}
